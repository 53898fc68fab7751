/** Rules on programs and libraries. */
import { posix } from 'node:path';
import { globToRegExp } from '../tree.ts';
import type { ElfDetails } from '../elf-details.ts';
import { BUILD_ROOT } from '../toolchain.ts';
import type { FileFacts, PackageRule, PackageView, Remark } from './rule.ts';

interface Elf {
  readonly path: string;
  readonly elf: ElfDetails;
}

const hasElf = (facts: FileFacts): facts is FileFacts & { readonly elf: ElfDetails } =>
  facts.elf !== undefined;

/** Programs and libraries that this machine runs: no object files, no kernel modules, no code for other processors. */
function linked({ files, manifest }: PackageView): Elf[] {
  return files
    .filter(hasElf)
    .filter(({ elf }) => elf.machine === manifest.arch && ['executable', 'shared'].includes(elf.kind))
    .map(({ entry, elf }) => ({ path: entry.path, elf }));
}

/** One remark for each program or library that `test` finds. */
const forEach =
  (test: (elf: ElfDetails, path: string) => boolean, message: (file: Elf) => string) =>
  (view: PackageView): Remark[] =>
    linked(view)
      .filter(({ elf, path }) => test(elf, path))
      .map((file) => ({ path: file.path, message: message(file) }));

const SHARED_LIBRARY = /^(?:usr\/)?lib\/lib[^/]+\.so(?:\.[^/]*)?$/;
const FIRMWARE = /^(?:boot|usr\/lib\/firmware|lib\/firmware|usr\/share\/qemu)\//;

function foreign({ files, manifest, recipe }: PackageView): Remark[] {
  const allowed = (recipe?.foreignCode ?? []).map(globToRegExp);
  return files
    .filter(hasElf)
    .filter(({ entry, elf }) => elf.machine !== manifest.arch && !FIRMWARE.test(entry.path))
    .filter(({ entry }) => !allowed.some((pattern) => pattern.test(entry.path)))
    .map(({ entry, elf }) => ({
      path: entry.path,
      message: `${entry.path} is for ${elf.machine}, but the package is for ${manifest.arch}`,
    }));
}

/** The path that a program finds a library under is its SONAME, so there must be a file of that name. */
function misnamed(view: PackageView): Remark[] {
  return linked(view).flatMap(({ path, elf }) => {
    const { soname } = elf;
    if (soname === undefined || soname.includes('/') || !SHARED_LIBRARY.test(path)) return [];
    const wanted = posix.join(posix.dirname(path), soname);
    const present = view.together.some(({ files }) => files.some((entry) => entry.path === wanted));
    return present ? [] : [{ path, message: `${path} has the SONAME ${soname}, but there is no ${wanted}` }];
  });
}

const runpathOf = ({ path, elf }: Elf): string => `${path} looks for libraries in ${elf.runpath ?? ''}`;
const isOwnRunpath = (runpath: string): boolean =>
  runpath.split(':').every((folder) => /^(?:\$ORIGIN|\$\{ORIGIN\}|\/usr\/lib\/.)/.test(folder));

const LOADERS = /^\/lib\/ld-musl-(?:x86_64|aarch64)\.so\.1$/;

export const ELF_RULES: readonly PackageRule[] = [
  {
    name: 'arch-mismatch',
    severity: 'error',
    why: 'A program or library for another processor cannot run where the package is installed.',
    fix: 'Build it with `$CC`; `$BUILD_CC` makes programs for the machine that builds. Name firmware under `foreignCode`.',
    check: foreign,
  },
  {
    name: 'elf-broken',
    severity: 'error',
    why: 'The file begins as an ELF file and points outside itself: it was cut short, or a step overwrote a part of it.',
    fix: 'Build it again, and look at what the steps do with the file after linking.',
    check: ({ files }) =>
      files
        .filter(({ brokenElf }) => brokenElf)
        .map(({ entry }) => ({ path: entry.path, message: `${entry.path} is a broken ELF file` })),
  },
  {
    name: 'build-path-runpath',
    severity: 'error',
    why: 'A library search path inside the build folder lets whoever can write there run code in the program.',
    fix: 'Configure with `--disable-rpath`, or link without `-rpath`.',
    check: forEach(
      (elf) => elf.runpath?.split(':').some((folder) => folder.startsWith(BUILD_ROOT)) === true,
      runpathOf,
    ),
  },
  {
    name: 'runpath',
    severity: 'warning',
    why: 'A search path of its own makes a program find other libraries than the system does. Private libraries below `/usr/lib/NAME` and `$ORIGIN` are accepted.',
    fix: 'Configure with `--disable-rpath`, or link without `-rpath`.',
    check: forEach(
      ({ runpath }) => runpath !== undefined && !runpath.includes(BUILD_ROOT) && !isOwnRunpath(runpath),
      runpathOf,
    ),
  },
  {
    name: 'soname-missing',
    severity: 'warning',
    why: 'Without a SONAME programs are linked to the exact file name, so no incompatible successor can be told from a compatible one.',
    fix: 'Link the library with `-Wl,-soname,libNAME.so.N`. Move a plugin to a folder below `usr/lib`.',
    check: forEach(
      // A C library is its own loader, and its name is part of the ABI.
      (elf, path) =>
        elf.kind === 'shared' &&
        elf.soname === undefined &&
        SHARED_LIBRARY.test(path) &&
        !path.endsWith('/libc.so'),
      ({ path }) => `${path} has no SONAME`,
    ),
  },
  {
    name: 'soname-file-missing',
    severity: 'error',
    why: 'Programs look for a library under its SONAME; without a file or link of that name none of them starts.',
    fix: 'Install the link that `make install` or `ldconfig -n` makes, and keep it in the same package.',
    check: misnamed,
  },
  {
    name: 'unstripped',
    severity: 'warning',
    why: 'Symbol tables and debug information take most of the space of a program, and running does not need them.',
    fix: 'Leave `strip` at its default; a program that must keep its symbols is allowed under `lint`.',
    check: forEach(
      (elf) => elf.symbolTable || elf.debugSections,
      ({ path, elf }) => `${path} has ${elf.debugSections ? 'debug information' : 'a symbol table'}`,
    ),
  },
  {
    name: 'debug-archive',
    severity: 'style',
    why: 'Debug information in a static library is linked into every program that uses it, and names paths of the build.',
    fix: 'Leave `strip` at its default, or build without `-g`.',
    check: ({ files }) =>
      files
        .filter(({ debugArchive }) => debugArchive)
        .map(({ entry }) => ({ path: entry.path, message: `${entry.path} has debug information` })),
  },
  {
    name: 'executable-stack',
    severity: 'warning',
    why: 'Code on the stack is what many attacks need. It is usually asked for by an assembler file without a `.note.GNU-stack` section.',
    fix: 'Add the section to the assembler file, or link with `-Wl,-z,noexecstack`.',
    check: forEach(
      (elf) => elf.executableStack,
      ({ path }) => `${path} asks for an executable stack`,
    ),
  },
  {
    name: 'text-relocations',
    severity: 'warning',
    why: 'Relocations in code keep it writable while it loads and unshared between processes; musl refuses some of them.',
    fix: 'Compile with `-fPIC`, or mend the assembler code that uses absolute addresses.',
    check: forEach(
      (elf) => elf.textRelocations,
      ({ path }) => `${path} has relocations in its code`,
    ),
  },
  {
    name: 'not-position-independent',
    severity: 'warning',
    why: 'A program at a fixed address gives attackers addresses to rely on.',
    fix: 'Compile with `-fPIE` and link with `-pie`, which the compiler does unless a step says `-no-pie`.',
    check: forEach(
      (elf) => elf.kind === 'executable' && elf.dynamic,
      ({ path }) => `${path} is loaded at a fixed address`,
    ),
  },
  {
    name: 'relro-missing',
    severity: 'warning',
    why: 'Without RELRO the tables of the dynamic linker stay writable while the program runs.',
    fix: 'Link with `-Wl,-z,relro`, which is the default unless a step says `norelro`.',
    check: forEach(
      (elf) => elf.dynamic && !elf.relro,
      ({ path }) => `${path} is linked without RELRO`,
    ),
  },
  {
    name: 'bind-now-missing',
    severity: 'style',
    why: 'With lazy binding a part of the linker tables stays writable although RELRO is on.',
    fix: 'Link with `-Wl,-z,now`.',
    check: forEach(
      (elf) => elf.dynamic && elf.relro && !elf.bindNow && elf.needed.length > 0,
      ({ path }) => `${path} binds its symbols lazily`,
    ),
  },
  {
    name: 'loader-unknown',
    severity: 'warning',
    why: 'The program asks for a dynamic loader that musl does not bring, so it does not start without another C library.',
    fix: 'Link with `$CC`. A program that was built for glibc needs that as a dependency.',
    check: forEach(
      (elf) => elf.interpreter !== undefined && !LOADERS.test(elf.interpreter),
      ({ path, elf }) => `${path} is started by ${elf.interpreter ?? ''}`,
    ),
  },
];
