/** melange's pipelines that build, as the shell that they are; what pipelines of ours do is found in it afterwards. */

export type Inputs = (name: string, otherwise?: string) => string;

interface Around {
  /** Of the package. */
  readonly name: string;
  /** The source is a checkout, which has no generated files. */
  readonly fromGit: boolean;
  /** All shell before. */
  readonly before: string;
}

/** Options on several lines, or with comments between them, as words of one. */
const more = (options: string): string => {
  const words = options
    .split('\n')
    .map((line) => line.trim().replace(/\s*\\$/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))
    .join(' ');
  return words === '' ? '' : ` ${words}`;
};
const inFolder = (folder: string, text: string): string =>
  folder === '' || folder === '.' ? text : `cd ${folder}\n${text}`;
const listOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

export const SHELL: Readonly<Record<string, (input: Inputs, around: Around) => string[]>> = {
  'autoconf/configure': (input, { fromGit, before }) => {
    const generate = fromGit && !/autoreconf|autogen|bootstrap/.test(before) ? 'autoreconf -fi\n' : '';
    return [
      inFolder(
        input('dir'),
        `${generate}./configure --build="$BUILD" --host="$HOST" --prefix=/usr --sysconfdir=/etc --libdir=/usr/lib --mandir=/usr/share/man --infodir=/usr/share/info --localstatedir=/var${more(input('opts'))}`,
      ),
    ];
  },
  'autoconf/make': (input) => [inFolder(input('dir'), `make -j"$JOBS"${more(input('opts'))}`)],
  'autoconf/make-install': (input) => [
    inFolder(input('dir'), `make install DESTDIR="$DESTDIR"${more(input('opts'))}`),
  ],
  'cmake/configure': (input) => [
    `cmake -B ${input('output-dir', 'output')} -S . -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=$ARCH -DCMAKE_C_COMPILER=$CC -DCMAKE_FIND_ROOT_PATH=$SYSROOT -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib${more(input('opts'))}`,
  ],
  'cmake/build': (input) => [
    `cmake --build ${input('output-dir', 'output')} -j "$JOBS"${more(input('opts'))}`,
  ],
  'cmake/install': (input) => [
    `DESTDIR="$DESTDIR" cmake --install ${input('output-dir', 'output')}${more(input('opts'))}`,
  ],
  'meson/configure': (input) => [
    `meson setup --prefix=/usr${more(input('opts'))} . ${input('output-dir', 'output')}`,
  ],
  'meson/compile': (input) => [`meson compile -C ${input('output-dir', 'output')} -j "$JOBS"`],
  'meson/install': (input) => [
    `DESTDIR="$DESTDIR" meson install --no-rebuild -C ${input('output-dir', 'output')}`,
  ],
  'go/build': (input, { name }) => goBuild(input, input('output', name)),
  'cargo/build': (input, { name }) => {
    const output = input('output', name);
    const build = `cargo build --release${more(input('opts', input('build-opts')).replace(/(?:^|\s)--release(?=\s|$)/, ' '))}`;
    const install = `install -Dm755 target/release/${output} "$DESTDIR/usr/bin/${output}"`;
    return [inFolder(input('modroot'), build), inFolder(input('modroot'), install)];
  },
  'perl/make': () => ['PERL_MM_USE_DEFAULT=1 perl Makefile.PL INSTALLDIRS=vendor'],
  'perl/cleanup': () => [String.raw`find "$DESTDIR" \( -name perllocal.pod -o -name .packlist \) -delete`],
};

/** Pipelines that download what they install, with what stands for them here. */
const DOWNLOADS: Readonly<Record<string, string>> = {
  'go/install': 'name its source, with the modules, and use the pipeline go',
  'cargo/install': 'name its source, with the crates, and use the pipeline cargo',
  'npm/install': 'name it and all that it needs under sources (npm: NAME), and use the pipeline node',
  'pnpm/install': 'name it and all that it needs under sources (npm: NAME), and use the pipeline node',
};
/** Pipelines that install by means of an interpreter, into folders of that interpreter. */
const INTERPRETERS: Readonly<Record<string, string>> = {
  py: 'Python',
  ruby: 'Ruby',
  R: 'R',
  php: 'PHP',
  maven: 'Java',
};

/** Why a pipeline of melange is not carried over, and what to do. */
export function whyNot(uses: string): string {
  const download = DOWNLOADS[uses];
  if (download !== undefined) return `it downloads what it installs: ${download}`;
  const language = INTERPRETERS[uses.split('/')[0] ?? ''];
  return language === undefined
    ? 'the pipeline is not known: write its steps'
    : `it installs for ${language}, which no recipe here makes: write the steps once one does`;
}

function goBuild(input: Inputs, output: string): string[] {
  const [packages, modroot] = [listOf(input('packages', '.')).join(' '), input('modroot')];
  const tags = input('tags').trim();
  const ldflags = input('ldflags').replaceAll(/\s+/g, ' ').trim();
  const flags = `${tags === '' ? '' : ` -tags "${listOf(tags.replaceAll(',', ' ')).join(',')}"`}${ldflags === '' ? '' : ` -ldflags "${ldflags}"`}${more(input('extra-args'))}`;
  const folder = /^[\w-]+$/.test(input('install-dir', 'bin')) ? input('install-dir', 'bin') : 'bin';
  const called = packages.split('/').pop() === output && folder === 'bin';
  if (called && !/\$\(|`/.test(ldflags))
    return [
      inFolder(modroot, `go build${flags} -o ${output} ${packages}`),
      inFolder(modroot, `install -Dm755 ${output} "$DESTDIR/usr/bin/${output}"`),
    ];
  return [
    inFolder(
      modroot,
      [
        'case $ARCH in x86_64) GOARCH=amd64 ;; aarch64) GOARCH=arm64 ;; esac',
        "export GOARCH CGO_ENABLED=0 GOTOOLCHAIN=local GOPROXY=off GOFLAGS='-trimpath -buildvcs=false' GOCACHE=/tmp/go-build",
        `go build -p "$JOBS"${flags} -o "$DESTDIR/usr/${folder}/${output}" ${packages}`,
      ].join('\n'),
    ),
  ];
}

/** What the machine that builds must have for them. */
export const HOST_TOOLS: Readonly<Record<string, readonly string[]>> = {
  'go/build': ['golang-go'],
  'cargo/build': ['cargo', 'rustc'],
  'cmake/configure': ['cmake'],
  'meson/configure': ['meson', 'ninja-build'],
  'perl/make': ['perl'],
};

/** Those that fetch what a build may not fetch. */
export const VENDORED: Readonly<Record<string, string>> = {
  'go/build': 'the modules must be in the source: go mod vendor',
  bump: 'what the source needs must be newer than upstream says',
  'go/bump': 'the modules in the source must be newer than upstream says',
  'cargo/build': 'the crates must be in the source: cargo vendor',
  'rust/cargobump': 'the crates in the source must be newer than upstream says',
};
