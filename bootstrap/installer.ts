/** What a live medium carries to be installed from: the disk of the same system, with its digest, in a squashfs. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { sha256File } from '#pkgbuild/sources/cache';
import type { RootEntry } from './description.ts';
import { derivedUuid } from './disk.ts';
import { makeFileSystem } from './filesystems.ts';

export interface InstallerRequest {
  /** The disk, which is moved. */
  readonly disk: string;
  /** Its sha256. */
  readonly digest: string;
  readonly key: string;
  /** Receives the squashfs, and its own digest beside it, where `install-to-disk` of the board looks for them. */
  readonly output: string;
  readonly scratch: string;
}

/** @throws IcepkgError `image-failed`, `tool-missing` */
export async function writeInstaller({
  disk,
  digest,
  key,
  output,
  scratch,
}: InstallerRequest): Promise<void> {
  const folder = path.join(scratch, 'installer');
  fs.mkdirSync(folder);
  fs.renameSync(disk, path.join(folder, 'disk.img'));
  writeDigest(path.join(folder, 'disk.img'), digest);
  const names = ['disk.img', 'disk.img.sha256'];
  for (const name of [...names, '.']) fs.utimesSync(path.join(folder, name), BUILD_EPOCH, BUILD_EPOCH);
  await makeFileSystem({
    kind: 'squashfs',
    tree: folder,
    entries: names.map((name) => entryOf(folder, name)),
    output,
    name: 'installer',
    uuid: derivedUuid(key, 'filesystem', 'installer'),
  });
  writeDigest(output, sha256File(output));
}

/** As `sha256sum -c` reads it. */
const writeDigest = (file: string, digest: string): void =>
  fs.writeFileSync(`${file}.sha256`, `${digest}  ${path.basename(file)}\n`);

const entryOf = (folder: string, name: string): RootEntry => ({
  path: name,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: fs.statSync(path.join(folder, name)).size,
  packages: [],
});
