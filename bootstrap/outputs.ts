/** A composed root in, every format that the definition asks for out. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { run } from '#pkgbuild/command';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { sha256File } from '#pkgbuild/sources/cache';
import { addBootFiles, bootUuid, findKernel, packaged } from './boot-files.ts';
import { kernelCommandLine } from './command-line.ts';
import type { Definition } from './definition.ts';
import type { Format, Partition } from './definition-schema.ts';
import type { BuiltFile, RootEntry } from './description.ts';
import { derivedUuid, writeDisk, type DiskPartition } from './disk.ts';
import { quote, requireTools, runFakeroot } from './fakeroot.ts';
import { makeBiosBoot } from './bios-boot.ts';
import { cachedFileSystem } from './filesystem-cache.ts';
import { tooSmall } from './filesystems.ts';
import { makeInitramfs } from './initramfs.ts';
import { writeInstaller } from './installer.ts';
import { writeIso } from './iso.ts';
import { withMountTable } from './mount-table.ts';
import { writeOci, type OciRequest } from './oci.ts';
import { splitTree, type Tree } from './split-tree.ts';
import { unpackKernel } from './unpack-kernel.ts';

export interface OutputRequest {
  readonly definition: Definition;
  /** What ids are derived from. */
  readonly key: string;
  /** Folder that keeps the file systems of the last builds. */
  readonly fileSystems: string;
  readonly revision: number;
  readonly tree: Tree;
  /** Folder that receives the outputs. */
  readonly out: string;
  readonly scratch: string;
  readonly onStep: (step: string) => void;
  readonly signal?: AbortSignal;
}

export interface Outputs {
  readonly files: readonly BuiltFile[];
  /** What is in the image, the files of the boot loader too. */
  readonly entries: readonly RootEntry[];
}

export async function makeOutputs(request: OutputRequest): Promise<Outputs> {
  const { definition, key, out, tree, onStep } = request;
  const files: BuiltFile[] = [];
  const stem = `${definition.name}.${definition.arch}`;
  /** Makes one output, by writing it; its digest may be known. */
  const add = async (
    format: BuiltFile['format'],
    suffix: string,
    write: (file: string) => Promise<void> | void,
    sha256?: string,
  ): Promise<void> => {
    const file = `${stem}.${suffix}`;
    const whole = path.join(out, file);
    await write(whole);
    files.push({ format, file, size: fs.statSync(whole).size, sha256: sha256 ?? sha256File(whole) });
  };
  const addKernel = (kernel: string): Promise<void> =>
    definition.hardware.unpackKernel
      ? add('kernel', 'vmlinux', (file) =>
          fs.writeFileSync(file, unpackKernel(fs.readFileSync(kernel), path.basename(kernel))),
        )
      : add('kernel', 'vmlinuz', (file) => fs.copyFileSync(kernel, file));
  const wants = (...formats: readonly Format[]): boolean =>
    formats.some((format) => definition.formats.includes(format));
  if (wants('directory', 'tar', 'oci')) {
    onStep('tar');
    const tar = path.join(request.scratch, 'root.tar');
    await makeTar(request, tar);
    if (wants('oci'))
      await add('oci', 'oci.tar', (output) => writeOci({ ...ociFacts(request), tar, output }));
    // Kept as a tar, which has the owners that not everybody may set; whoever delivers it unpacks it.
    if (wants('directory')) await add('directory', 'root', (file) => fs.copyFileSync(tar, file));
    if (wants('tar')) await add('tar', 'tar', (file) => fs.renameSync(tar, file));
  }
  const { hardware } = definition;
  let bootable = tree;
  let partitions: readonly DiskPartition[] | undefined;
  const disk = path.join(request.scratch, 'disk');
  const makeDisk = async (): Promise<string> => {
    partitions ??= await makePartitions({ ...request, tree: bootable });
    onStep('disk');
    return writeDisk(disk, partitions, {
      disk: derivedUuid(key, 'disk'),
      arch: definition.arch,
      table: hardware.table,
      card: hardware.qemu?.disk === 'sd',
    });
  };
  if (hardware.loader !== 'none' && hardware.kernel !== undefined) {
    const kernel = findKernel(tree, hardware.kernel);
    const initramfs =
      hardware.initramfs === undefined ? undefined : await makeInitramfs(tree, hardware.initramfs);
    const { uBoot, deviceTree } = hardware.qemu ?? {};
    if (hardware.loader === 'direct' || deviceTree !== undefined) {
      await addKernel(path.join(tree.folder, kernel));
      if (initramfs !== undefined)
        await add('initramfs', 'initramfs', (file) => fs.writeFileSync(file, initramfs));
    }
    if (deviceTree !== undefined)
      await add('device-tree', 'dtb', (file) =>
        fs.copyFileSync(packaged(definition, tree, deviceTree), file),
      );
    if (uBoot !== undefined)
      await add('u-boot', 'u-boot.bin', (file) => fs.copyFileSync(packaged(definition, tree, uBoot), file));
    const cmdline = kernelCommandLine(definition, key);
    const makeBootable = (): Tree => addBootFiles({ definition, tree, kernel, initramfs, cmdline });
    if (wants('iso')) {
      onStep('iso');
      const { scratch } = request;
      const writeInstallerTo = async (output: string): Promise<void> => {
        bootable = withMountTable(makeBootable(), definition, key);
        const digest = await makeDisk();
        await writeInstaller({ disk, digest, key, output, scratch });
      };
      const writer = hardware.installs === undefined ? undefined : writeInstallerTo;
      await add('iso', 'iso', (output) =>
        writeIso({ definition, key, tree, kernel, initramfs, output, scratch, writeInstaller: writer }),
      );
    }
    if (bootable === tree) bootable = makeBootable();
  }
  if (!wants('rootfs', 'img', 'qcow2')) return { files, entries: bootable.entries };
  const root = rootPartition(definition);
  partitions ??= await makePartitions({ ...request, tree: bootable });
  const rootFile = partitions.find(({ name }) => name === root.name)?.file ?? '';
  if (wants('rootfs'))
    await add('rootfs', root.filesystem, (file) =>
      fs.copyFileSync(rootFile, file, fs.constants.COPYFILE_FICLONE),
    );
  if (!wants('img', 'qcow2')) return { files, entries: bootable.entries };
  const digest = await makeDisk();
  if (wants('qcow2')) await add('qcow2', 'qcow2', (file) => convert(disk, file));
  if (wants('img')) await add('img', 'img', (file) => fs.renameSync(disk, file), digest);
  return { files, entries: bootable.entries };
}

const ociFacts = ({ definition, scratch, tree }: OutputRequest): Omit<OciRequest, 'tar' | 'output'> => ({
  scratch,
  paths: tree.entries.map((entry) => entry.path),
  name: definition.name,
  arch: definition.arch,
  command: definition.command,
});

function rootPartition(
  definition: Definition,
): Partition & { readonly filesystem: NonNullable<Partition['filesystem']> } {
  const root = definition.partitions.find(({ type }) => type === 'root');
  if (root?.filesystem !== undefined) return { ...root, filesystem: root.filesystem };
  throw new IcepkgError('image-failed', `${definition.name}: there is no root partition with a file system`, {
    hint: 'Add one to the partitions of the board: {name: root, type: root, filesystem: ext4}',
  });
}

async function makePartitions(request: OutputRequest): Promise<DiskPartition[]> {
  const { definition, key, scratch, onStep, signal } = request;
  rootPartition(definition);
  const parts = splitTree(request.tree, definition.partitions, scratch);
  const made: DiskPartition[] = [];
  for (const { name, type, filesystem, size, free } of definition.partitions) {
    const uuid = derivedUuid(key, 'partition', name);
    const part = parts.get(name);
    if (type === 'bios') {
      const bios = await makeBiosBoot({ tree: request.tree, bootUuid: bootUuid(definition, key), scratch });
      const needed = fs.statSync(bios.core).size;
      if (size !== undefined && size < needed)
        throw tooSmall({ name, kind: 'GRUB', size, output: bios.core }, needed);
      made.push({ name, type, uuid, size: size ?? needed, file: bios.core, bios });
      continue;
    }
    if (filesystem === undefined || part === undefined) {
      made.push({ name, type, uuid, size: size ?? 1, file: undefined });
      continue;
    }
    onStep(`${filesystem} ${name}`);
    const wanted = {
      kind: filesystem,
      tree: part.folder,
      entries: part.entries,
      ...(part.top === undefined ? {} : { top: part.top }),
      output: path.join(scratch, `${name}.${filesystem}`),
      name,
      uuid: derivedUuid(key, 'filesystem', name),
      ...(size === undefined ? {} : { size }),
      ...(free === undefined ? {} : { free }),
      ...(signal === undefined ? {} : { signal }),
    };
    const file = await cachedFileSystem(wanted, path.join(request.fileSystems, name), request.revision);
    made.push({ name, type, uuid, size: size ?? fs.statSync(file).size, file });
  }
  return made;
}

async function makeTar({ tree, signal }: OutputRequest, output: string): Promise<void> {
  await runFakeroot({
    tree: tree.folder,
    entries: tree.entries,
    script: `cd "$TREE" && tar --sort=name --format=pax --pax-option=delete=atime,delete=ctime --numeric-owner --mtime=@${BUILD_EPOCH} --xattrs --xattrs-include='*' -cf ${quote(output)} .`,
    tools: { tar: 'tar' },
    environment: { SOURCE_DATE_EPOCH: String(BUILD_EPOCH) },
    ...(signal === undefined ? {} : { signal }),
  });
}

async function convert(disk: string, output: string): Promise<void> {
  requireTools({ 'qemu-img': 'qemu-utils' });
  const result = await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', disk, output]);
  if (result.status !== 0) throw new IcepkgError('image-failed', `qemu-img: ${result.stderr.trim()}`);
}
