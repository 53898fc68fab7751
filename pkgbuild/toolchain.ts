/**
 * The compiler that builds see: Debian's gcc for the target, turned by a specs file into one that knows nothing
 * but the musl in the sysroot. The specs follow musl's own `tools/musl-gcc.specs.sh`.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sha256 } from '#schema/digest';
import type { MachineArch } from '#schema/fields';
import { run } from './command.ts';

/** Where things are inside the sandbox; fixed, because paths leak into what compilers write. */
export const BUILD_ROOT = '/build';
const SYSROOT = `${BUILD_ROOT}/sysroot`;
const TOOLS = `${BUILD_ROOT}/tools`;

const gnuTriple = (arch: MachineArch): string => `${arch}-linux-gnu`;
const muslTriple = (arch: MachineArch): string => `${arch}-linux-musl`;

/** Without it, aarch64 code calls libgcc helpers that need glibc's `__getauxval`. */
const archFlags = (arch: MachineArch): string => (arch === 'aarch64' ? '-mno-outline-atomics' : '');

const BINUTILS = [
  'ar',
  'as',
  'ld',
  'nm',
  'objcopy',
  'objdump',
  'ranlib',
  'readelf',
  'size',
  'strings',
  'strip',
];

const specs = (arch: MachineArch): string => `%rename cpp_options old_cpp_options

*cpp_options:
-nostdinc -isystem ${SYSROOT}/usr/include -isystem include%s %(old_cpp_options)

*cc1:
%(cc1_cpu) -nostdinc -isystem ${SYSROOT}/usr/include -isystem include%s

*link_libgcc:
-L${SYSROOT}/usr/lib -L .%s

*libgcc:
libgcc.a%s %:if-exists(libgcc_eh.a%s)

*startfile:
%{!shared: ${SYSROOT}/usr/lib/Scrt1.o} ${SYSROOT}/usr/lib/crti.o crtbeginS.o%s

*endfile:
crtendS.o%s ${SYSROOT}/usr/lib/crtn.o

*link:
-dynamic-linker /lib/ld-musl-${arch}.so.1 -nostdlib %{shared:-shared} %{static:-static} %{rdynamic:-export-dynamic} -z relro -z now -rpath-link ${SYSROOT}/usr/lib --build-id=none

*esp_link:


*esp_options:


*esp_cpp_options:


`;

/** `run PROGRAM` starts a program built for the target, with the sysroot's libraries. */
function runner(arch: MachineArch): string {
  return arch === 'aarch64'
    ? `exec qemu-aarch64-static -L ${SYSROOT} "$@"`
    : `exec ${SYSROOT}/lib/ld-musl-x86_64.so.1 --library-path "\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${SYSROOT}/usr/lib" "$@"`;
}

/**
 * Writes compiler and tools into `folder`, which the sandbox shows as `/build/tools`.
 * @param cached call the compilers by ccache, which is to appear among the tools
 */
export function writeToolchain(folder: string, arch: MachineArch, cached: boolean): void {
  const [bin, compilers] = [path.join(folder, 'bin'), path.join(folder, 'compilers')];
  for (const one of [bin, compilers]) fs.mkdirSync(one, { recursive: true });
  const script = (name: string, body: string, into = bin): void => {
    fs.writeFileSync(path.join(into, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  };
  fs.writeFileSync(path.join(folder, 'musl.specs'), specs(arch));
  const musl = muslTriple(arch);
  if (cached) {
    fs.writeFileSync(path.join(bin, 'ccache'), '');
    script(`${musl}-gcc`, `exec ccache ${TOOLS}/compilers/${musl}-gcc "$@"`);
    script(`${gnuTriple(arch)}-gcc`, `exec ccache /usr/bin/${gnuTriple(arch)}-gcc "$@"`);
  }
  script(
    `${musl}-gcc`,
    `exec /usr/bin/${gnuTriple(arch)}-gcc -specs ${TOOLS}/musl.specs -ffile-prefix-map=${BUILD_ROOT}/src=. ${archFlags(arch)} "$@"`,
    cached ? compilers : bin,
  );
  fs.symlinkSync(`${musl}-gcc`, path.join(bin, `${musl}-cc`));
  for (const tool of BINUTILS)
    fs.symlinkSync(`/usr/bin/${gnuTriple(arch)}-${tool}`, path.join(bin, `${musl}-${tool}`));
  script('run', runner(arch));
}

/** The variables that steps may rely on; `docs/recipes.md` lists them. */
export function buildEnvironment(arch: MachineArch, epoch: number, jobs: number): Record<string, string> {
  const musl = muslTriple(arch);
  return {
    PATH: `${TOOLS}/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
    HOME: '/tmp',
    LC_ALL: 'C',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: String(epoch),
    ARCH: arch,
    HOST: musl,
    BUILD: process.arch === 'arm64' ? 'aarch64-unknown-linux-gnu' : 'x86_64-pc-linux-gnu',
    CROSS: `${musl}-`,
    BARE_CROSS: `${gnuTriple(arch)}-`,
    CC: `${musl}-gcc`,
    AR: `${musl}-ar`,
    RANLIB: `${musl}-ranlib`,
    STRIP: `${musl}-strip`,
    BUILD_CC: 'gcc',
    CFLAGS: '-Os -pipe',
    BARE_CFLAGS: `-Os -pipe -ffile-prefix-map=${BUILD_ROOT}/src=. ${archFlags(arch)}`.trim(),
    SYSROOT,
    DESTDIR: `${BUILD_ROOT}/dest`,
    RECIPE: `${BUILD_ROOT}/recipe`,
    JOBS: String(jobs),
    PKG_CONFIG_LIBDIR: `${SYSROOT}/usr/lib/pkgconfig:${SYSROOT}/usr/share/pkgconfig`,
    PKG_CONFIG_SYSROOT_DIR: SYSROOT,
  };
}

/** A digest that changes when compiler, binutils or the way they are called change. */
export async function toolchainId(arch: MachineArch): Promise<string> {
  const gcc = await run([`${gnuTriple(arch)}-gcc`, '--version']);
  const ld = await run([`${gnuTriple(arch)}-ld`, '--version']);
  const parts = [gcc.stdout.split('\n')[0], ld.stdout.split('\n')[0], specs(arch), archFlags(arch)];
  return sha256(Buffer.from(JSON.stringify([...parts, buildEnvironment(arch, 0, 1)])));
}
