/** Takes a repository out of the configuration of a root. */
import { readFileSync, rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { IcepkgError } from '#schema/error';
import { INDEX_CACHE } from './client/shard-cache.ts';
import { ATTACH_HINT, loadRepositories, REPOSITORIES_FILE, trustFileOf } from './config.ts';
import { readStore } from './queries/read-store.ts';
import { removeFile, replaceFile } from './trust/replace-file.ts';

/**
 * Takes the table of the repository out of `etc/icepkg/repositories.toml`, whose other lines stay as they are, and
 * deletes its trusted root and its cached indexes. The trust store stays, so that attaching it again lowers no floor.
 * @returns the packages that are pinned to it
 * @throws IcepkgError `not-found` where none is called so
 */
export function detachRepository(root: string, name: string): { readonly pinned: readonly string[] } {
  const repositories = loadRepositories(root);
  const at = repositories.findIndex((one) => one.name === name);
  if (at === -1) {
    const known = repositories.map((one) => one.name).join(', ');
    throw new IcepkgError('not-found', `no repository is called ${name}`, {
      hint: known === '' ? ATTACH_HINT : `There is ${known}; see all: icepkg repo list`,
    });
  }
  const file = join(root, REPOSITORIES_FILE);
  const before = readFileSync(file, 'utf8');
  const after = withoutTable(before, at);
  if (!isDeepStrictEqual(tablesOf(after), tablesOf(before)?.toSpliced(at, 1))) {
    throw new IcepkgError(
      'config-invalid',
      `${REPOSITORIES_FILE}: cannot tell which lines are those of ${name}`,
      {
        hint: 'Take them out with an editor',
      },
    );
  }
  replaceFile(file, Buffer.from(after));
  const trust = trustFileOf(name);
  if (!repositories.some((one) => one.name !== name && one.trust === trust)) removeFile(join(root, trust));
  rmSync(join(root, INDEX_CACHE, name), { recursive: true, force: true });
  const { pins } = readStore(root, (store) => store.world());
  return { pinned: Object.keys(pins).filter((one) => pins[one]?.split('/')[0] === name) };
}

/** The text without table `index`; comments that stand before the next table belong to that. */
function withoutTable(text: string, index: number): string {
  const lines = text.split('\n');
  const heads = lines.flatMap((line, at) => (/^\s*\[\[\s*"?repository"?\s*\]\]/.test(line) ? [at] : []));
  const start = heads[index] ?? lines.length;
  const next = heads[index + 1] ?? lines.length;
  const end = lines.slice(0, next).findLastIndex((line) => !/^\s*(?:#.*)?$/.test(line)) + 1;
  const rest = lines.slice(end);
  return [...lines.slice(0, start), ...(rest[0] === '' ? rest.slice(1) : rest)].join('\n');
}

function tablesOf(text: string): readonly unknown[] | undefined {
  try {
    const { repository = [] } = parse(text);
    return Array.isArray(repository) ? repository : undefined;
  } catch (error) {
    if (error instanceof TomlError) return undefined;
    throw error;
  }
}
