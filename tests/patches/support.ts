/** Two versions of a package and what becomes of the one by a patch to the other. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { openDecoder } from '#schema/container/codec';
import { PackageContents } from '#schema/container/contents';
import { readHeader } from '#schema/container/read';
import { sha256 } from '#schema/digest';
import { recordOf } from '#schema/record';
import { rebuild, type Rebuilt } from '#engine/patch/rebuild';
import { openPatchMaker } from '#repo-server/patches/make-patch';
import type { DeclaredPackage, Depot } from '../support/repository.ts';

let pairs = 0;

export interface Pair {
  readonly from: string;
  readonly to: string;
  readonly patch: string;
  /** A folder with the files of the old package. */
  readonly root: string;
  readonly made: boolean;
}

/** Packs both, puts the files of the first on the disk and makes the patch. */
export async function makePair(
  depot: Depot,
  [before, after]: readonly [DeclaredPackage, DeclaredPackage],
  mostBytes = Number.MAX_SAFE_INTEGER,
): Promise<Pair> {
  const [from = '', to = ''] = await depot.pack(before, after);
  const number = ++pairs;
  const root = join(depot.folder, `pair-${number}`);
  putFiles(from, root);
  const patch = join(depot.folder, `pair-${number}.icepatch`);
  return { from, to, patch, root, made: await openPatchMaker()({ from, to, output: patch, mostBytes }) };
}

export const rebuildPair = ({ from, to, patch, root }: Pair): Promise<Rebuilt> =>
  rebuild({
    root,
    installed: readHeader(from, from).header,
    patch,
    record: recordOf(readHeader(to, to), { path: 'packages/x', size: 0, sha256: '' }),
    output: `${patch}.rebuilt`,
  });

function putFiles(packageFile: string, root: string): void {
  fs.mkdirSync(root);
  const header = readHeader(packageFile, packageFile);
  for (const [path, bytes] of contentsOf({ ...header, file: packageFile })) {
    fs.mkdirSync(dirname(join(root, path)), { recursive: true });
    fs.writeFileSync(join(root, path), bytes);
  }
}

/** The digest of each regular file's content. */
export function digestsOf(rebuilt: Rebuilt): Map<string, string> {
  return new Map([...contentsOf(rebuilt)].map(([path, bytes]) => [path, sha256(bytes)]));
}

function contentsOf({ file, manifest, headerSize }: Rebuilt): Map<string, Uint8Array> {
  const fd = fs.openSync(file, 'r');
  try {
    const { codec } = readHeader(file, file);
    const source = { fd, headerSize, decoder: openDecoder(codec), what: file };
    const contents = new PackageContents(source, manifest.frames);
    const found = new Map<string, Uint8Array>();
    for (const entry of manifest.files) {
      if (entry.type !== 'file') continue;
      const room = Buffer.alloc(entry.size);
      if (entry.size > 0) contents.read(entry, 0, room);
      found.set(entry.path, room);
    }
    return found;
  } finally {
    fs.closeSync(fd);
  }
}

/** Mebibytes of text that hardly compresses, the same for the same seed. */
export function randomText(mebibytes: number, seed: number): string {
  const bytes = Buffer.alloc(Math.ceil(mebibytes * 768) * 1024);
  let state = seed;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes.writeInt32LE(state ^ (state >>> 15), at);
  }
  return bytes.toString('base64');
}
