/** Recipes of other package managers: what is carried over, what is told, and what nobody must be able to break. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { IcepkgError } from '#schema/error';
import { sha256 } from '#schema/digest';
import { importRecipe, type Imported } from '#pkgbuild/import/import';
import { parseRecipe } from '#pkgbuild/recipe';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-import-test-'));
  for (const name of ['zlib', 'ncurses', 'openssl'])
    put(`known/${name}/recipe.yaml`, `name: ${name}\nversion: '1.0.0'\nlicense: MIT\n`);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  return file;
}

interface Result extends Imported {
  readonly recipe: Record<string, unknown>;
  /** `kind field: why`. */
  readonly said: string[];
}

async function imported(name: string, content: string | Uint8Array, fetch = false): Promise<Result> {
  const done = await importRecipe({
    file: put(`in/${name}`, content),
    into: path.join(folder, 'out'),
    roots: [path.join(folder, 'known')],
    cacheFolder: path.join(folder, 'cache'),
    fetch,
  });
  const text = fs.readFileSync(done.file, 'utf8');
  expect(parseRecipe(text, done.file).name).toBe(done.name);
  return {
    ...done,
    recipe: parse(text) as Record<string, unknown>,
    said: done.notes.map(({ kind, field, why }) => `${kind} ${field}: ${why}`),
  };
}

const APKBUILD = `# Maintainer: A Person <a@person.example>
pkgname=tool
pkgver=1.2.3_rc4
_ver=\${pkgver%_*}
pkgrel=7
pkgdesc="A tool's tool"
url="https://tool.example/"
arch="all !s390x"
license="GPL-2.0-or-later AND MIT"
depends="zlib>=1.2 !other /bin/sh"
install=
makedepends="ncurses-dev linux-headers openssl-dev>3 cmake strange-dev"
options="!check"
subpackages="$pkgname-dev $pkgname-doc $pkgname-libs $pkgname-plugins:_plugins $pkgname-odd"
source="https://tool.example/tool-$_ver.tar.gz
	more-\${pkgver/_rc/.}.tar.xz::https://tool.example/\${_ver%.*}/more.tar.xz
	fix.patch
	tool.conf
	"
builddir="$srcdir/tool-$_ver"

prepare() {
	default_prepare
	sed -i 's/$pkgver/kept/' configure
}

build() {
	./configure --build=$CBUILD --host="$CHOST" --with-version=$pkgver "\${_ver#1.}" || return 1
	make $MAKEFLAGS LDFLAGS="$LDFLAGS" CC="\${CC#\${CROSS_COMPILE}}"
	cat > x <<EOF
it's \${pkgname}
}
EOF
}

check() {
	make check
}

package() {
	cd "$builddir"
	make DESTDIR="$pkgdir" install
	install -Dm644 "$srcdir"/tool.conf "$pkgdir"/etc/tool.conf
	cp -r "$srcdir"/more-$_nowhere "$pkgdir"/usr/share
}

_plugins() {
	pkgdesc="$pkgdesc (plugins)"
	depends="$pkgname=$pkgver-r$pkgrel"
	amove usr/lib/tool
	mkdir -p "$subpkgdir"/usr/bin
	mv "$pkgdir"/usr/bin/tool-[ab] "$subpkgdir"/usr/bin/
}

odd() {
	for i in a b; do amove usr/$i; done
}
`;

test('an APKBUILD: fields, sources, steps and subpackages', async () => {
  put('in/fix.patch', 'a patch');
  put('in/tool.conf', 'conf');
  const digest = createHash('sha512').update('the source').digest('hex');
  put(`cache/sources/${sha256('the source')}-tool-1.2.3.tar.gz`, 'the source');
  const { recipe, said, whole } = await imported(
    'APKBUILD',
    `${APKBUILD}sha512sums="\n${digest}  tool-1.2.3.tar.gz\n${'a'.repeat(128)}  more-1.2.3.4.tar.xz\n"\n`,
  );
  expect(recipe).toMatchObject({
    name: 'tool',
    version: '1.2.3-rc.4',
    upstreamVersion: '1.2.3_rc4',
    release: 7,
    description: "A tool's tool",
    license: 'GPL-2.0-or-later AND MIT',
    maintainer: 'A Person <a@person.example>',
    depends: ['!other', 'cmd:sh', 'zlib@>=1.2.0'],
    buildDepends: ['linux-headers', 'musl', 'ncurses', 'openssl', 'strange'],
    patches: ['fix.patch'],
    sources: [
      {
        file: 'tool-1.2.3.tar.gz',
        sha256: sha256('the source'),
        from: [{ url: 'https://tool.example/tool-1.2.3.tar.gz' }],
      },
      { file: 'more-1.2.3.4.tar.xz', sha256: '0'.repeat(64), into: 'more-1.2.3.4' },
      { path: 'tool.conf' },
    ],
    subpackages: [
      { name: 'tool-libs', files: ['lib/lib*.so.*', 'usr/lib/lib*.so.*'] },
      {
        name: 'tool-plugins',
        description: "A tool's tool (plugins)",
        depends: ['tool@=1.2.3-rc.4-r7'],
        files: ['usr/lib/tool', 'usr/bin/tool-[ab]'],
      },
      { name: 'tool-odd', files: ['usr/a', 'usr/b'] },
    ],
  });
  expect(recipe).not.toHaveProperty('check');
  expect(recipe).not.toHaveProperty('arch');
  expect(recipe['prepare']).toBe("sed -i 's/$pkgver/kept/' configure\n");
  expect(recipe['build']).toBe(
    `./configure --build=$BUILD --host="$HOST" --with-version=1.2.3_rc4 "2.3"
make -j$JOBS LDFLAGS="\${LDFLAGS:-}" CC="\${CC#$CROSS}"
cat > x <<EOF
it's tool
}
EOF
`,
  );
  expect(recipe['install']).toContain('install -Dm644 "/build/src"/tool.conf "$DESTDIR"/etc/tool.conf\n');
  expect(whole).toBe(false);
  expect(said.filter((one) => one.startsWith('lost'))).toEqual([
    'lost package(): the step uses $_nowhere, and $_nowhere is not set in the file',
  ]);
  expect(said).toContain('open makedepends: there is no recipe strange yet');
  expect(said).toContain(
    'open sources: more-1.2.3.4.tar.xz has a sha512, and a recipe needs its sha256: --fetch fetches it',
  );
  expect(fs.readFileSync(path.join(folder, 'out/tool/fix.patch'), 'utf8')).toBe('a patch');
});

test('a PKGBUILD: arrays, brace expansion, sources for one architecture, conflicts and backup', async () => {
  const { recipe, said } = await imported(
    'PKGBUILD',
    `pkgname=('tool' 'tool-extra')
pkgver=2.0
pkgrel=3
arch=(x86_64)
license=('custom:MIT' GPL2)
depends=(glibc zlib 'libfoo.so=1-64' perl)
conflicts=(rival)
backup=('etc/tool.conf')
groups=()
optdepends=()
source=("https://tool.example/$pkgname-$pkgver.tar.gz"{,.sig}
        git+https://tool.example/lib.git#commit=${'1'.repeat(40)}
        git+https://tool.example/other.git#tag=v1)
source_aarch64=(https://tool.example/arm.bin)
sha256sums=('${'b'.repeat(64)}' SKIP SKIP SKIP)
sha256sums_aarch64=('${'c'.repeat(64)}')
for x in $(ls); do depends+=($x); done
build() {
  cd "$pkgname-$pkgver"
  patch -p1 -i ../own.patch
  [[ $x =~ a ]] && make
}
package_tool() {
  cd tool-2.0
  make DESTDIR="\${pkgdir}" install
}
package_tool-extra() { :; }
`,
  );
  expect(recipe).toMatchObject({
    version: '2.0.0',
    release: 2,
    license: 'MIT AND GPL-2.0-only',
    depends: ['!rival', 'perl'],
    buildDepends: ['musl', 'zlib'],
    configFiles: ['etc/tool.conf'],
    sources: [
      { file: 'tool-2.0.tar.gz', sha256: 'b'.repeat(64) },
      { file: 'lib.tar', from: [{ git: 'https://tool.example/lib.git', commit: '1'.repeat(40) }] },
      { file: 'other.tar', from: [{ commit: '0'.repeat(40) }] },
      { file: 'arm.bin', sha256: 'c'.repeat(64), arch: 'aarch64' },
    ],
    install: 'make DESTDIR="$DESTDIR" install\n',
  });
  expect(recipe['build']).toMatch(/^patch -p1 -i \/build\/src\/own\.patch\n\[\[ /);
  const lost = said.filter((one) => one.startsWith('lost')).join('\n');
  expect(lost).toMatch(/script: "for x in .*" is not run.*it sets depends/);
  expect(said.join('\n')).toMatch(/open source: https:\/\/tool\.example\/other\.git: tag=v1 is no commit/);
  expect(lost).toMatch(/build\(\): it is written for bash/);
  expect(lost).toMatch(/package_tool-extra\(\): what goes into tool-extra is not carried over/);
});

test('a melange file: variables, transforms, pipelines, ranges and subpackages', async () => {
  const { recipe, said } = await imported(
    'tool.yaml',
    `package:
  name: tool
  version: "3.1"
  epoch: 2
  description: a tool
  copyright: [{license: MIT}, {license: Apache-2.0 OR Zlib}]
  dependencies:
    runtime: ["zlib~1.3", "tool-data=\${{package.version}}-r\${{package.epoch}}"]
    provides: ["tools=\${{package.full-version}}"]
environment:
  environment: {MODE: "\${{vars.mode}}"}
  contents: {packages: [build-base, openssl-3.0-dev, unheard-dev]}
vars: {mode: fast}
'$(odd*': 1
var-transforms:
  - {from: "\${{package.version}}", match: "\\\\.", replace: _, to: under}
data:
  - name: kinds
    items: {one: first, two: second}
pipeline:
  - uses: fetch
    with:
      uri: https://tool.example/tool_\${{vars.under}}.tar.gz
      expected-sha256: ${'d'.repeat(64)}
  - uses: patch
    with: {patches: a.patch b.patch}
  - uses: autoconf/configure
    with:
      opts: |
        --enable-a \\
        --disable-b
  - runs: make V=\${{vars.under}} X=$UNSET
  - uses: autoconf/make-install
  - uses: strip
  - uses: some/thing
subpackages:
  - range: kinds
    name: tool-\${{range.key}}
    description: the \${{range.value}} kind
    pipeline:
      - runs: |
          mkdir -p \${{targets.contextdir}}/usr/bin
          mv \${{targets.destdir}}/usr/bin/\${{range.key}} \${{targets.contextdir}}/usr/bin/
  - name: tool-dev
    pipeline: [{uses: split/dev}]
test: {pipeline: [{runs: "tool --version"}]}
`,
  );
  expect(recipe).toMatchObject({
    version: '3.1.0',
    release: 2,
    license: 'MIT AND (Apache-2.0 OR Zlib)',
    depends: ['tool-data@=3.1.0-r2', 'zlib@~1.3.0'],
    provides: ['tools@=3.1.0'],
    buildDepends: ['musl', 'openssl', 'unheard'],
    env: { MODE: 'fast' },
    sources: [{ file: 'tool_3_1.tar.gz', sha256: 'd'.repeat(64) }],
    patches: ['a.patch', 'b.patch'],
    subpackages: [
      { name: 'tool-one', description: 'the first kind', files: ['usr/bin/one'] },
      { name: 'tool-two', description: 'the second kind', files: ['usr/bin/two'] },
    ],
  });
  expect(recipe).toMatchObject({
    uses: 'autotools',
    with: { configure: ['--enable-a', '--disable-b'], make: ['V=3_1', 'X=$UNSET'] },
  });
  expect(said.filter((one) => one.startsWith('lost'))).toEqual([
    'lost $(odd*: is not understood',
    'lost runs: the step uses $UNSET, and $UNSET is not set in the file',
    'lost some/thing: the pipeline is not known: write its steps',
  ]);
});

/** The build and packages of an APKBUILD with these functions. */
const apkbuild = (body: string, head = ''): string =>
  `pkgname=tool\npkgver=1.0.0\nlicense=MIT\nsource=\nbuilddir="$srcdir"\n${head}\n${body}\n`;

describe('the usual build steps become pipelines', () => {
  test.each<[string, string, Record<string, unknown>]>([
    [
      'autotools, with what stands around',
      `prepare() {\n\tdefault_prepare\n\tupdate_config_sub\n\tautoreconf -fi\n}
build() {\n\t./configure --build=$CBUILD --host=$CHOST --prefix=/usr --with-dir="/opt/x" || return 1\n\tsed -i s/a/b/ libtool\n\tmake V=1 EXTRA=yes\n}
package() {\n\tmake -j1 DESTDIR="$pkgdir" EXTRA=yes install install-more\n\trm "$pkgdir"/usr/lib/x.la\n}`,
      {
        prepare: [
          { run: 'autoreconf -fi\n' },
          { uses: 'autotools', with: { configure: ['--with-dir=/opt/x'] } },
          { run: 'sed -i s/a/b/ libtool\n' },
        ],
        uses: undefined,
        build: [{ uses: 'autotools', with: { make: ['EXTRA=yes'] } }],
        install: [
          { uses: 'autotools', with: { make: ['EXTRA=yes'], install: ['install', 'install-more'] } },
          { run: 'rm "$DESTDIR"/usr/lib/x.la\n' },
        ],
      },
    ],
    [
      'cmake, with another folder and options for cross-building',
      `build() {\n\tlocal crossopts=\n\tif [ "$CBUILD" != "$CHOST" ]; then\n\t\tcrossopts="-DCMAKE_SYSTEM_NAME=Linux"\n\tfi
\tcmake -B out -G Ninja -S lib \\\n\t\t-DCMAKE_INSTALL_PREFIX=/usr \\\n\t\t-DWITH_X=OFF \\\n\t\t$crossopts\n\tcmake --build out\n}
check() {\n\tctest --test-dir out\n}
package() {\n\tDESTDIR="$pkgdir" cmake --install out\n}`,
      {
        uses: 'cmake',
        with: { options: ['-DWITH_X=OFF'], source: 'lib' },
        check: 'ctest --test-dir icepkg-build\n',
        install: undefined,
      },
    ],
    [
      'meson by the helper',
      `build() {\n\tabuild-meson -Dx=true . output\n\tmeson compile -C output\n}
package() {\n\tDESTDIR="$pkgdir" meson install --no-rebuild -C output\n}`,
      { uses: 'meson', with: { options: ['-Dx=true'] }, build: undefined },
    ],
    [
      'cargo',
      `prepare() {\n\tdefault_prepare\n\tcargo fetch --target="$CTARGET" --locked\n}
build() {\n\tcargo auditable build --release --frozen --features x\n}
package() {\n\tinstall -Dm755 target/release/tool -t "$pkgdir"/usr/bin/\n\tinstall -m644 target/release/tool.1 "$pkgdir"/usr/share/\n}`,
      {
        prepare: undefined,
        build: [{ uses: 'cargo', with: { options: ['--features', 'x'], bins: ['tool'] } }],
        install: [
          { uses: 'cargo', with: { bins: ['tool'] } },
          {
            run: 'install -m644 target/$ARCH-unknown-linux-musl/release/tool.1 "$DESTDIR"/usr/share/\n',
          },
        ],
      },
    ],
    [
      'go',
      `build() {\n\tgo build -v -ldflags "-s -w -X main.version=$pkgver" -o tool ./cmd/tool\n}
package() {\n\tinstall -Dm755 tool "$pkgdir"/usr/bin/tool\n}`,
      { build: [{ uses: 'go', with: { packages: './cmd/tool', ldflags: '-X main.version=$VERSION' } }] },
    ],
    [
      'make',
      `build() {\n\tmake PREFIX=/usr all\n}\npackage() {\n\tmake PREFIX="/usr" DESTDIR="$pkgdir" install\n}`,
      { uses: 'make', with: { targets: ['all'] } },
    ],
    [
      'what sets something for its commands stays shell',
      `build() {\n\texport CFLAGS="$CFLAGS -O2"\n\t./configure --prefix=/usr\n\tmake\n}
package() {\n\tmake DESTDIR="$pkgdir" install\n}`,
      {
        uses: undefined,
        build: 'export CFLAGS="$CFLAGS -O2"\n./configure --prefix=/usr\nmake\n',
        install: 'make DESTDIR="$DESTDIR" install\n',
      },
    ],
  ])('%s', async (_, body, expected) => {
    const { recipe, whole } = await imported('APKBUILD', apkbuild(body));
    for (const [field, value] of Object.entries(expected)) expect(recipe[field], field).toEqual(value);
    expect(whole).toBe(true);
  });
});

test('subpackages: what is moved, made and looped over', async () => {
  const { recipe, whole, said } = await imported(
    'APKBUILD',
    apkbuild(
      `package() { make DESTDIR="$pkgdir" install; }
_bin() {
	local name=$subpkgname
	pkgdesc="$name of $pkgname"
	depends="$pkgname=$pkgver-r$pkgrel"
	provides="cmd-$name=$pkgver"
	provider_priority=5
	install_if="$pkgname=$pkgver-r$pkgrel docs"
	case "$name" in
		one) pkgdesc="first" ;;
	esac
	local dir; for dir in bin usr/bin; do
		if [ -e "$pkgdir"/$dir/$name ]; then
			amove $dir/$name
			return 0
		fi
	done
	return 1
}
_files() { local i; for i in "$@"; do mkdir -p "$subpkgdir"/\${i%/*}; mv "$pkgdir"/$i "$subpkgdir"/$i || return 1; done; }
extra() {
	cd "$pkgdir"
	_files usr/share/tool usr/lib/tool/*.so
	cd "$builddir"/contrib
	install -Dm755 run.sh "$subpkgdir"/usr/bin/run
	ln -s run "$subpkgdir"/usr/bin/go
	mkdir -p "$subpkgdir"/usr/share/other
	mv "$pkgdir"/opt/old "$subpkgdir"/usr/share/other/
	echo "yes" > "$subpkgdir"/etc/flag
	chmod 600 "$subpkgdir"/etc/flag
}
dev() {
	default_dev
	amove usr/bin/tool-config2
}
odd() { make install DESTDIR="$subpkgdir"; }`,
      'pkgrel=3\nsubpackages="one:_bin two:_bin $pkgname-extra $pkgname-dev $pkgname-odd"',
    ),
  );
  const about = {
    depends: ['tool@=1.0.0-r3'],
    installIf: ['tool@=1.0.0-r3', 'docs'],
    providerPriority: 5,
  };
  expect(recipe['subpackages']).toEqual([
    {
      name: 'one',
      description: 'first',
      provides: ['cmd-one@=1.0.0'],
      files: ['bin/one', 'usr/bin/one'],
      ...about,
    },
    {
      name: 'two',
      description: 'two of tool',
      provides: ['cmd-two@=1.0.0'],
      files: ['bin/two', 'usr/bin/two'],
      ...about,
    },
    {
      name: 'tool-extra',
      files: [
        'usr/share/tool',
        'usr/lib/tool/*.so',
        'usr/bin/run',
        'usr/bin/go',
        'usr/share/other/old',
        'etc/flag',
      ],
    },
    expect.objectContaining({
      name: 'tool-dev',
      files: expect.arrayContaining(['usr/include', 'usr/bin/tool-config2']),
    }),
  ]);
  expect(recipe['install']).toEqual([
    { run: 'make DESTDIR="$DESTDIR" install;\n' },
    {
      run: `mkdir -p "$DESTDIR"/usr/bin
install -Dm755 /build/src/contrib/run.sh "$DESTDIR"/usr/bin/run
ln -s run "$DESTDIR"/usr/bin/go
mkdir -p "$DESTDIR"/usr/share/other
mv "$DESTDIR"/opt/old "$DESTDIR"/usr/share/other/
echo yes >"$DESTDIR"/etc/flag
chmod 600 "$DESTDIR"/etc/flag
`,
    },
  ]);
  expect(whole).toBe(false);
  expect(said.filter((one) => one.startsWith('lost'))).toEqual([
    'lost subpackages tool-odd: "make install DESTDIR="$subpkgdir"" of odd() is not carried over',
  ]);
});

test('conditions and loops on known values are worked out, for both architectures', async () => {
  const { recipe, said } = await imported(
    'APKBUILD',
    `pkgname=tool
pkgver=3.17.0
license=MIT
_b=\${pkgver#*.}; _b=\${_b%.*}
[ $_b -lt 20 ] && _b=0$_b
case $pkgver in
	*.*.*) _v=\${pkgver%.*} ;;
	*) _v=$pkgver ;;
esac
case "$CARCH" in
	x86_64) _goarch=amd64 ;;
	aarch64) _goarch=arm64 ;;
esac
if [ -z "$BOOTSTRAP" ] && [ "$pkgname" != other ]; then
	makedepends="$makedepends zlib-dev"
else
	makedepends=nothing
fi
for _mod in a b; do subpackages="$subpackages $pkgname-$_mod:_mod"; done
_add() { source="$source https://x.example/$1-$2.tar.gz"; }
_add first 1
export MODE=fast
while read x; do y=$x; done
build() { make ARCH=$_goarch DIR=/x/$CARCH SUB=$_b V=$_v; helper; }
helper() { local z=1; echo $z; return 0; }
package() { :; }
_mod() { amove usr/\${subpkgname#tool-}/x; }
`,
  );
  expect(recipe).toMatchObject({
    buildDepends: ['musl', 'zlib'],
    env: { MODE: 'fast' },
    sources: [{ file: 'first-1.tar.gz' }],
    subpackages: [
      { name: 'tool-a', files: ['usr/a/x'] },
      { name: 'tool-b', files: ['usr/b/x'] },
    ],
    build: `case $ARCH in x86_64) _goarch=amd64 ;; aarch64) _goarch=arm64 ;; esac
helper() {
  local z=1; echo $z; return 0;
}
make ARCH=$_goarch DIR=/x/$ARCH SUB=017 V=3.17; helper;
`,
  });
  expect(said.filter((one) => one.startsWith('lost'))).toEqual([
    'lost script: "while read x ; do y=$x ; done" is not run, so nobody knows what it does; it sets y',
  ]);
});

test.each([
  ['$((_major - 1))', '6'],
  ['$(( $_major + ${_major%.*} * (2 - 1) ))', '14'],
  ['$((7 / 2 % 2))', '1'],
  ['$((_major / 0))', undefined],
  ['$((_major << 2))', undefined],
  ['$((08 + 1))', undefined],
  ['$((1 +))', undefined],
  ['$((_major = 1))', undefined],
  ['$((_major, 1))', undefined],
])('a calculation in a version: %s', async (written, result) => {
  const { recipe, said } = await imported(
    'APKBUILD',
    `pkgname=tool\npkgver=1.0\n_major=7\npkgdesc="Tool"\nurl="https://tool.example/"\narch="all"\nlicense="MIT"
depends="tool-${written}"\npackage() {\n\tmake DESTDIR="$pkgdir" install\n}\n`,
  );
  if (result === undefined) expect(said.join('\n')).toContain('it calculates');
  else expect(JSON.stringify(recipe['depends'])).toContain(`tool-${result}`);
});

test('a PKGBUILD: arrays in steps, what only bash has, fields and packages of functions', async () => {
  const { recipe, said } = await imported(
    'PKGBUILD',
    `pkgbase=tool
pkgname=(tool tool-docs)
pkgver=1.0.0
arch=(x86_64)
license=(private)
source=("git+https://x.example/tool.git#tag=v1")
_flags=(--one "--two=a b")
build() {
  cd tool
  local options=(
    -B build   # here
    -D CMAKE_INSTALL_PREFIX=/usr
    -DX=ON
  )
  cmake "\${options[@]}"
  ./run "\${_flags[@]}"
  rm -r lib/{a,b/{c,d}}
  [[ $CARCH == x86_64 ]] && make
}
package_tool() {
  pkgdesc='the tool'
  depends+=(perl 'other>=2')
  make DESTDIR="$pkgdir" install
}
package_tool-docs() {
  pkgdesc='its pages'
  install -Dm644 a.html "$pkgdir"/usr/share/doc/tool/a.html
}
`,
  );
  expect(recipe).toMatchObject({
    description: 'the tool',
    license: 'LicenseRef-private',
    depends: ['other@>=2.0.0', 'perl'],
    sources: [{ from: [{ git: 'https://x.example/tool.git', commit: '0'.repeat(40) }] }],
    build: `cmake -B build -D CMAKE_INSTALL_PREFIX=/usr -DX=ON
./run '--one' '--two=a b'
rm -r lib/a lib/b/c lib/b/d
[ "$ARCH" = x86_64 ] && make
`,
    subpackages: [{ name: 'tool-docs', description: 'its pages', files: ['usr/share/doc/tool/a.html'] }],
  });
  expect(said.filter((one) => one.startsWith('lost'))).toEqual([]);
  expect(said).toContain(
    'open source: https://x.example/tool.git: tag=v1 is no commit; recipes need the whole name of one',
  );
});

test('a melange file: conditions, folders, flags, Go and keys as they are written', async () => {
  const { recipe, said } = await imported(
    'tool.yaml',
    `package:
  name: tool
  version: 3.10
  copyright: [{license: MIT}]
  cpe: {vendor: acme, product: tool}
capabilities: {add: [CAP_X]}
environment:
  environment: {CFLAGS: -DA, MODE: "1"}
  contents: {packages: [autoconf, go-1.26, bash]}
data:
  - name: versions
    items: {3.10: first}
pipeline:
  - uses: git-checkout
    with: {repository: "https://x.example/tool.git", expected-commit: ${'a'.repeat(40)}}
  - if: \${{build.arch}} == 'x86_64'
    runs: ./fast $MODE
  - if: \${{package.name}} == "other"
    runs: ./never
  - working-directory: sub
    environment: {Y: "2"}
    pipeline:
      - runs: make -j$(nproc)
  - uses: go/build
    with: {packages: ./cmd/tool, output: tool, ldflags: "-X main.v=\${{package.version}}"}
subpackages:
  - range: versions
    name: tool-\${{range.key}}
    pipeline:
      - runs: |
          for i in a b; do
            mv \${{targets.destdir}}/usr/$i/\${{range.key}} \${{targets.subpkgdir}}/usr/$i/
          done
  - name: tool-meta
    dependencies: {runtime: [tool]}
  - if: \${{build.arch}} == 's390x'
    name: tool-never
`,
  );
  const flags = 'export CFLAGS="${CFLAGS:-} -DA"\n';
  expect(recipe).toMatchObject({
    version: '3.10.0',
    upstreamVersion: '3.10',
    cpe: 'cpe:2.3:a:acme:tool:3.10.0:*:*:*:*:*:*:*',
    env: { MODE: '1' },
    hostDepends: ['autoconf', 'golang-go'],
    build: [
      { run: `${flags}./fast $MODE\n`, if: 'x86_64' },
      { run: `${flags}export Y="2"\nmkdir -p sub\ncd sub\nmake -j"$JOBS"\n` },
      { run: `${flags}go build -ldflags "-X main.v=3.10" -o tool ./cmd/tool\n` },
    ],
    install: `${flags}install -Dm755 tool "$DESTDIR/usr/bin/tool"\n`,
    subpackages: [{ name: 'tool-3.10', files: ['usr/a/3.10', 'usr/b/3.10'] }],
  });
  expect(said.filter((one) => !one.startsWith('left'))).toEqual([
    'open go/build: the modules must be in the source: go mod vendor',
    'lost subpackages tool-meta: it has no files, only what it depends on',
    'open sources: the sha256 of tool.tar is not known: the first build says it',
  ]);
  await expect(imported('twice.yaml', 'package:\n  name: a\n  name: b\n')).rejects.toThrow(
    /twice\.yaml:3:3: a key is there twice/,
  );
});

test('nothing of a file is run, whatever it says', async () => {
  const marker = path.join(folder, 'ran');
  const run = `touch ${marker}`;
  const { said, recipe } = await imported(
    'APKBUILD',
    `pkgname=safe
pkgver=1.0.0
license="$(${run})"
pkgdesc=\`${run}\`
depends="$((1+1)) \${x:=$(${run})}"
url="\${url:-$(${run})}"
eval "${run}"
${run}
trap '${run}' EXIT
source="https://a.example/$(${run}).tar.gz"
`,
  );
  expect(fs.existsSync(marker)).toBe(false);
  expect(recipe).toMatchObject({ name: 'safe', license: 'LicenseRef-unknown' });
  expect(said.filter((one) => /it runs [$`]/.test(one)).map((one) => one.split(':')[0])).toEqual([
    'lost source',
    'lost license',
    'lost pkgdesc',
    'lost url',
    'lost depends',
  ]);
  expect(said.filter((one) => one.includes('is not run'))).toHaveLength(3);
});

test('a source that is fetched must be the one that the file names', async () => {
  const { said } = await imported(
    'APKBUILD',
    `pkgname=fetched\npkgver=1.0.0\nlicense=MIT\nsource="http://127.0.0.1:9/a.tar"\nsha512sums="${'e'.repeat(128)}  a.tar"\n`,
    true,
  );
  expect(said.join('\n')).toMatch(/open sources: http:\/\/127\.0\.0\.1:9\/a\.tar could not be fetched/);
});

describe('hostile and broken files are refused, with a way out', () => {
  const deep = (open: string, close: string, count: number): string =>
    open.repeat(count) + close.repeat(count);
  const start = 'pkgname=a\npkgver=1\n';
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
    .split('')
    .map(
      (name, index) =>
        `${name}: &${name} [${Array(10)
          .fill(`*${'abcdefghi'.charAt(index)}`)
          .join(',')}]\n`,
    )
    .join('')}package: *j\n`;
  test.each([
    ['binary', 'APKBUILD', Buffer.from([0, 1, 2, 255])],
    ['empty', 'APKBUILD', ''],
    ['too large', 'PKGBUILD', `${start}#${'x'.repeat(1024 * 1024)}`],
    ['an open quote', 'APKBUILD', `${start}pkgdesc="open`],
    ['an open function', 'APKBUILD', `${start}build() {\n`],
    ['a stray parenthesis', 'PKGBUILD', `${start})\n`],
    ['braces nested too deep', 'PKGBUILD', `${start}x=${deep('${x:-', '}', 500)}`],
    ['substitutions nested too deep', 'APKBUILD', `${start}x=${deep('$(', ')', 5000)}`],
    [
      'compounds nested too deep',
      'APKBUILD',
      `${start}${'if true; then '.repeat(5000)}${'fi;'.repeat(5000)}`,
    ],
    ['a name that is run', 'APKBUILD', 'pkgname=$(id)\npkgver=1\n'],
    ['an impossible name', 'APKBUILD', 'pkgname="../../etc"\npkgver=1\n'],
    ['a bomb of aliases', 'a.yaml', bomb],
    ['nested YAML', 'a.yaml', `package: ${deep('[', ']', 5000)}`],
    ['YAML with a tab', 'a.yaml', 'package:\n\tname: a\n'],
    ['YAML that is no mapping', 'a.yaml', '- a\n- b\n'],
  ])('%s', async (_, name, content) => {
    const problem = await imported(name, content).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(problem).toBeInstanceOf(IcepkgError);
    expect((problem as IcepkgError).hint).toBeTruthy();
    expect(fs.existsSync(path.join(folder, 'out'))).toBe(false);
  });

  test.each([
    ['a text that doubles', `${'x=$x$x\n'.repeat(40)}pkgdesc=$x\n`],
    ['a pattern that takes for ever', `y=${'a'.repeat(3000)}\npkgdesc=\${y%%*a*a*a*a*a*a*a*b}\n`],
    ['braces that multiply', `depends=(${'{a,b}'.repeat(30)})\n`],
    ['an array that grows', `z=(a b c d)\n${'z=(${z[@]} ${z[@]})\n'.repeat(30)}depends=(\${z[@]})\n`],
    ['a path out of the folder', 'source=(../../../etc/passwd /etc/shadow)\n'],
    ['control characters', 'pkgdesc="a\u001b[2Jb"\n'],
    [
      'a loop of loops',
      'for a in {1,2,3,4,5,6,7,8,9}{1,2,3,4,5,6,7,8,9}{1,2,3}; do for b in $pkgname; do y="$y$a$b"; done; done\n',
    ],
    ['a function that calls itself', 'f() { f; f; f; }\nf\n'],
    ['a function with an odd name', 'a++b() { :; }\nbuild() { a++b; }\n'],
    ['braces without end', `build() { x ${'{'.repeat(20_000)}; }\n`],
  ])('%s costs no more than any other file', async (_, content) => {
    const outcome = await imported('PKGBUILD', `pkgname=a\npkgver=1.0.0\nlicense=MIT\nx=xx\n${content}`).then(
      ({ recipe }) => JSON.stringify(recipe).length,
      (error: unknown) => error,
    );
    if (typeof outcome === 'number') expect(outcome).toBeLessThan(100_000);
    else expect(outcome).toBeInstanceOf(IcepkgError);
  });
});

test('whatever is cut out of a file or put into it, it is imported or refused', async () => {
  const pieces = [
    '"',
    "'",
    '$',
    '${',
    '$(',
    '`',
    '{',
    '}',
    '(',
    ')',
    '\\',
    '\n',
    '<<E',
    ';',
    'case',
    '#',
    '%',
    '*',
  ];
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  for (let round = 0; round < 100; round++) {
    let text = APKBUILD;
    for (let change = next(4); change >= 0; change--) {
      const at = next(text.length);
      text = text.slice(0, at) + (pieces[next(pieces.length)] ?? '') + text.slice(at + next(3));
    }
    const outcome = await imported('APKBUILD', text).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (outcome !== undefined) expect(outcome, text).toBeInstanceOf(IcepkgError);
    fs.rmSync(path.join(folder, 'out'), { recursive: true, force: true });
  }
});
