/** Finds what packages offer and need by reading their files: `so:`, `cmd:` and `pc:`. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseCapability, parseDependency } from '#schema/dependency';
import { IcepkgError, isErrno } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { isElf } from './elf-image.ts';
import { parseElf, type ElfFile } from './elf.ts';
import { librariesNeeded, libraryCapability, libraryProvided, privateLibraries } from './libraries.ts';
import { asSemver, parsePkgConfig, pkgConfigDependency } from './pkgconfig.ts';
import { interpreterOf, MAX_SHEBANG, shebangOf } from './shebang.ts';
import type { PackagePart } from './split.ts';
import { globToRegExp, type TreeEntry } from './tree.ts';

export interface Found {
  readonly provides: readonly string[];
  readonly depends: readonly string[];
}

export interface ScanContext {
  readonly root: string;
  readonly arch: MachineArch | 'noarch';
  /** Semantic version of the recipe, given to the libraries. */
  readonly version: string;
  /** Patterns of files for other processors, such as firmware; they are not looked into. */
  readonly foreignCode?: readonly string[];
}

const COMMAND_FOLDER = /^(?:usr\/)?s?bin\/[^/]+$/;
const PC_FILE = /^usr\/(?:lib|share)\/pkgconfig\/([^/]+)\.pc$/;
const MAX_ELF_BYTES = 2 ** 31;

/** Reads a file of the tree as ELF. @throws IcepkgError `build-failed` for a broken one */
export function elfOf(root: string, entry: TreeEntry): ElfFile | undefined {
  if (entry.type !== 'file' || entry.size < 20 || entry.size > MAX_ELF_BYTES) return undefined;
  const file = path.join(root, entry.path);
  if (!isElf(beginningOf(file, 20))) return undefined;
  const elf = parseElf(fs.readFileSync(file));
  if (elf === undefined) throw new IcepkgError('build-failed', `${entry.path} is a broken ELF file`);
  return elf;
}

function beginningOf(file: string, length: number): Buffer {
  const head = Buffer.alloc(length);
  const fd = fs.openSync(file, 'r');
  try {
    return head.subarray(0, fs.readSync(fd, head, 0, length, 0));
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Scans one package.
 * @throws IcepkgError `build-failed` where a program or library is for another architecture
 */
export function scanPart(part: PackagePart, context: ScanContext): Found {
  const provides = new Set<string>();
  const needs = new Set<string>();
  // One program's run path is enough: the loader has the library then, whoever asks for it next.
  const inside = new Set<string>();
  const paths = new Set(part.entries.map((entry) => entry.path));
  const foreign = (context.foreignCode ?? []).map(globToRegExp);
  for (const entry of part.entries) {
    const isForeign = foreign.some((pattern) => pattern.test(entry.path));
    const elf = isForeign ? undefined : elfOf(context.root, entry);
    if (elf !== undefined) {
      checkArch(part.name, entry.path, elf, context.arch);
      if (elf.kind !== 'relocatable') {
        const library = libraryProvided(entry.path, elf);
        if (library !== undefined) provides.add(`${library}@=${context.version}`);
        for (const needed of librariesNeeded(entry.path, elf)) needs.add(needed);
        for (const found of privateLibraries(entry.path, elf, paths)) inside.add(found);
      }
    }
    if (COMMAND_FOLDER.test(entry.path) && isCommand(entry)) {
      provides.add(`cmd:${path.basename(entry.path)}`);
      const interpreter = elf === undefined ? scriptInterpreter(context.root, entry) : undefined;
      if (interpreter !== undefined) needs.add(`cmd:${interpreter}`);
    }
    const pc = PC_FILE.exec(entry.path);
    if (pc !== null && entry.type !== 'directory')
      scanPkgConfig(entry, { provides, needs, root: context.root });
    if (part.role === 'dev' && entry.type === 'symlink' && entry.path.endsWith('.so')) {
      const library = linkedLibrary(context.root, entry);
      if (library !== undefined) needs.add(library);
    }
  }
  const names = new Set([...provides, ...inside].map((text) => text.replace(/@.*/, '')));
  return {
    provides: [...provides].filter((text) => parseCapability(text) !== undefined).sort(),
    depends: [...needs]
      .filter((text) => !names.has(text.replace(/@.*/, '')) && parseDependency(text) !== undefined)
      .sort(),
  };
}

/** A symlink counts as a command by its place: its target may be another package's. */
const isCommand = (entry: TreeEntry): boolean =>
  entry.type === 'symlink' || (entry.type === 'file' && (entry.mode & 0o111) !== 0);

/**
 * The command that a script is started by. `sh` is left out: a package should not choose the shell of a system for the
 * sake of one small script in it, and one without any shell starts no script.
 */
function scriptInterpreter(root: string, entry: TreeEntry): string | undefined {
  if (entry.type !== 'file') return undefined;
  const shebang = shebangOf(beginningOf(path.join(root, entry.path), MAX_SHEBANG));
  const command = path.basename(shebang === undefined ? '' : interpreterOf(shebang));
  return command === '' || command === 'sh' ? undefined : command;
}

function scanPkgConfig(
  entry: TreeEntry,
  into: { readonly provides: Set<string>; readonly needs: Set<string>; readonly root: string },
): void {
  const name = path.basename(entry.path, '.pc');
  const file = contentOf(into.root, entry);
  // A link to nothing says nothing.
  if (file === undefined) return;
  const { version, requires } = parsePkgConfig(fs.readFileSync(file, 'utf8'));
  const semver = version === undefined ? undefined : asSemver(version);
  into.provides.add(semver === undefined ? `pc:${name}` : `pc:${name}@=${semver}`);
  for (const requirement of requires) into.needs.add(pkgConfigDependency(requirement));
}

/** The library that a linker's name such as `libz.so` leads to. */
function linkedLibrary(root: string, entry: TreeEntry): string | undefined {
  const file = contentOf(root, entry);
  const elf = file === undefined ? undefined : parseElf(fs.readFileSync(file));
  return elf?.soname === undefined ? undefined : libraryCapability(elf.soname, entry.path, elf);
}

/** The regular file that an entry leads to, or `undefined` where it leads to nothing or out of the tree. */
function contentOf(root: string, entry: TreeEntry): string | undefined {
  try {
    const file = fs.realpathSync(path.join(root, entry.path));
    return file.startsWith(`${fs.realpathSync(root)}/`) && fs.statSync(file).isFile() ? file : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}

function checkArch(name: string, file: string, elf: ElfFile, arch: MachineArch | 'noarch'): void {
  if (elf.machine === arch) return;
  throw new IcepkgError(
    'build-failed',
    `${name}: ${file} is for ${elf.machine}, but the package is for ${arch}`,
    {
      hint:
        arch === 'noarch'
          ? 'A noarch recipe must not install programs or libraries: list its architectures under arch, or the files under foreignCode where they are firmware'
          : 'Build it with $CC; $BUILD_CC makes programs for the machine that builds. Firmware and boot code belong under foreignCode',
      data: { file, machine: elf.machine, arch },
    },
  );
}
