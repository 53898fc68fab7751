/** Definition and lock in, images out. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sha256 } from '#schema/digest';
import { IcepkgError, isErrno } from '#schema/error';
import type { EngineContext } from '#engine/context';
import type { OnProgress } from '#engine/model';
import { run } from '#pkgbuild/command';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { sha256File } from '#pkgbuild/sources/cache';
import { walkTree } from '#pkgbuild/tree';
import { checkBinaries } from './check-binaries.ts';
import { composeRoot } from './compose.ts';
import type { Definition } from './definition.ts';
import type { Format, Partition } from './definition-schema.ts';
import { packageCache } from './depot.ts';
import { derivedUuid, writeDisk, type DiskPartition } from './disk.ts';
import { quote, requireTools, runFakeroot } from './fakeroot.ts';
import { makeFileSystem } from './filesystems.ts';
import { fetchLocked, type Lock } from './lock.ts';
import type { RootEntry } from './root-entries.ts';

export interface ImageRequest {
  readonly definition: Definition;
  readonly lock: Lock;
  /** Where missing packages come from; offline without. */
  readonly depot?: EngineContext;
  readonly cacheFolder: string;
  /** Folder that receives the images. */
  readonly output: string;
  readonly onProgress?: OnProgress;
  readonly onStep?: (step: string) => void;
  readonly signal?: AbortSignal;
}

export interface BuiltImage {
  readonly name: string;
  /** Digest of everything that went in. */
  readonly key: string;
  readonly cached: boolean;
  readonly files: readonly BuiltFile[];
  readonly notices: readonly string[];
}

export interface BuiltFile {
  readonly format: Format | 'kernel' | 'description';
  /** Name in the output folder. */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** What a built image says of itself, for `run`, `test`, `diff` and people. */
export interface ImageDescription {
  readonly name: string;
  readonly system: string;
  readonly board: string;
  readonly arch: string;
  readonly key: string;
  readonly cmdline: string;
  readonly files: readonly BuiltFile[];
  readonly packages: readonly { readonly name: string; readonly version: string; readonly size: number }[];
  readonly entries: readonly RootEntry[];
}

/** Raised when the composer itself comes to make something else of the same input. */
const COMPOSER_REVISION = 1;

/**
 * Builds every format that the definition asks for; outputs appear by rename, all or none.
 * @throws IcepkgError
 */
export async function buildImage(request: ImageRequest): Promise<BuiltImage> {
  const { definition, cacheFolder, output } = request;
  const key = imageKey(request);
  const kept = path.join(cacheFolder, 'images', key);
  const cached = isBuilt(kept);
  let notices: readonly string[] = [];
  if (!cached) notices = await buildInto(kept, key, request);
  const description = readDescription(kept);
  deliver(kept, output, description);
  return { name: definition.name, key, cached, files: description.files, notices };
}

async function buildInto(kept: string, key: string, request: ImageRequest): Promise<readonly string[]> {
  const { definition, lock, depot, cacheFolder, onStep = () => undefined, signal } = request;
  if (depot !== undefined) await fetchLocked(depot, lock, packageCache(cacheFolder));
  fs.mkdirSync(path.dirname(kept), { recursive: true });
  const scratch = fs.mkdtempSync(path.join(path.dirname(kept), '.image-'));
  try {
    onStep('compose');
    const composed = await composeRoot(definition, lock, path.join(scratch, 'root'), {
      packageCache: packageCache(cacheFolder),
      ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
      ...(signal === undefined ? {} : { signal }),
    });
    checkBinaries(composed, definition.arch);
    const out = path.join(scratch, 'out');
    fs.mkdirSync(out);
    const files = await makeOutputs({
      ...request,
      key,
      out,
      scratch,
      tree: composed.folder,
      entries: composed.entries,
      onStep,
    });
    const description: ImageDescription = {
      name: definition.name,
      system: definition.system,
      board: definition.board,
      arch: definition.arch,
      key,
      cmdline: kernelCommandLine(definition, key),
      files,
      packages: lock.locked.map(({ record }) => ({
        name: record.name,
        version: record.version,
        size: record.installedSize,
      })),
      entries: composed.entries,
    };
    fs.writeFileSync(path.join(out, DESCRIPTION), `${JSON.stringify(description)}\n`);
    fs.renameSync(out, kept);
    return composed.notices;
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

const DESCRIPTION = 'image.json';

interface OutputRequest extends ImageRequest {
  readonly key: string;
  readonly out: string;
  readonly scratch: string;
  readonly tree: string;
  readonly entries: readonly RootEntry[];
  readonly onStep: (step: string) => void;
}

async function makeOutputs(request: OutputRequest): Promise<BuiltFile[]> {
  const { definition, out, tree, onStep } = request;
  const files: BuiltFile[] = [];
  const add = (format: BuiltFile['format'], file: string): void => {
    const whole = path.join(out, file);
    files.push({ format, file, size: fs.statSync(whole).size, sha256: sha256File(whole) });
  };
  const stem = `${definition.name}.${definition.arch}`;
  const { kernel, loader } = definition.hardware;
  if (loader === 'direct' && kernel !== undefined) {
    fs.copyFileSync(kernelIn(tree, kernel), path.join(out, `${stem}.vmlinuz`));
    add('kernel', `${stem}.vmlinuz`);
  }
  const wants = (format: Format): boolean => definition.formats.includes(format);
  if (wants('tar')) {
    onStep('tar');
    await makeTar(request, path.join(out, `${stem}.tar`));
    add('tar', `${stem}.tar`);
  }
  if (wants('rootfs') || wants('img') || wants('qcow2')) {
    const partitions = await makePartitions(request);
    const root = partitions.find(({ type }) => type === 'root');
    if (wants('rootfs') && root?.file !== undefined) {
      const name = `${stem}.${rootPartition(definition).filesystem}`;
      fs.copyFileSync(root.file, path.join(out, name), fs.constants.COPYFILE_FICLONE);
      add('rootfs', name);
    }
    if (wants('img') || wants('qcow2')) {
      onStep('disk');
      const disk = path.join(out, `${stem}.img`);
      writeDisk(disk, partitions, { disk: derivedUuid(request.key, 'disk'), arch: definition.arch });
      if (wants('qcow2')) {
        await convert(disk, path.join(out, `${stem}.qcow2`));
        add('qcow2', `${stem}.qcow2`);
      }
      if (wants('img')) add('img', `${stem}.img`);
      else fs.rmSync(disk);
    }
  }
  return files;
}

function kernelIn(tree: string, kernel: string): string {
  const file = path.join(tree, kernel);
  if (fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true) return file;
  throw new IcepkgError('image-failed', `no package of the image brings the kernel ${kernel}`, {
    hint: 'Add the package to the board, or mend kernel',
  });
}

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
  const { definition, key, scratch, tree, entries, onStep, signal } = request;
  rootPartition(definition);
  const made: DiskPartition[] = [];
  for (const partition of definition.partitions) {
    const { name, type, filesystem, size } = partition;
    const uuid = derivedUuid(key, 'partition', name);
    if (filesystem === undefined) {
      made.push({ name, type, uuid, size: size ?? 1, file: undefined });
      continue;
    }
    onStep(`${filesystem} ${name}`);
    const file = path.join(scratch, `${name}.${filesystem}`);
    const own = ownPart(definition.partitions, partition, { scratch, tree, entries });
    await makeFileSystem({
      kind: filesystem,
      ...own,
      output: file,
      name,
      uuid: derivedUuid(key, 'filesystem', name),
      ...(size === undefined ? {} : { size }),
      ...(partition.free === undefined ? {} : { free: partition.free }),
      ...(signal === undefined ? {} : { signal }),
    });
    made.push({ name, type, uuid, size: size ?? fs.statSync(file).size, file });
  }
  return made;
}

interface Part {
  readonly tree: string;
  readonly entries: readonly RootEntry[];
}

/** Partitions come in the order of the definition; each takes its folder out of the tree, so the root takes what is left. */
function ownPart(
  partitions: readonly Partition[],
  partition: Partition,
  { scratch, tree, entries }: Part & { readonly scratch: string },
): Part {
  const inside = (mount: string | undefined, file: string): boolean =>
    mount !== undefined && mount !== '/' && file.startsWith(`${mount.slice(1)}/`);
  const { mount } = partition;
  if (mount === undefined || mount === '/') {
    const others = partitions.filter((other) => other !== partition);
    const moved = partition.type === 'root' ? others : [];
    if (partition.type !== 'root') return emptyPart(scratch, partition.name);
    for (const other of moved) if (other.mount !== undefined) takeOut(scratch, tree, other.mount, other.name);
    return {
      tree,
      entries: entries.filter(({ path: file }) => !moved.some((other) => inside(other.mount, file))),
    };
  }
  return {
    tree: takeOut(scratch, tree, mount, partition.name),
    entries: entries
      .filter(({ path: file }) => inside(mount, file))
      .map((entry) => Object.assign({}, entry, { path: entry.path.slice(mount.length) })),
  };
}

function takeOut(scratch: string, tree: string, mount: string, name: string): string {
  const folder = path.join(scratch, `part-${name}`);
  if (fs.existsSync(folder)) return folder;
  fs.mkdirSync(folder);
  const source = path.join(tree, mount);
  if (fs.existsSync(source))
    for (const child of fs.readdirSync(source))
      fs.renameSync(path.join(source, child), path.join(folder, child));
  return folder;
}

function emptyPart(scratch: string, name: string): Part {
  const folder = path.join(scratch, `part-${name}`);
  fs.mkdirSync(folder);
  return { tree: folder, entries: [] };
}

async function makeTar({ tree, entries, signal }: OutputRequest, output: string): Promise<void> {
  await runFakeroot({
    tree,
    entries,
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

/** What the kernel is told: where the root is, and what board and system add. */
export function kernelCommandLine(definition: Definition, key: string): string {
  const root = definition.partitions.find(({ type }) => type === 'root');
  const { console: terminal } = definition.hardware;
  return [
    ...(terminal === undefined ? [] : [`console=${terminal}`]),
    ...(root === undefined
      ? []
      : [
          `root=PARTUUID=${derivedUuid(key, 'partition', root.name)}`,
          ...(root.filesystem === undefined ? [] : [`rootfstype=${root.filesystem}`]),
          root.filesystem === 'ext4' ? 'rw' : 'ro',
        ]),
    ...definition.cmdline,
  ].join(' ');
}

function imageKey({ definition, lock }: ImageRequest): string {
  const { files: _, overlays, repositories, ...settings } = definition;
  return sha256(
    JSON.stringify({
      composer: COMPOSER_REVISION,
      settings,
      repositories: repositories.map(({ value, folder }) => [
        value,
        sha256File(path.join(folder, value.trust)),
      ]),
      overlays: overlays.map((folder) =>
        walkTree(folder, { holder: folder, code: 'format-invalid', nodes: false }).map((entry) => [
          entry.path,
          entry.type,
          entry.mode,
          entry.target ?? (entry.type === 'file' ? sha256File(path.join(folder, entry.path)) : ''),
        ]),
      ),
      packages: lock.locked.map(({ repository, record }) => [repository, record.package.sha256]),
    }),
  );
}

function isBuilt(folder: string): boolean {
  return fs.existsSync(path.join(folder, DESCRIPTION));
}

/** @throws IcepkgError `not-found` where the folder holds no image */
export function readDescription(folder: string, name = DESCRIPTION): ImageDescription {
  const file = path.join(folder, name);
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as ImageDescription;
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR') && !(cause instanceof SyntaxError)) throw cause;
    throw new IcepkgError('not-found', `${file} is no description of an image`, {
      cause,
      hint: 'Build the image first: icepkg image build',
    });
  }
}

export const descriptionName = ({ name, arch }: { readonly name: string; readonly arch: string }): string =>
  `${name}.${arch}.json`;

/** Copies out of the cache, each file by rename; what is there already stays. */
function deliver(kept: string, output: string, description: ImageDescription): void {
  fs.mkdirSync(output, { recursive: true });
  const name = descriptionName(description);
  const sums = `${description.name}.${description.arch}.sha256`;
  const present = fs.existsSync(path.join(output, name)) ? readDescription(output, name).key : '';
  const whole = description.files.every(
    ({ file, size }) => fs.statSync(path.join(output, file), { throwIfNoEntry: false })?.size === size,
  );
  if (present === description.key && whole) return;
  fs.rmSync(path.join(output, name), { force: true });
  for (const { file } of description.files) {
    const aside = path.join(output, `.${file}.new`);
    fs.copyFileSync(path.join(kept, file), aside, fs.constants.COPYFILE_FICLONE);
    fs.renameSync(aside, path.join(output, file));
  }
  fs.writeFileSync(
    path.join(output, sums),
    description.files.map(({ file, sha256: digest }) => `${digest}  ${file}\n`).join(''),
  );
  fs.copyFileSync(path.join(kept, DESCRIPTION), path.join(output, name));
}
