/** APKBUILDs as recipes: what is carried over, and what is told. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sha256 } from '#schema/digest';
import { APKBUILD, importer } from '../support/importer.ts';

const { at, imported, put } = importer();

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
  expect(fs.readFileSync(at('out/tool/fix.patch'), 'utf8')).toBe('a patch');
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
      `build() {\n\tmake PREFIX=/usr all\n}\npackage() { make PREFIX="/usr" DESTDIR="$pkgdir" install; }`,
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

test('a comment that names a function does not call it', async () => {
  const { recipe, said } = await imported(
    'APKBUILD',
    `pkgname=tool
pkgver=1.0.0
license=MIT
build() {
	# proper syntax highlighting
	make; }
syntax() { mv "$pkgdir"/usr/share/x "$subpkgdir"/usr/share/; }
`,
  );
  expect([recipe['build'], said.filter((one) => one.startsWith('lost'))]).toEqual([
    '# proper syntax highlighting\nmake;\n',
    [],
  ]);
});
