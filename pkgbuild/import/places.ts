/** Sources of others: where they come from, what they are called, and into which folder they are unpacked. */
import type { DraftSource, Notes } from './draft.ts';

export interface SourceText {
  /** `[NAME::]URL` or the name of a file beside. */
  readonly text: string;
  readonly line: number | undefined;
  readonly field: string;
  readonly sha256?: string | undefined;
  readonly sha512?: string | undefined;
  readonly arch?: 'x86_64' | 'aarch64' | undefined;
}

const ARCHIVE = /\.(?:tar(?:\.[a-z0-9]+)?|t[gx]z|tbz2?)$/;
const SIGNATURE = /\.(?:sig|asc|sign|minisig)$/;

/** Stands for a commit that only the author can fill in. */
export const UNKNOWN_COMMIT = '0'.repeat(40);

/** Files of a `-dev` package; a subpackage of that name with more files must list them all. */
export const DEV_FILES: readonly string[] = [
  'usr/include',
  'usr/lib/*.a',
  'usr/lib/*.so',
  'usr/lib/pkgconfig',
  'usr/share/pkgconfig',
  'usr/lib/cmake',
  'usr/share/aclocal',
  'usr/bin/*-config',
];

/** In a `-dev` or `-doc` package anyway. */
export const isByItself = (pattern: string): boolean =>
  /^usr\/(?:include|share\/(?:man|doc|info|aclocal|pkgconfig|gtk-doc)|lib\/(?:pkgconfig|cmake))(?:\/|$)|^usr\/lib\/[^/]*\.(?:a|so)$/.test(
    pattern,
  );

/** The top folder that an archive of that name most likely has. */
export const stemOf = (file: string): string => file.replace(ARCHIVE, '').replace(/\.orig$/, '');

export const isArchive = (file: string): boolean => ARCHIVE.test(file);

const fileName = (text: string): string => {
  const base = text.split(/[?#]/)[0]?.replace(/\/+$/, '').split('/').pop() ?? '';
  const safe = base.replaceAll(/%[0-9A-Fa-f]{2}|[^A-Za-z0-9_.+~-]/g, '_').replace(/^[^A-Za-z0-9_]+/, '');
  return safe === '' ? 'source' : safe;
};

/** Servers that have by https what they have by ftp, under the same paths. */
const BY_HTTPS_TOO = /^ftp:\/\/(ftp\.gnu\.org|ftp\.kernel\.org|ftp\.openbsd\.org)\//;

/** One entry of a `source` list, or `undefined` where it has no place in a recipe, which is told. */
export function importSource(entry: SourceText, notes: Notes): DraftSource | undefined {
  const { text, line, field } = entry;
  const [name, address] = text.includes('::') ? text.split(/::(.*)/s) : [undefined, text];
  const file = fileName(name ?? address ?? '');
  const sums = {
    ...(entry.sha256 === undefined ? {} : { sha256: entry.sha256 }),
    ...(entry.sha512 === undefined ? {} : { sha512: entry.sha512 }),
    ...(entry.arch === undefined ? {} : { arch: entry.arch }),
  };
  if (address === undefined || address === '') return undefined;
  if (SIGNATURE.test(address)) {
    notes.add('left', field, `${file} is a signature: recipes pin sources by sha256`, line);
    return undefined;
  }
  const git = /^git(?:\+(https?|ssh|git|file))?:\/\/(.+)$/.exec(address);
  if (git !== null)
    return importGit({ url: `${git[1] ?? 'git'}://${git[2] ?? ''}`, file, line, field }, notes);
  const url = address.replace(BY_HTTPS_TOO, 'https://$1/');
  if (/^https?:\/\/\S+$/.test(url)) return { url, file, ...sums };
  if (/^[a-z+]+:\/\//.test(address)) {
    notes.add('lost', field, `${address}: recipes fetch by http, https and git`, line);
    return undefined;
  }
  if (/^(?!\/)(?!.*\.\.\/)[^\u0000-\u001f]+$/.test(address)) return { local: address, file };
  notes.add('lost', field, `${address} is no file beside the recipe`, line);
  return undefined;
}

function importGit(
  of: {
    readonly url: string;
    readonly file: string;
    readonly line: number | undefined;
    readonly field: string;
  },
  notes: Notes,
): DraftSource | undefined {
  const [address = '', fragment = ''] = of.url.split('#');
  const url = address.replace(/\?signed$/, '');
  const commit = /^commit=([0-9a-f]{40}|[0-9a-f]{64})$/.exec(fragment.replace(/\?signed$/, ''))?.[1];
  if (commit !== undefined) return { git: { url, commit }, file: `${of.file.replace(/\.git$/, '')}.tar` };
  const what = fragment === '' ? 'the newest commit' : fragment;
  notes.add('open', of.field, `${url}: ${what} is no commit; recipes need the whole name of one`, of.line);
  return { git: { url, commit: UNKNOWN_COMMIT }, file: `${of.file.replace(/\.git$/, '')}.tar` };
}

/**
 * Unpacks the archive that steps start in into the source folder itself, and each other one into the folder it
 * would have made.
 * @param main top folder where steps start, as the file says
 */
export function placeSources(sources: readonly DraftSource[], main: string | undefined): DraftSource[] {
  const archives = sources.filter(({ file, local }) => local === undefined && isArchive(file));
  const first = archives.find(({ file }) => stemOf(file) === main) ?? archives[0];
  return sources.map((source) =>
    archives.includes(source) && source !== first ? { ...source, into: stemOf(source.file) } : source,
  );
}

/** Patches are applied in their order; other files beside the recipe are copied. */
export function splitPatches(
  sources: readonly DraftSource[],
  apply: boolean,
): {
  readonly sources: DraftSource[];
  readonly patches: string[];
} {
  const isPatch = ({ local }: DraftSource): boolean =>
    apply && local !== undefined && /\.(?:patch|diff)$/.test(local);
  return {
    sources: sources.filter((source) => !isPatch(source)),
    patches: sources.filter(isPatch).map(({ local }) => local ?? ''),
  };
}
