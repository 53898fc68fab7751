/** Makes file systems of trees, the same bytes every time. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { setExt4Times } from './ext4-times.ts';
import type { FileSystem } from './definition-schema.ts';
import { quote, runFakeroot, type FakerootRequest } from './fakeroot.ts';
import type { RootEntry } from './description.ts';

export interface FileSystemRequest {
  readonly kind: FileSystem;
  readonly tree: string;
  readonly entries: readonly RootEntry[];
  /** The tree's own folder, with the path `.`; root's with mode 0755 without. */
  readonly top?: RootEntry;
  readonly output: string;
  /** For errors: the partition's name. */
  readonly name: string;
  /** Bytes; as large as needed without. */
  readonly size?: number;
  /** Bytes to leave free. */
  readonly free?: number;
  readonly uuid: string;
  readonly signal?: AbortSignal;
}

const MIB = 1024 ** 2;
/** Of an ext4, in bytes: the smallest there is. */
const JOURNAL = 4 * MIB;
const SMALLEST_JOURNALLED = 12 * MIB;

const epoch = { SOURCE_DATE_EPOCH: String(BUILD_EPOCH) };

/** @throws IcepkgError `image-failed` where the content does not fit, naming both sizes */
export async function makeFileSystem(request: FileSystemRequest): Promise<void> {
  const { kind, output, size, entries, top } = request;
  fs.rmSync(output, { force: true });
  const plan = MAKERS[kind](request);
  try {
    await runFakeroot({ ...request, entries: top === undefined ? entries : [top, ...entries], ...plan });
  } catch (cause) {
    if (!(cause instanceof IcepkgError) || cause.code !== 'image-failed') throw cause;
    throw new IcepkgError('image-failed', `${request.name}: making the ${kind} failed: ${cause.message}`, {
      cause,
      ...(size === undefined ? {} : { hint: 'Give the partition a larger size in the definition' }),
    });
  }
  if (kind === 'ext4') setExt4Times(output, BUILD_EPOCH);
  const made = fs.statSync(output).size;
  if (size !== undefined && made > size) {
    fs.rmSync(output);
    throw tooSmall(request, made);
  }
}

type Plan = Pick<FakerootRequest, 'script' | 'tools' | 'environment'>;

const MAKERS: Readonly<Record<FileSystem, (request: FileSystemRequest) => Plan>> = {
  ext4: planExt4,
  squashfs: ({ output }) => ({
    script: `mksquashfs "$TREE" ${quote(output)} -noappend -no-progress -quiet -comp zstd -Xcompression-level 15 -b 256K`,
    tools: { mksquashfs: 'squashfs-tools' },
    environment: epoch,
  }),
  erofs: ({ output, uuid }) => ({
    script: `mkfs.erofs --quiet -T ${BUILD_EPOCH} -U ${uuid} -zlz4hc,9 ${quote(output)} "$TREE" 2>&1`,
    tools: { 'mkfs.erofs': 'erofs-utils' },
    environment: epoch,
  }),
  vfat: planVfat,
};

/** Times go in afterwards. */
function planExt4(request: FileSystemRequest): Plan {
  const { entries, top, output, uuid, free = 0 } = request;
  const inodes = entries.length + 64;
  const content = entries.reduce((sum, { size, type }) => sum + (type === 'file' ? blocks(size) : 4096), 0);
  const small = request.size !== undefined && request.size < SMALLEST_JOURNALLED;
  const journal = small ? 0 : JOURNAL;
  // Inode tables, bitmaps and the odd extent block come to a few hundredths of the rest.
  const needed = Math.ceil((content + inodes * 256 + journal + free) * 1.06 + MIB);
  const size = request.size ?? Math.ceil(needed / MIB) * MIB;
  if (size < needed - free) throw tooSmall(request, needed);
  const spare = Math.ceil((free / 16384 + inodes) * 1.1);
  return {
    script: [
      `truncate -s ${size} ${quote(output)}`,
      `mke2fs -q -F -t ext4 -d "$TREE" -U ${uuid} -L ${quote(request.name.slice(0, 16))} -b 4096 -I 256 -N ${spare} -m 0 ${small ? '-O ^has_journal' : `-J size=${JOURNAL / MIB}`} \\`,
      `  -E hash_seed=${uuid},lazy_itable_init=0,root_owner=${top?.uid ?? 0}:${top?.gid ?? 0} -O ^metadata_csum_seed,^orphan_file ${quote(output)} 2>&1`,
      // Of the tree's own folder, mke2fs takes the attributes alone.
      ...(top === undefined
        ? []
        : [`debugfs -w -R 'sif / mode 04${top.mode.toString(8).padStart(4, '0')}' ${quote(output)} 2>&1`]),
    ].join('\n'),
    tools: { mke2fs: 'e2fsprogs', debugfs: 'e2fsprogs' },
    environment: { ...epoch, E2FSPROGS_FAKE_TIME: String(BUILD_EPOCH) },
  };
}

const blocks = (size: number): number => Math.ceil(size / 4096) * 4096;

/** FAT knows no owners, links or devices. */
function planVfat(request: FileSystemRequest): Plan {
  const { entries, output, uuid, free = 0 } = request;
  const strange = entries.find(({ type }) => type !== 'file' && type !== 'directory');
  if (strange !== undefined)
    throw new IcepkgError(
      'image-failed',
      `${request.name}: vfat cannot hold the ${strange.type} ${strange.path}`,
      {
        hint: 'Choose another file system for the partition',
      },
    );
  const content = entries.reduce((sum, { size }) => sum + blocks(size) + 4096, 0);
  const needed = Math.ceil(content * 1.05) + MIB + free;
  // FAT32 begins where there are clusters enough for it; loaders want nothing smaller.
  const size = request.size ?? Math.max(34 * MIB, Math.ceil(needed / MIB) * MIB);
  if (size < needed - free) throw tooSmall(request, needed);
  const tops = entries.filter(({ path: file }) => !file.includes('/')).map(({ path: file }) => file);
  const copy = tops.map((file) => `mcopy -spmQ -i ${quote(output)} "$TREE"/${quote(file)} ::/`);
  return {
    script: [
      `truncate -s ${size} ${quote(output)}`,
      `mkfs.vfat --invariant -F 32 -i ${uuid.slice(0, 8)} -n ${quote(request.name.toUpperCase().slice(0, 11))} ${quote(output)} >/dev/null`,
      ...copy,
    ].join('\n'),
    tools: { 'mkfs.vfat': 'dosfstools', mcopy: 'mtools' },
    environment: { ...epoch, MTOOLS_SKIP_CHECK: '1' },
  };
}

type Refused = Pick<FileSystemRequest, 'name' | 'size' | 'output'> & { readonly kind: string };

export const tooSmall = ({ name, kind, size = 0, output }: Refused, needed: number): IcepkgError =>
  new IcepkgError(
    'image-failed',
    `${path.basename(output)}: the ${kind} of partition ${name} needs ${mib(needed)}, and its size is ${mib(size)}`,
    { hint: 'Give the partition a larger size, or leave size out' },
  );

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
