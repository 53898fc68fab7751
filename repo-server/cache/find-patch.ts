/**
 * Patches in a cache. No index names them, so that the list of upstream has to be believed: what it says is bounded by
 * the package, which the index names, and whoever applies a patch verifies what comes out.
 */
import { join } from 'node:path';
import { canonicalJson } from '#schema/canonical-json';
import {
  LEAST_PATCHED_SIZE,
  MAX_PATCH_LIST_BYTES,
  patchListPath,
  type PatchList,
} from '#schema/patch/format';
import { readIfAny } from '../layout.ts';
import { decodePatchList, patchesIn } from '../patches/patch-files.ts';
import { addressIn, partOf, type Upstream, type WantedFile } from '../upstream.ts';

export interface FoundPatch {
  /** At most. */
  readonly size: number;
  /** What a fetch that fails leaves behind. */
  readonly part?: string;
  /** Puts it where it is served. */
  readonly fetch: () => Promise<void>;
}

/**
 * How to fetch a patch, or the list of patches, to a package. Without a list upstream an empty one is kept, so that it is
 * asked for once. A patch is found only once the list is here.
 * @param of the package, as the index names it
 */
export function findPatch(
  place: { readonly root: string; readonly upstream: Upstream },
  path: string,
  of: WantedFile,
): FoundPatch | undefined {
  const { root, upstream } = place;
  if (of.size < LEAST_PATCHED_SIZE) return undefined;
  const listPath = patchListPath(of.path);
  if (path === listPath)
    return {
      size: MAX_PATCH_LIST_BYTES,
      fetch: async () => upstream.write(listPath, await upstreamList(upstream, of)),
    };
  const known = readIfAny(join(root, listPath));
  const listed = known === undefined ? [] : patchesIn(decodePatchList(known, listPath), of.path);
  const patch = listed.find((one) => one.path === path);
  return patch && { size: patch.size, part: partOf(patch), fetch: () => upstream.fetchFile(patch) };
}

/** What of upstream's list can be of use. */
async function upstreamList(upstream: Upstream, { path, size }: WantedFile): Promise<Uint8Array> {
  const listPath = patchListPath(path);
  const bytes = await upstream.fetchBytes(addressIn(listPath), MAX_PATCH_LIST_BYTES);
  const listed = bytes === undefined ? [] : decodePatchList(bytes, listPath).patches;
  const list: PatchList = { format: 1, patches: listed.filter((patch) => patch.size < size) };
  return canonicalJson(list);
}
