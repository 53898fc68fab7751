/** Writes a draft down as the YAML of a recipe. */
import { stringify } from 'yaml';
import type { Draft, DraftSource, ImportNote } from './draft.ts';

/** Stands for a digest that nobody knows yet: a build refuses it and says the right one. */
export const UNKNOWN_SHA256 = '0'.repeat(64);

export function renderRecipe(draft: Draft, notes: readonly ImportNote[], origin: string): string {
  const { text, relations, steps } = draft;
  const list = <T>(values: readonly T[] | undefined): readonly T[] | undefined =>
    values === undefined || values.length === 0 ? undefined : values;
  const fields = {
    name: draft.name,
    version: draft.version,
    release: draft.release === 0 ? undefined : draft.release,
    upstreamVersion: draft.upstreamVersion,
    description: text.description,
    license: draft.license,
    url: text.url,
    maintainer: text.maintainer,
    cpe: text.cpe,
    arch: draft.arch,
    sources: list(draft.sources.map(sourceOf)),
    patches: list(draft.patches),
    buildDepends: list(draft.buildDepends),
    depends: list(relations.depends),
    recommends: list(relations.recommends),
    provides: list(relations.provides),
    providerPriority: draft.providerPriority,
    replaces: list(relations.replaces),
    installIf: list(relations.installIf),
    configFiles: list(draft.configFiles),
    env: Object.keys(draft.env).length === 0 ? undefined : draft.env,
    ...steps,
    subpackages: list(draft.subpackages),
    strip: draft.strip,
  };
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const body = stringify(known, { lineWidth: 0, blockQuote: 'literal', singleQuote: true });
  const open = notes.filter(({ kind }) => kind !== 'left').map((note) => `# - ${noteText(note)}`);
  const head = [
    `# Imported from ${printable(origin)}.`,
    ...(open.length === 0 ? [] : ['# To look at before it builds:', ...open]),
  ];
  return `${head.join('\n')}\n${body}`;
}

export const noteText = ({ line, field, why }: ImportNote): string =>
  printable(`${line === undefined || line === 0 ? '' : `line ${line}: `}${field}: ${why}`);

const printable = (text: string): string =>
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');

function sourceOf(source: DraftSource): Readonly<Record<string, unknown>> {
  const place = {
    ...(source.into === undefined ? {} : { into: source.into }),
    ...(source.arch === undefined ? {} : { arch: source.arch }),
  };
  if (source.local !== undefined) return { path: source.local, ...place };
  const from =
    source.git === undefined ? { url: source.url } : { git: source.git.url, commit: source.git.commit };
  return {
    file: source.file,
    sha256: source.sha256 ?? UNKNOWN_SHA256,
    from: [from],
    ...(source.extract === undefined ? {} : { extract: source.extract }),
    ...place,
  };
}
