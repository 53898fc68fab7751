/**
 * The initial file system: files of packages in the composed root, the libraries that they need, and modules of its kernel.
 * The kernel unpacks it, and `/init` finds the root.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gzipSync } from 'node:zlib';
import { openEncoder } from '#schema/container/codec';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { comparePaths } from '#schema/path';
import { parseElf } from '#pkgbuild/elf';
import { cpioArchive, S_IF, type CpioEntry } from './cpio.ts';
import type { Initramfs } from './definition-schema.ts';
import type { RootEntry } from './description.ts';
import { moduleFiles } from './kernel-modules.ts';
import { placeInRoot } from './root-path.ts';
import type { Tree } from './split-tree.ts';

/** Of the package `initramfs-init`, or of one that takes its place. */
const INIT = 'usr/lib/initramfs/init';
const MODULE_LIST = 'etc/initramfs.modules';
/** Mount points, and what the kernel opens as the console of `/init`. */
const FOLDERS = ['dev', 'proc', 'sys', 'run', 'sysroot', 'tmp'];
const CONSOLE: CpioEntry = {
  path: 'dev/console',
  mode: S_IF.character | 0o600,
  device: { major: 5, minor: 1 },
};
/** Where libraries are looked for. */
const LIBRARIES = ['lib', 'usr/lib', 'lib64', ...multiarch('x86_64'), ...multiarch('aarch64')];
/** What no early program reads. */
const IDLE = /^(?:usr\/share|usr\/include|var|boot)\//;

/** Folders of Debian's libraries. */
function multiarch(arch: MachineArch): string[] {
  return [`lib/${arch}-linux-gnu`, `usr/lib/${arch}-linux-gnu`];
}

/** @throws IcepkgError `image-failed` where a package, a library or a module is missing */
export async function makeInitramfs(
  tree: Tree,
  { packages, modules, compression }: Initramfs,
): Promise<Buffer> {
  const wanted = pickFiles(tree, packages);
  const loaded = moduleFiles(tree.folder, modules);
  for (const file of loaded) wanted.add(file);
  const archive = cpioArchive([...entriesOf(tree.folder, wanted, loaded)]);
  return compression === 'gzip'
    ? gzipSync(archive, { level: 9 })
    : Buffer.from(await openEncoder('zstd', 19).encode(archive));
}

/** The files of the packages, and the libraries that these need, and so on. */
function pickFiles({ folder, entries }: Tree, packages: readonly string[]): Set<string> {
  const known = new Map(entries.map((entry) => [entry.path, entry]));
  const picked = new Set<string>();
  const pending = packages.flatMap((name) => ownFiles(entries, name));
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (picked.has(file)) continue;
    const entry = known.get(file);
    if (entry === undefined || entry.type === 'directory') continue;
    picked.add(file);
    if (entry.type === 'symlink') {
      pending.push(path.posix.resolve('/', path.posix.dirname(file), entry.target ?? '').slice(1));
    } else pending.push(...needs(folder, entry, known));
  }
  return picked;
}

function ownFiles(entries: readonly RootEntry[], name: string): string[] {
  const own = entries.filter(({ packages, path: file }) => packages.includes(name) && !IDLE.test(file));
  if (own.length > 0) return own.map((entry) => entry.path);
  throw new IcepkgError('image-failed', `the initramfs wants files of ${name}, which is not in the image`, {
    hint: 'Add it to the packages of the board, or take it out of initramfs.packages',
  });
}

function needs(
  folder: string,
  { path: file, size }: RootEntry,
  known: ReadonlyMap<string, RootEntry>,
): string[] {
  if (size < 64) return [];
  const elf = parseElf(fs.readFileSync(path.join(folder, file)));
  if (elf === undefined) return [];
  const libraries = elf.needed.map((name) => {
    const found = LIBRARIES.map((place) => `${place}/${name}`).find((one) => known.has(one));
    if (found !== undefined) return found;
    throw new IcepkgError(
      'image-failed',
      `${file} of the initramfs needs ${name}, which is not in the image`,
      {
        hint: 'Add the package that provides it to the board',
      },
    );
  });
  return [...libraries, ...(elf.interpreter === undefined ? [] : [elf.interpreter.replace(/^\//, '')])];
}

function* entriesOf(
  folder: string,
  files: ReadonlySet<string>,
  modules: readonly string[],
): Generator<CpioEntry> {
  const init = placeInRoot(folder, INIT);
  if (fs.lstatSync(init, { throwIfNoEntry: false })?.isFile() !== true)
    throw new IcepkgError('image-failed', `no package of the image brings ${INIT}`, {
      hint: 'Add initramfs-init to the packages of the board',
    });
  const generated = new Map<string, CpioEntry>([
    ['init', { path: 'init', mode: S_IF.file | 0o755, content: fs.readFileSync(init) }],
    [CONSOLE.path, CONSOLE],
  ]);
  if (modules.length > 0)
    generated.set(MODULE_LIST, {
      path: MODULE_LIST,
      mode: S_IF.file | 0o644,
      content: Buffer.from(`${modules.join('\n')}\n`),
    });
  const paths = [...new Set([...files, ...generated.keys()])];
  const parents = new Set(FOLDERS);
  for (const file of paths)
    for (let up = path.posix.dirname(file); up !== '.'; up = path.posix.dirname(up)) parents.add(up);
  for (const file of [...parents, ...paths].sort(comparePaths))
    yield generated.get(file) ?? fileEntry(folder, file, parents.has(file));
}

/** A folder that is a symlink in the root, such as `lib`, stays one; what lies below it is elsewhere then. */
function fileEntry(folder: string, file: string, isParent: boolean): CpioEntry {
  const whole = path.join(folder, file);
  const stat = fs.lstatSync(whole, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory() || isParent)
    return { path: file, mode: S_IF.directory | 0o755 };
  if (stat.isSymbolicLink())
    return { path: file, mode: S_IF.symlink | 0o777, content: Buffer.from(fs.readlinkSync(whole)) };
  return { path: file, mode: S_IF.file | (stat.mode & 0o777), content: fs.readFileSync(whole) };
}
