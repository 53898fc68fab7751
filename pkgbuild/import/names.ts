/** What other distributions call things: data, no code. */

/** Packages, by their name there without `-dev`; recipes here. */
export const RECIPE_NAMES: Readonly<Record<string, string>> = {
  'acl-dev': 'acl',
  'bzip2-libs': 'bzip2',
  'e2fsprogs-libs': 'e2fsprogs',
  'glibc-linux': 'glibc',
  'json-c': 'json-c',
  'kernel-headers': 'linux-headers',
  libc: 'musl',
  libcrypto3: 'openssl',
  libressl: 'openssl',
  libssl3: 'openssl',
  libncurses: 'ncurses',
  libncursesw: 'ncurses',
  'lua5.4': 'lua',
  lua54: 'lua',
  'ncurses-libs': 'ncurses',
  openssl3: 'openssl',
  pcre2: 'pcre2',
  'readline-libs': 'readline',
  sqlite3: 'sqlite',
  'sqlite-libs': 'sqlite',
  'util-linux-libs': 'util-linux',
  libblkid: 'util-linux',
  libmount: 'util-linux',
  libuuid: 'util-linux',
  'xz-libs': 'xz',
  'xz-static': 'xz',
  'zlib-ng': 'zlib',
  'zlib-static': 'zlib',
  'zstd-libs': 'zstd',
  'zstd-static': 'zstd',
};

/** Stands for a C library and what comes with it. */
export const TOOLCHAIN = new Set([
  'build-base',
  'base-devel',
  'gcc',
  'g++',
  'musl',
  'libc',
  'libc-dev',
  'glibc',
  'musl-utils',
]);

/** Run while building: the machine that builds has them, recipes cannot ask for them. */
export const BUILD_TOOLS = new Set(
  `abuild alsa-lib-doc asciidoc asciidoctor attr autoconf autoconf-archive automake bash bc binutils bison bsd-compat-headers
  build-base-tools busybox bzip2 ca-certificates ca-certificates-bundle cargo cargo-auditable cargo-c ccache chrpath clang cmake coreutils cppunit cunit cython
  curl diffutils docbook-utils docbook-xml docbook-xsl docbook2x doxygen expect extra-cmake-modules file findutils flex gawk
  gettext gettext-devel gettext-tiny ghostscript git glib-tools gnupg gnutls-utils go gobject-introspection gperf graphviz grep groff gtk-doc gzip
  help2man icmake imagemagick intltool itstool java-common jq libtool lld llvm lz4 lzip m4 make makeinfo mandoc maven meson
  nasm ninja ninja-build ninja-is-really-ninja nodejs npm openjdk11 openjdk17 openjdk21 openssh patch patchelf patchutils perl php pandoc
  pkgconf pkgconfig pkg-config po4a protobuf-compiler py3-build py3-docutils py3-flit-core py3-gpep517 py3-hatchling py3-installer py3-jinja2 py3-packaging
  py3-pep517 py3-pip py3-poetry-core py3-pytest py3-setuptools py3-sphinx py3-wheel python python3 python-build python-installer
  python-setuptools python-wheel python-docutils python-sphinx quilt ragel rake re2c rpm rsync ruby rust samurai scanelf scdoc scons sed sharutils
  slibtool subversion sudo swig tar tcl tclsh texinfo texlive tzdata unzip util-macros vala valgrind wget which wolfi-base wolfi-baselayout xmlto xorg-util-macros xorgproto
  xz yarn yasm zip zstd dejagnu check chezdav procps procps-ng linux-pam-doc build-base-go perl-utils ruby-dev bubblewrap
  go-md2man glslang musl-dev-tools waf xsltproc libxslt docbook-xsl-ns perl-test-harness`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

/** Licences as they were called before SPDX, lower case. */
export const LICENSE_NAMES: Readonly<Record<string, string>> = {
  agpl3: 'AGPL-3.0-only',
  'agpl-3': 'AGPL-3.0-only',
  apache: 'Apache-2.0',
  apache2: 'Apache-2.0',
  'apache-2': 'Apache-2.0',
  'apache license 2.0': 'Apache-2.0',
  artistic: 'Artistic-1.0-Perl',
  'artistic2.0': 'Artistic-2.0',
  'asl 2.0': 'Apache-2.0',
  boost: 'BSL-1.0',
  'bsd-2': 'BSD-2-Clause',
  'bsd-3': 'BSD-3-Clause',
  bsd2: 'BSD-2-Clause',
  bsd3: 'BSD-3-Clause',
  'bsd-2-clause-freebsd': 'BSD-2-Clause',
  cc0: 'CC0-1.0',
  cddl: 'CDDL-1.0',
  cpl: 'CPL-1.0',
  epl: 'EPL-1.0',
  expat: 'MIT',
  'fdl1.3': 'GFDL-1.3-only',
  gpl1: 'GPL-1.0-only',
  gpl2: 'GPL-2.0-only',
  'gpl-2': 'GPL-2.0-only',
  gplv2: 'GPL-2.0-only',
  'gpl2+': 'GPL-2.0-or-later',
  'gplv2+': 'GPL-2.0-or-later',
  gpl3: 'GPL-3.0-only',
  'gpl-3': 'GPL-3.0-only',
  gplv3: 'GPL-3.0-only',
  'gpl3+': 'GPL-3.0-or-later',
  'gplv3+': 'GPL-3.0-or-later',
  lgpl2: 'LGPL-2.0-only',
  'lgpl2+': 'LGPL-2.0-or-later',
  'lgpl2.1': 'LGPL-2.1-only',
  'lgpl-2.1': 'LGPL-2.1-only',
  'lgpl2.1+': 'LGPL-2.1-or-later',
  'lgplv2.1+': 'LGPL-2.1-or-later',
  lgpl3: 'LGPL-3.0-only',
  'lgpl3+': 'LGPL-3.0-or-later',
  mpl: 'MPL-1.1',
  mpl2: 'MPL-2.0',
  ofl: 'OFL-1.1',
  perl: 'Artistic-1.0-Perl OR GPL-1.0-or-later',
  psf: 'Python-2.0',
  'public domain': 'LicenseRef-public-domain',
  'public-domain': 'LicenseRef-public-domain',
  w3c: 'W3C',
  zlib: 'Zlib',
};

/** Names that say a family only; which licence it is stands in the source. */
export const VAGUE_LICENSES = new Set([
  'gpl',
  'lgpl',
  'agpl',
  'bsd',
  'fdl',
  'custom',
  'proprietary',
  'unknown',
  'cc',
]);
