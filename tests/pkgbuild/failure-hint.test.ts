/** What the error of a failed build says beyond the end of its log: which recipe or package brings what is missing. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IcepkgError } from '#schema/error';
import { buildRecipes } from '#pkgbuild/build';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-failure-'));
  recipe(
    'lib-zeta',
    `strip: false
install: |
  mkdir -p "$DESTDIR/usr/include/zeta" "$DESTDIR/usr/lib/pkgconfig"
  touch "$DESTDIR/usr/include/zeta.h" "$DESTDIR/usr/include/zeta/more.h" "$DESTDIR/usr/lib/libzeta.a"
  printf 'Name: zeta\\nDescription: Z\\nVersion: 1.0\\n' >"$DESTDIR/usr/lib/pkgconfig/zeta.pc"
  install -Dm755 /dev/null "$DESTDIR/usr/bin/zeta"
`,
  );
  recipe('liblater', 'install: mkdir -p "$DESTDIR/x"\n');
  await buildRecipes(buildRequest(folder, ['lib-zeta']));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function recipe(name: string, body: string): void {
  const home = path.join(folder, 'recipes', name);
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(
    path.join(home, 'recipe.yaml'),
    `name: ${name}\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n${body}`,
  );
}

/** The first line of the hint of a build that fails. */
async function hintOf(body: string): Promise<string> {
  recipe('fails', body);
  const error: unknown = await buildRecipes(buildRequest(folder, ['fails'])).catch(
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IcepkgError)) throw new Error('the build did not fail', { cause: error });
  return error.hint?.split('\n')[0] ?? '';
}

/** A step whose log ends with a line. */
const says = (line: string, more = ''): string => `${more}build: |\n  set +x; echo "${line}"; false\n`;
const DECLARED = 'buildDepends: [lib-zeta]\n';
const NAME_IT = 'of the recipe lib-zeta: name lib-zeta under buildDepends';

test.each([
  [
    'a header',
    says('x.c:1:10: fatal error: zeta.h: No such file or directory'),
    `zeta.h is in lib-zeta-dev ${NAME_IT}`,
  ],
  [
    'a header that configure asks for',
    says('configure: error: cannot do without zeta.h'),
    `zeta.h is in lib-zeta-dev ${NAME_IT}`,
  ],
  [
    'a library',
    says('ld: cannot find -lzeta: No such file or directory'),
    `libzeta is in lib-zeta-dev ${NAME_IT}`,
  ],
  ['a pkg-config file', says("No package 'zeta' found"), `zeta.pc is in lib-zeta-dev ${NAME_IT}`],
  [
    'a header in a folder that is not looked into',
    says('x.c:1:10: fatal error: more.h: No such file or directory', DECLARED),
    'more.h is in the root of the build as $SYSROOT/usr/include/zeta/more.h: add -I$SYSROOT/usr/include/zeta to CFLAGS',
  ],
  [
    'a library whose recipe was never built',
    says('ld: cannot find -llater'),
    'The recipe liblater may bring liblater: name it under buildDepends',
  ],
  [
    'a header that nobody has',
    says('x.c:1:10: fatal error: nobody.h: No such file or directory'),
    'Nothing that was built here brings nobody.h: name the recipe that does under buildDepends, write one, or configure without it',
  ],
  [
    'a command of the machine',
    'build: |\n  xxx-not-there 2>/dev/null || git --version\n',
    'The machine has git, but the recipe does not declare it: name git under hostDepends',
  ],
  [
    'a command that is nowhere',
    says('/bin/sh: 3: rst2man: not found'),
    'rst2man is in the Debian package python3-docutils: install that, and name it under hostDepends',
  ],
  [
    'a file outside of the build',
    'install: echo x >/root/x\n',
    'Steps write below /build and /tmp only: install into $DESTDIR, which is /build/dest',
  ],
  [
    'a static program',
    says('run: 12: exec: /build/sysroot/lib/ld-musl-x86_64.so.1: not found'),
    expect.stringContaining('a static program starts by itself: ./program, without run') as string,
  ],
  [
    'the linker of the machine',
    says('ld: main.o: Relocations in generic ELF (EM: 183)'),
    expect.stringContaining('pass LD=${CROSS}ld, AR=$AR and CC=$CC') as string,
  ],
  [
    'a patch for another version',
    says('1 out of 2 hunks FAILED -- saving rejects to file x.c.rej'),
    'A patch does not fit version 1.0.0 of the source: icepkg build fails --shell shows the source as it is, to make the patch anew',
  ],
  [
    'a Makefile that installs nothing',
    says("make: *** No rule to make target 'install'.  Stop."),
    'The Makefile has no target install: say what is installed under install, by the pipeline of that name',
  ],
  [
    'a command in a test',
    'install: mkdir -p "$DESTDIR/x"\ntest: run zeta\n',
    'zeta is in lib-zeta of the recipe lib-zeta: name lib-zeta under testDepends',
  ],
])('%s', async (_what, body, hint) => {
  expect(await hintOf(body)).toEqual(hint);
});

test('a log whose lines have no end is told by its end', async () => {
  const long = (start: string): string =>
    `  printf '${start}'; head -c 400000 /dev/zero | tr '\\0' a; echo\n`;
  const said = `${long('configure: error: ')}${long('/build/recipe/')}  false\n`;
  expect(await hintOf(`build: |\n  set +x\n${said}`)).toMatch(/^The whole log is /);
  const missing = `${long('configure: error: ')}  echo "ld: cannot find -lzeta"; false\n`;
  expect(await hintOf(`build: |\n  set +x\n${missing}`)).toBe(`libzeta is in lib-zeta-dev ${NAME_IT}`);
}, 30_000);
