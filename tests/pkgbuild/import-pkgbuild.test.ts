/** PKGBUILDs as recipes: what is carried over, and what is told. */
import { expect, test } from 'vitest';
import { importer } from '../support/importer.ts';

const { imported } = importer();

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

test('a PKGBUILD: the folder of the source is the source, and a server is asked by https', async () => {
  const { recipe, said } = await imported(
    'PKGBUILD',
    `pkgname=tool
pkgver=2.0
pkgrel=1
arch=(x86_64)
license=(MIT)
source=(ftp://ftp.gnu.org/gnu/tool/tool-$pkgver.tar.gz)
sha256sums=('${'b'.repeat(64)}')
build() {
  arch-meson "$pkgname-$pkgver" build -Dx=true
  meson compile -C build
}
package() {
  meson install -C build --destdir "$pkgdir"
}
`,
  );
  expect(recipe).toMatchObject({
    uses: 'meson',
    with: { options: ['-Dx=true'] },
    sources: [{ from: [{ url: 'https://ftp.gnu.org/gnu/tool/tool-2.0.tar.gz' }] }],
  });
  expect(said.filter((one) => one.startsWith('lost'))).toEqual([]);
});
