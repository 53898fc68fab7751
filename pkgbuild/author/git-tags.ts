/** Tags of a git repository, asked without cloning it. */
import { IcepkgError } from '#schema/error';
import { run } from '../command.ts';

/** Names of tags, and the commit that each stands for. */
export type Tags = ReadonlyMap<string, string>;

/** @throws IcepkgError `source-failed` where the repository does not answer */
export async function listTags(url: string): Promise<Tags> {
  const result = await run(['git', 'ls-remote', '--tags', '--', url], {
    env: { ...process.env, GIT_ALLOW_PROTOCOL: 'file:git:http:https:ssh', GIT_TERMINAL_PROMPT: '0' },
  });
  if (result.status !== 0)
    throw new IcepkgError('source-failed', `${url}: ${result.stderr.trim().split('\n')[0] ?? ''}`);
  // Of a tag that is an object of its own, the line with ^{} comes after it and names the commit.
  return new Map(
    [...result.stdout.matchAll(/^([0-9a-f]+)\trefs\/tags\/(\S+?)(?:\^\{\})?$/gm)].map(
      ({ 1: commit = '', 2: name = '' }) => [name, commit],
    ),
  );
}

export interface WantedTag {
  /** As upstream calls it. */
  readonly version: string;
  /** The commit of the version before. */
  readonly before: string;
  /** Puts the new version where the old one stands. */
  readonly respell: (text: string) => string;
}

/** Commit of the tag of a version: named as the tag of the version before, or as such tags are usually named. */
export function commitOf(tags: Tags, { version, before, respell }: WantedTag): string | undefined {
  const named = [...tags].filter(([, commit]) => commit === before).map(([name]) => respell(name));
  const tag = [...named, version, `v${version}`].find((name) => tags.get(name) !== before && tags.has(name));
  return tag === undefined ? onlyOne([...tags.keys()].filter(endsWith(version)), tags) : tags.get(tag);
}

/** `demo-1.3.0`, `release_1_3_0`: whatever stands before is no part of a number. */
const endsWith =
  (version: string) =>
  (name: string): boolean =>
    ['.', '_', '-'].some((mark) => {
      const spelled = version.replaceAll('.', mark);
      return name.endsWith(spelled) && !/[\d.]$/.test(name.slice(0, -spelled.length));
    });

/** Several tags may stand for one commit; where they stand for more, nobody knows which is meant. */
function onlyOne(names: readonly string[], tags: Tags): string | undefined {
  const commits = new Set(names.map((name) => tags.get(name)));
  return commits.size === 1 ? [...commits][0] : undefined;
}
