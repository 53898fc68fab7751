import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { parse } from 'yaml';
import { importRecipe, type Imported } from '#pkgbuild/import/import';
import { parseRecipe } from '#pkgbuild/recipe';

export interface ImportResult extends Imported {
  readonly recipe: Record<string, unknown>;
  /** `kind field: why`. */
  readonly said: string[];
}

export interface Importer {
  readonly at: (name: string) => string;
  readonly put: (name: string, content: string | Uint8Array) => string;
  /** Imports a file of that name and content, where recipes of zlib, ncurses and openssl are known. */
  readonly imported: (name: string, content: string | Uint8Array, fetch?: boolean) => Promise<ImportResult>;
}

/** A folder for each test of a file, to import recipes in. */
export function importer(): Importer {
  let folder: string;
  const at = (name: string): string => path.join(folder, name);
  const put: Importer['put'] = (name, content) => {
    fs.mkdirSync(path.dirname(at(name)), { recursive: true });
    fs.writeFileSync(at(name), content);
    return at(name);
  };
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-import-test-'));
    for (const name of ['zlib', 'ncurses', 'openssl'])
      put(`known/${name}/recipe.yaml`, `name: ${name}\nversion: '1.0.0'\nlicense: MIT\n`);
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));
  return {
    at,
    put,
    imported: async (name, content, fetch = false) => {
      const done = await importRecipe({
        file: put(`in/${name}`, content),
        into: at('out'),
        roots: [at('known')],
        cacheFolder: at('cache'),
        fetch,
      });
      const text = fs.readFileSync(done.file, 'utf8');
      expect(parseRecipe(text, done.file).name).toBe(done.name);
      return {
        ...done,
        recipe: parse(text) as Record<string, unknown>,
        said: done.notes.map(({ kind, field, why }) => `${kind} ${field}: ${why}`),
      };
    },
  };
}

/** A file with most of what such files have. */
export const APKBUILD = `# Maintainer: A Person <a@person.example>
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
