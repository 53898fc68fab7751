/**
 * What an ELF file offers to and wants from the dynamic linker, as capabilities. Libraries for glibc are named apart
 * (`so:gnu/libz.so.1`), because a program for glibc cannot use musl's `so:libz.so.1` of the same SONAME, nor the
 * other way round; both can be in one root.
 */
import * as path from 'node:path';
import type { ElfFile } from './elf.ts';

/** glibc's loader also looks into the multiarch folders of Debian, musl's never. */
const LIBRARY_FOLDER = /^(?:usr\/)?lib(?:64)?(?:\/[a-z0-9_]+-linux-gnu[a-z0-9]*)?\/[^/]+$/;
const MULTIARCH = /^(?:usr\/)?lib\/[a-z0-9_]+-linux-gnu[a-z0-9]*\//;
const GLIBC = /^(?:libc\.so\.6|ld-linux[^/]*\.so\.\d|ld64\.so\.\d)$/;
const MUSL = /^(?:libc\.so|libc\.musl-[^/]*|ld-musl-[^/]*)$/;

/** The loader and the needed libraries tell; a library that needs none is for glibc where only glibc looks. */
function isForGlibc(file: string, elf: ElfFile): boolean {
  const names = [path.basename(elf.interpreter ?? ''), ...elf.needed, elf.soname ?? ''];
  if (names.some((name) => GLIBC.test(name))) return true;
  return MULTIARCH.test(file) && !names.some((name) => MUSL.test(name));
}

/** The capability of the library named `name` for programs that are linked like `elf`. */
export const libraryCapability = (name: string, file: string, elf: ElfFile): string =>
  isForGlibc(file, elf) ? `so:gnu/${name}` : `so:${name}`;

/**
 * What the library is linked by: its SONAME or, for one without, as musl's is, the name of the file.
 * `undefined` for programs, and for modules that no loader finds by name.
 */
export function libraryProvided(file: string, elf: ElfFile): string | undefined {
  if (!LIBRARY_FOLDER.test(file) || elf.kind !== 'shared') return undefined;
  const name = path.basename(file);
  const linked = elf.soname ?? (/^lib.*\.so$/.test(name) ? name : undefined);
  return linked === undefined ? undefined : libraryCapability(linked, file, elf);
}

/** Capabilities of the libraries that the file is linked to. */
export const librariesNeeded = (file: string, elf: ElfFile): string[] =>
  elf.needed.map((name) => libraryCapability(name, file, elf));

/** Those among them that its run path finds in the same package, where nobody else looks for them. */
export function privateLibraries(file: string, elf: ElfFile, own: ReadonlySet<string>): string[] {
  const folders = (elf.runpath ?? '').split(':').filter((folder) => folder !== '');
  const places = folders.map((folder) =>
    path.posix.join('/', folder.replace(/^\$(?:ORIGIN|\{ORIGIN\})/, `/${path.dirname(file)}`)).slice(1),
  );
  return elf.needed
    .filter((name) => places.some((place) => own.has(path.posix.join(place, name))))
    .map((name) => libraryCapability(name, file, elf));
}
