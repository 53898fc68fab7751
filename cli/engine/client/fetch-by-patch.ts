/**
 * Gets a package by a patch from its installed version, where the mirror has one and that is the least to fetch. Lists
 * of patches and patches are hints that nobody signed: they are bounded by the size of the package, and what comes out
 * is compared with what the index pins.
 */
import * as fs from 'node:fs';
import { parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError, isErrno } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import {
  LEAST_PATCHED_SIZE,
  MAX_PATCH_LIST_BYTES,
  patchListPath,
  patchPath,
  PatchListSchema,
  type ListedPatch,
} from '#schema/patch/format';
import type { EngineContext } from '../context.ts';
import { rebuild, type Rebuilt } from '../patch/rebuild.ts';
import { download } from './download.ts';
import { withMirrors } from './mirrors.ts';
import { getBytes, type Transport } from './transport.ts';

export interface PatchWanted {
  readonly record: PackageRecord;
  /** The digest of the installed version's manifest, and its header as the store keeps it. */
  readonly installed: { readonly manifest: string; readonly header: Uint8Array };
  readonly mirrors: readonly Transport[];
  /** Where the whole package would be downloaded to; patches lie beside it. */
  readonly file: string;
  /** Told of all bytes that come, also of those that are of no use in the end. */
  readonly onReceived: (bytes: number) => void;
  /** Runs one after the other what takes much memory. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Whether asking for a patch can pay at all. A folder is read in place, which costs nothing. */
export const mayBePatched = (record: PackageRecord, mirrors: readonly Transport[]): boolean =>
  record.package.size >= LEAST_PATCHED_SIZE && mirrors[0] !== undefined && mirrors[0].localFile === undefined;

/**
 * @returns `undefined` where there is no patch or it leads nowhere, which is told as a warning: then the whole package
 * has to be fetched
 * @throws IcepkgError `cancelled`
 */
export async function fetchByPatch(
  context: EngineContext,
  wanted: PatchWanted,
): Promise<Rebuilt | undefined> {
  const { record, installed, file } = wanted;
  const [patch, output] = [`${file}.icepatch`, `${file}.rebuilt`];
  try {
    const listed = (await readList(context, wanted)).find(({ from }) => from === installed.manifest);
    if (listed === undefined || listed.size >= record.package.size - sizeOf(`${file}.part`)) return undefined;
    await fetchPatch(context, wanted, { listed, patch });
    const { root } = context;
    return await wanted.inTurn(() => rebuild({ root, installed: installed.header, patch, record, output }));
  } catch (error) {
    // The whole package needs the room.
    fs.rmSync(output, { force: true });
    if (!isExpected(error)) throw error;
    const message = `${record.name}-${record.version}: fetching the whole package, since a patch failed: ${error.message}`;
    context.onProgress({ phase: 'warning', message });
    for (const ending of ['.part', '.part.etag']) fs.rmSync(`${patch}${ending}`, { force: true });
    return undefined;
  } finally {
    fs.rmSync(patch, { force: true });
  }
}

/** A full disk is told by the download of the package, if that does not fit either. */
function isExpected(error: unknown): error is Error {
  if (error instanceof IcepkgError) return error.code !== 'cancelled';
  return isErrno(error, 'ENOSPC', 'EDQUOT');
}

/** One attempt: who fails to give a patch is asked for the package, with all the patience that is configured. */
const once = (context: EngineContext): EngineContext => ({
  ...context,
  config: { ...context.config, network: { ...context.config.network, attempts: 1 } },
});

const address = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

async function readList(
  context: EngineContext,
  { record, mirrors, onReceived }: PatchWanted,
): Promise<readonly ListedPatch[]> {
  const path = patchListPath(record.package.path);
  const bytes = await withMirrors(once(context), mirrors, path, (mirror) =>
    getBytes(mirror, address(path), MAX_PATCH_LIST_BYTES, context.signal),
  );
  if (bytes === undefined) return [];
  onReceived(bytes.length);
  return decode(PatchListSchema, parseJson(bytes, path), path).patches;
}

async function fetchPatch(
  context: EngineContext,
  { record, mirrors, onReceived }: PatchWanted,
  { listed, patch }: { readonly listed: ListedPatch; readonly patch: string },
): Promise<void> {
  const path = patchPath(record.package.path, listed.from);
  const { size, sha256 } = listed;
  const signal = context.signal === undefined ? {} : { signal: context.signal };
  await withMirrors(once(context), mirrors, path, (mirror) =>
    download(mirror, { path: address(path), size, sha256, file: patch }, { ...signal, onReceived }),
  );
}

const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
