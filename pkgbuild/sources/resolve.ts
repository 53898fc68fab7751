/** A recipe's sources as they are for one architecture: what to fetch, and what it is. */
import { basename } from 'node:path';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { BUILD_ROOT } from '../toolchain.ts';
import type { DebSource, ExtractRules, LocalSource, NpmSource, Source, SourceLocation } from './schema.ts';

/** Where sources and the recipe's own files are shown inside the sandbox. */
export const DISTFILES = `${BUILD_ROOT}/distfiles`;
export const RECIPE_FOLDER = `${BUILD_ROOT}/recipe`;

/** Where a file may come from; a Debian binary package is meant for one of Debian's architectures. */
export type Place = SourceLocation | DebPlace | Pick<NpmSource, 'npm' | 'version'>;
export interface DebPlace {
  readonly deb: string;
  readonly version: string;
  /** Debian's name; absent for a package of all architectures. */
  readonly debianArch: string | undefined;
}

/** A file with a known sha256 and the places that may have it. */
export interface FetchedFile {
  readonly kind: 'archive' | 'deb' | 'npm';
  readonly file: string;
  readonly sha256: string;
  readonly from: readonly Place[];
  readonly extract: boolean | ExtractRules;
  readonly into: string | undefined;
}
export interface LocalFiles {
  readonly kind: 'local';
  /** Relative to the recipe's folder. */
  readonly path: string;
  readonly into: string | undefined;
  /** Where the sandbox shows it. */
  readonly shownAt: string;
}
export type ResolvedSource = FetchedFile | LocalFiles;

const DEBIAN_ARCH: Readonly<Record<MachineArch, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/**
 * Leaves out what is for another architecture.
 * @throws IcepkgError `source-failed` where a Debian package has no sum for the architecture
 */
export function resolveSources(sources: readonly Source[], arch: MachineArch | 'noarch'): ResolvedSource[] {
  return sources
    .filter((source) => source.arch === undefined || source.arch === arch)
    .map((source, index) => ('path' in source ? resolveLocal(source, index) : resolveFetched(source, arch)));
}

/** What is not in the recipe's folder is shown by itself. */
function resolveLocal({ path, into }: LocalSource, index: number): LocalFiles {
  const shownAt = path.startsWith('../')
    ? `${BUILD_ROOT}/beside/${index}/${basename(path)}`
    : `${RECIPE_FOLDER}/${path}`;
  return { kind: 'local', path, into, shownAt };
}

function resolveFetched(source: Exclude<Source, LocalSource>, arch: MachineArch | 'noarch'): FetchedFile {
  const common = { extract: source.extract ?? true, into: source.into };
  if ('npm' in source) {
    const { npm, version, sha256 } = source;
    const file = `${npm.replace('@', '').replace('/', '-')}-${version}.tgz`;
    return { kind: 'npm', file, sha256, from: [{ npm, version }], ...common };
  }
  if (!('deb' in source)) {
    const { file, sha256, from } = source;
    return { kind: 'archive', file, sha256, from, ...common };
  }
  const { deb, version } = source;
  const perArch = typeof source.sha256 !== 'string';
  const sha256 = sumOf(source, arch);
  if (sha256 === undefined)
    throw new IcepkgError('source-failed', `the source deb: ${deb} has no sha256 for ${arch}`, {
      hint: `Add a line ${arch}: under its sha256, or arch: to the source where it is for one architecture only`,
    });
  const debianArch = perArch && arch !== 'noarch' ? DEBIAN_ARCH[arch] : undefined;
  return {
    kind: 'deb',
    file: `${deb}_${version.replace(/^\d+:/, '')}_${debianArch ?? 'all'}.deb`,
    sha256,
    from: [{ deb, version, debianArch }, ...(source.from ?? [])],
    ...common,
  };
}

/** `undefined` where a Debian package has none for the architecture. */
export function sumOf({ sha256 }: DebSource, arch: MachineArch | 'noarch'): string | undefined {
  if (typeof sha256 === 'string') return sha256;
  return arch === 'noarch' ? undefined : sha256[arch];
}

/** What is fetched; local sources are not. */
export const fetchedFiles = (sources: readonly ResolvedSource[]): FetchedFile[] =>
  sources.filter((source) => source.kind !== 'local');

/** What tells a source from another: its content, not where it comes from. */
export const withoutPlaces = (source: ResolvedSource): ResolvedSource =>
  source.kind === 'local' ? source : { ...source, from: [] };
