/** Which Debian package of the machine holds a program. */
import * as fs from 'node:fs';
import { run } from './command.ts';

const FOLDERS = ['/usr/bin', '/usr/sbin'];

/** Programs that builds call, by the Debian package that has them where it is called otherwise. */
const PACKAGES: Readonly<Record<string, string>> = {
  aclocal: 'automake',
  autoheader: 'autoconf',
  autom4te: 'autoconf',
  autoreconf: 'autoconf',
  'g++': 'g++',
  'glib-compile-resources': 'libglib2.0-dev-bin',
  'glib-genmarshal': 'libglib2.0-dev-bin',
  'glib-mkenums': 'libglib2.0-dev-bin',
  go: 'golang-go',
  gtkdocize: 'gtk-doc-tools',
  intltoolize: 'intltool',
  libtoolize: 'libtool',
  makeinfo: 'texinfo',
  mkimage: 'u-boot-tools',
  ninja: 'ninja-build',
  pod2man: 'perl',
  protoc: 'protobuf-compiler',
  python: 'python3',
  rst2man: 'python3-docutils',
  tclsh: 'tcl',
  xmllint: 'libxml2-utils',
};
/** Programs in packages of their own names. */
const SAME = new Set(
  (
    'asciidoc asciidoctor autoconf automake autopoint bison cargo chrpath cmake doxygen dtc expect flex gettext git ' +
    'gperf groff help2man itstool libtool lua5.4 meson nasm nodejs patchelf perl php-cli pkg-config python3 re2c ruby ' +
    'rustc scdoc swig texinfo unzip vala wget xmlto xsltproc xxd yasm zip'
  ).split(' '),
);

/** The package of a program that the machine has. */
export async function packageOf(program: string): Promise<string | undefined> {
  const found = FOLDERS.map((folder) => `${folder}/${program}`).filter((file) => fs.existsSync(file));
  // What is a link of the alternatives belongs to the package that it leads to.
  const files = found.flatMap((file) => [file, fs.realpathSync(file)]);
  const names = files.flatMap((file) => [file, file.replace(/^\/usr/, '')]);
  if (names.length === 0) return undefined;
  const { stdout } = await run(['dpkg-query', '-S', ...new Set(names)]);
  return /^([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9]+)?: \//m.exec(stdout)?.[1];
}

export const isOnMachine = (program: string): boolean =>
  FOLDERS.some((folder) => fs.existsSync(`${folder}/${program}`));

/** The package of a program that the machine has not, where that is known. */
export const usualPackageOf = (program: string): string | undefined =>
  PACKAGES[program] ?? (SAME.has(program) ? program : undefined);
