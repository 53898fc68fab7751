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
    depends: ['zlib@>=1.2.0', '!other', 'cmd:sh'],
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
for x in \${source[@]}; do depends+=($x); done
build() {
  cd "$pkgname-$pkgver"
  patch -p1 -i ../own.patch
  [[ -n $x ]] && make
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
    depends: ['perl', '!rival'],
    buildDepends: ['musl', 'zlib'],
    configFiles: ['etc/tool.conf'],
    sources: [
      { file: 'tool-2.0.tar.gz', sha256: 'b'.repeat(64) },
      { file: 'lib.tar', from: [{ git: 'https://tool.example/lib.git', commit: '1'.repeat(40) }] },
      { file: 'arm.bin', sha256: 'c'.repeat(64), arch: 'aarch64' },
    ],
    install: 'make DESTDIR="$DESTDIR" install\n',
  });
  expect(recipe['build']).toMatch(/^patch -p1 -i \/build\/src\/own\.patch\n\[\[ -n /);
  const lost = said.filter((one) => one.startsWith('lost')).join('\n');
  expect(lost).toMatch(/script: "for x in .*" is not run.*it sets depends/);
  expect(lost).toMatch(/source: https:\/\/tool\.example\/other\.git: tag=v1 is no commit/);
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
    depends: ['zlib@~1.3.0', 'tool-data@=3.1.0-r2'],
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
