/** Patches as files of a repository: the list beside a package, and what it names. */
import { join } from 'node:path';
import { parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import type { PackageRecord } from '#schema/index-shard';
import { patchListPath, patchPath, PatchListSchema, type PatchList } from '#schema/patch/format';
import { readIfAny } from '../layout.ts';

export interface PatchFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** @throws IcepkgError `format-invalid` */
export const decodePatchList = (bytes: Uint8Array, what: string): PatchList =>
  decode(PatchListSchema, parseJson(bytes, what), what);

/** The patches that a list names. */
export const patchesIn = (list: PatchList, packagePath: string): PatchFile[] =>
  list.patches.map(({ from, size, sha256 }) => ({ path: patchPath(packagePath, from), size, sha256 }));

/**
 * The patches to a package that the repository has a list of.
 * @throws IcepkgError `format-invalid` where the list cannot be read
 */
export function listedPatches(repository: string, { package: { path } }: PackageRecord): PatchFile[] {
  const file = patchListPath(path);
  const bytes = readIfAny(join(repository, file));
  return bytes === undefined ? [] : patchesIn(decodePatchList(bytes, file), path);
}
