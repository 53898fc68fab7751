/** What other distributions call things: data, no code. */

/** Packages, by their name there without `-dev`; recipes here. */
export const RECIPE_NAMES: Readonly<Record<string, string>> = {
  'acl-dev': 'acl',
  'bzip2-libs': 'bzip2',
  'ca-certificates-bundle': 'ca-certificates',
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

/** Packages that stand for the layout and base of another distribution; here these are other ones. */
export const LAYOUT = new Set(
  `alpine-base alpine-baselayout alpine-baselayout-data wolfi-base wolfi-baselayout merged-bin merged-sbin merged-lib
  merged-usrsbin`.split(/\s+/),
);

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

/** Debian's packages with the programs of these, for `hostDepends`; an empty name is in every build. */
export const HOST_PACKAGES: Readonly<Record<string, string>> = {
  asciidoc: 'asciidoc',
  asciidoctor: 'asciidoctor',
  autoconf: 'autoconf',
  'autoconf-archive': 'autoconf-archive',
  automake: 'automake',
  bash: '',
  bc: '',
  binutils: '',
  bison: 'bison',
  busybox: '',
  bzip2: '',
  'ca-certificates-bundle': '',
  cargo: 'cargo',
  'cargo-auditable': '',
  chrpath: 'chrpath',
  cmake: 'cmake',
  coreutils: '',
  diffutils: '',
  docbook2x: 'docbook2x',
  'docbook-xml': 'docbook-xml',
  'docbook-xsl': 'docbook-xsl',
  doxygen: 'doxygen',
  expect: 'expect',
  file: '',
  findutils: '',
  flex: 'flex',
  gawk: '',
  gettext: 'gettext',
  'gettext-tiny': 'gettext',
  go: 'golang-go',
  'go-md2man': 'go-md2man',
  gperf: 'gperf',
  grep: '',
  groff: 'groff',
  'gtk-doc': 'gtk-doc-tools',
  gzip: '',
  help2man: 'help2man',
  intltool: 'intltool',
  itstool: 'itstool',
  libtool: 'libtool',
  libxslt: 'xsltproc',
  m4: '',
  make: '',
  makeinfo: 'texinfo',
  meson: 'meson',
  nasm: 'nasm',
  ninja: 'ninja-build',
  'ninja-build': 'ninja-build',
  'ninja-is-really-ninja': 'ninja-build',
  'openssf-compiler-options': '',
  pandoc: 'pandoc',
  patch: '',
  patchelf: 'patchelf',
  perl: 'perl',
  pkgconf: 'pkg-config',
  'pkg-config': 'pkg-config',
  pkgconfig: 'pkg-config',
  po4a: 'po4a',
  'protobuf-compiler': 'protobuf-compiler',
  'py3-docutils': 'python3-docutils',
  'py3-jinja2': 'python3-jinja2',
  'py3-packaging': 'python3-packaging',
  'py3-setuptools': 'python3-setuptools',
  python: 'python3',
  python3: 'python3',
  'python-docutils': 'python3-docutils',
  'python-setuptools': 'python3-setuptools',
  quilt: 'quilt',
  ragel: 'ragel',
  re2c: 're2c',
  rsync: '',
  ruby: 'ruby',
  rust: 'rustc',
  samurai: 'ninja-build',
  scanelf: '',
  scdoc: 'scdoc',
  scons: 'scons',
  sed: '',
  slibtool: 'slibtool',
  ssl_client: '',
  swig: 'swig',
  tar: '',
  tcl: 'tcl',
  texinfo: 'texinfo',
  unzip: 'unzip',
  vala: 'valac',
  which: '',
  xmlto: 'xmlto',
  xsltproc: 'xsltproc',
  xz: '',
  yasm: 'yasm',
  zip: 'zip',
  zstd: '',
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
