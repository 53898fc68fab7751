/** Makes what is not in the cache yet: composes the root, and the outputs of it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { canonicalJson } from '#schema/canonical-json';
import { isErrno } from '#schema/error';
import { run } from '#pkgbuild/command';
import type { ImageRequest } from './build.ts';
import { checkBinaries } from './check-binaries.ts';
import { kernelCommandLine } from './command-line.ts';
import { composeRoot } from './compose.ts';
import { packageCache } from './depot.ts';
import { DESCRIPTION, type ImageDescription } from './description.ts';
import { keepRoot, takeRoot } from './kept-root.ts';
import { makeOutputs } from './outputs.ts';

export interface ImageKeys {
  /** Of everything that goes in. */
  readonly key: string;
  /** What ids of disks, partitions and file systems are derived from. */
  readonly ids: string;
  /** Of the composer. */
  readonly revision: number;
}

export interface MadeImage {
  readonly notices: readonly string[];
  /** The end of tidying up, which goes on beside what the caller does next. */
  readonly tidied: Promise<unknown>;
}

/** Composes the image in a folder beside `kept` and renames that, whole, to it. */
export async function makeImage(
  kept: string,
  { key, ids, revision }: ImageKeys,
  request: ImageRequest,
): Promise<MadeImage> {
  const { definition, lock, depot, cacheFolder, onStep = () => undefined, signal } = request;
  fs.mkdirSync(path.dirname(kept), { recursive: true });
  const scratch = fs.mkdtempSync(path.join(path.dirname(kept), '.image-'));
  // What nothing else gives a mode has the same one whoever composes.
  const umask = process.umask(0o022);
  try {
    onStep('compose');
    const keptRoot = path.join(cacheFolder, 'roots', `${definition.name}.${definition.arch}`);
    const donor = takeRoot(keptRoot, path.join(scratch, 'donor'));
    const composed = await composeRoot(definition, lock, path.join(scratch, 'root'), {
      key: ids,
      packageCache: packageCache(cacheFolder),
      ...(depot === undefined ? {} : { depot }),
      ...(donor === undefined ? {} : { donor }),
      ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
      ...(signal === undefined ? {} : { signal }),
    });
    checkBinaries(composed, definition.arch);
    const out = path.join(scratch, 'out');
    fs.mkdirSync(out);
    const { files, entries } = await makeOutputs({
      definition,
      key: ids,
      fileSystems: path.join(cacheFolder, 'filesystems', `${definition.name}.${definition.arch}`),
      revision,
      tree: composed,
      out,
      scratch,
      onStep,
      ...(signal === undefined ? {} : { signal }),
    });
    const description: ImageDescription = {
      format: 1,
      name: definition.name,
      system: definition.system,
      board: definition.board,
      arch: definition.arch,
      key,
      cmdline: kernelCommandLine(definition, ids),
      files: [...files],
      packages: lock.packages,
      locked: lock.locked,
      entries: [...entries],
    };
    fs.writeFileSync(path.join(out, DESCRIPTION), canonicalJson(description));
    place(out, kept);
    // With the files of the boot loader, which may have replaced those of packages.
    keepRoot(keptRoot, composed.folder, entries);
    return { notices: composed.notices, tidied: run(['rm', '-rf', '--', scratch]) };
  } catch (error) {
    fs.rmSync(scratch, { recursive: true, force: true });
    throw error;
  } finally {
    process.umask(umask);
  }
}

/** Another build of the same image may have been faster; it made the same. */
function place(out: string, kept: string): void {
  try {
    fs.renameSync(out, kept);
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}
