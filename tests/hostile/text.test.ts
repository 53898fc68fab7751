/**
 * Text that takes a terminal over, from everywhere text comes from, through every command: none of it reaches stdout or stderr as
 * it is, and none of it can pass for a line of icepkg's own. Each case shows the text, so that each has something to escape.
 */
import { createServer, type Server } from 'node:net';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { buildCommandTable } from '#cli/command-table';
import { main } from '#cli/main';
import { UNPRINTABLE } from '#schema/fields';
import { STATE_FILE } from '#engine/transaction/layout';
import { addShell, install } from '../declared/support.ts';
import { forge } from '../format/support.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

/** A title, a cleared screen, the same in C1, marks that turn the text around, a return, and a line of its own. */
const EVIL = 'x\u001b]0;t\u0007\u001b[2J\u009b31m\u202egnp\u2066\u200f\u007f\r\b\nFORGED';
/** The same where a line end cannot be: schemas refuse it in everything that comes in. */
const LINE = EVIL.replace('\n', '');
/** As YAML, TOML and JSON have it. */
const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    /[\u007f-\uffff]/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program in this process. */
async function icepkg(...words: readonly string[]): Promise<Run> {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  try {
    return { status: await main(words), ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = undefined;
  }
}

const raw = new RegExp(UNPRINTABLE.source.replace('\\u0000-\\u001f', '\\u0000-\\u0009\\u000b-\\u001f'), 'gu');

async function expectHarmless(...words: readonly string[]): Promise<Run> {
  const text = await icepkg(...words);
  const json = await icepkg(...words, '--json');
  for (const output of [text.stdout, text.stderr, json.stdout, json.stderr]) {
    expect(output.match(raw), output).toBeNull();
    expect(output, 'a line that icepkg did not write').not.toMatch(/^FORGED/mu);
  }
  expect(() => JSON.parse(json.stdout) as unknown, json.stdout).not.toThrow();
  return text;
}

let depot: Depot;
let folder: string;
/** A root of `web` in which every text that can be changed is hostile. */
let spoiled: string;
let server: Server;
let mirror: string;
let answers = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-text-'));
  depot = await makeDepot();
  await depot.publish(
    {
      name: 'web',
      users: [{ name: 'web' }],
      files: { 'etc/web.conf': { text: 'a = 1\n', config: true }, 'usr/bin/web': 'web' },
    },
    { name: 'loud', scripts: { postInstall: `printf '%s' ${shellQuoted(EVIL)}; exit 3` } },
  );
  spoiled = await spoiledRoot();
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    // Good to the letter of HTTP and JSON; the next one is not.
    const body = `{${quoted(EVIL)}: 1}`;
    const good = answers++ % 2 === 0;
    const first = good ? '200 OK' : `404 ${LINE}`;
    const head = `HTTP/1.1 ${first}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    socket.end(`${head}Connection: close\r\n\r\n${body}`, 'latin1');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  mirror = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
});
afterAll(() => {
  server.close();
  depot.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

async function spoiledRoot(): Promise<string> {
  const context = depot.root();
  await install(context, 'web');
  const { root } = context;
  writeFileSync(join(root, 'etc/web.conf'), `a = ${EVIL}\n`);
  writeFileSync(join(root, 'etc/web.conf.icepkg-new'), `b = ${EVIL}\n`);
  writeFileSync(join(root, 'usr/bin', EVIL), 'of nobody');
  chmodSync(join(root, 'usr/bin', EVIL), 0o4777);
  const database = new Database(join(root, STATE_FILE));
  const row = database.prepare('SELECT record FROM packages').get() as { record: string };
  const record = { ...(JSON.parse(row.record) as object), description: LINE, license: LINE, depends: [LINE] };
  database.prepare('UPDATE packages SET record = ?, repository = ?').run(JSON.stringify(record), LINE);
  database
    .prepare("INSERT INTO files VALUES (?, 'web', 'file', 420, 0, 0, 0, NULL, NULL, 0, ?, NULL)")
    .run(`usr/${LINE}`, LINE);
  database.prepare('UPDATE history SET description = ?, user = ?').run(LINE, LINE);
  database.prepare('UPDATE changes SET reason = ?, repository = ?').run(LINE, LINE);
  database.prepare('INSERT INTO world VALUES (9, ?)').run(LINE);
  database.prepare('INSERT INTO holds VALUES (?)').run(LINE);
  database.prepare('INSERT INTO pins VALUES (?, ?)').run(LINE, LINE);
  database.close();
  return root;
}

describe('every command', async () => {
  const { commands } = await buildCommandTable();
  test.each(commands.map(({ id }) => id))('%s quotes its arguments harmlessly', async (id) => {
    const [home] = [process.cwd(), process.chdir(folder)];
    try {
      const words = id.split(':');
      const root = commands.find((one) => one.id === id)?.flags.some(({ name }) => name === 'root');
      const at = root === true ? ['--root', spoiled] : [];
      await expectHarmless(...words, ...at, EVIL, EVIL, EVIL);
      await expectHarmless(...words, ...at, `--${EVIL}`);
    } finally {
      process.chdir(home);
    }
  });
});

test.each([
  'list',
  'info web',
  'files web',
  'owns /etc/web.conf',
  'why web',
  'history',
  'history 1',
  'world',
  'verify',
  'audit',
  'doctor --offline',
  'config list',
  'config diff /etc/web.conf',
  'remove web --dry-run',
  'upgrade --dry-run',
  'install web --dry-run',
  'rollback --dry-run',
])('a root whose every text is hostile: %s', async (command) => {
  await expectHarmless(...command.split(' '), '--root', spoiled);
});

test.each(['update', 'install web --yes', 'download web', 'search', 'doctor', 'repo list', 'image lock x'])(
  'a mirror whose answers are hostile: %s',
  async (command) => {
    const { root } = depot.root({ mirror: `${mirror}/${LINE.replaceAll(/[\u0000-\u001f]/g, '')}` });
    await expectHarmless(...command.split(' '), ...(command.startsWith('image') ? [] : ['--root', root]));
  },
);

test('a configuration that is hostile', async () => {
  const { root } = depot.root();
  for (const text of [`${quoted(EVIL)} = 1`, `a = ${EVIL}`, `[[repository]]\nname = ${quoted(EVIL)}`]) {
    writeFileSync(join(root, 'etc/icepkg/repositories.toml'), `${text}\n`);
    for (const command of ['list', 'update', 'repo list', 'doctor', 'install web'])
      await expectHarmless(...command.split(' '), '--root', root);
  }
});

test('a package whose every text is hostile', async () => {
  const file = join(folder, 'evil.icepkg');
  const spoils: readonly ((manifest: object) => object)[] = [
    (manifest) => ({ ...manifest, [EVIL]: 1 }),
    (manifest) => ({ ...manifest, name: EVIL }),
    (manifest) => ({ ...manifest, description: EVIL }),
    (manifest) => ({ ...manifest, services: [{ name: 'x', command: ['/x'], environment: { [EVIL]: 'x' } }] }),
    (manifest) => ({ ...manifest, scripts: { postInstall: EVIL, [EVIL]: EVIL } }),
  ];
  const { root } = depot.root();
  for (const spoil of spoils) {
    writeFileSync(file, await forge(spoil));
    await expectHarmless('info', file);
    await expectHarmless('files', file);
    await expectHarmless('diff', file, file);
    await expectHarmless('repo', 'add', depot.repository, file);
    await expectHarmless('install', file, '--allow-untrusted', '--yes', '--root', root);
  }
});

test('a script that writes hostile text', async () => {
  for (const more of [[], ['--json']]) {
    const context = depot.root();
    addShell(context);
    const { stdout, stderr } = await icepkg('install', 'loud', '--yes', '--root', context.root, ...more);
    expect(`${stdout}${stderr}`.match(raw)).toBeNull();
    expect(`${stdout}${stderr}`).not.toMatch(/^FORGED/mu);
    expect(`${stdout}${stderr}`).toContain('FORGED');
  }
});

test('a repository whose every text is hostile', async () => {
  const repository = join(folder, 'repository');
  mkdirSync(repository);
  for (const text of [EVIL, `{${quoted(EVIL)}: 1}`]) {
    for (const name of ['repository.json', 'icepkg-repository.json'])
      writeFileSync(join(repository, name), text);
    for (const command of ['status', 'publish', 'rotate', 'remove', 'serve'])
      await expectHarmless('repo', command, repository, ...(command === 'remove' ? [EVIL] : []));
  }
});

describe('recipes', () => {
  const recipe = (name: string, text: string, files: Readonly<Record<string, string>> = {}): string => {
    const home = join(folder, 'recipes', name);
    mkdirSync(home, { recursive: true });
    for (const [file, content] of Object.entries({ ...files, 'recipe.yaml': text }))
      writeFileSync(join(home, file), content);
    return join(home, 'recipe.yaml');
  };
  const head = (name: string): string => `name: ${name}\nversion: "1.0.0"\nlicense: MIT\narch: noarch\n`;
  const where = (): string[] => ['--recipes', join(folder, 'recipes'), '--cache', join(folder, 'cache')];

  test.each([
    ['key', `${quoted(EVIL)}: 1\n`],
    ['text', `description: ${quoted(EVIL)}\n`],
    ['list', `depends: [${quoted(EVIL)}]\n`],
    ['not-yaml', `a: [${EVIL}\n`],
    ['option', `options: {${quoted(EVIL)}: {default: true}}\n`],
  ])('with a hostile %s', async (name, text) => {
    const file = recipe(name, head(name) + text);
    for (const command of ['lint', 'graph', 'outdated', 'bump', 'why-rebuild'])
      await expectHarmless('recipe', command, file, ...(command === 'bump' ? ['2.0.0'] : []));
    await expectHarmless('build', file, '--output', join(folder, 'out'), ...where());
  });

  test('the log of a build that fails', async () => {
    const text = `${head('loud')}install: |\n  printf '\\033[2J\\233\\007\\nFORGED' >&2\n  exit 1\n`;
    const file = recipe('loud', text);
    const { stderr } = await expectHarmless('build', file, '--output', join(folder, 'out'), ...where());
    expect(stderr).toContain('FORGED');
  });

  test('a patch that does not apply', async () => {
    const patch = `--- a/${LINE}\n+++ b/${LINE}\n@@ -1 +1 @@\n-${LINE}\n+${LINE}\n`;
    const file = recipe('patched', `${head('patched')}patches: [x.patch]\ninstall: "true"\n`, {
      'x.patch': patch,
    });
    await expectHarmless('build', file, '--output', join(folder, 'out'), ...where());
  });

  test('files of other systems', async () => {
    for (const [name, text] of [
      ['APKBUILD', `pkgname=x\npkgver="${EVIL}"\npkgdesc="${EVIL}"\nbuild() {\n\t${EVIL}\n}\n`],
      ['melange.yaml', `package:\n  name: x\n  version: ${quoted(EVIL)}\n  ${quoted(EVIL)}: 1\n`],
      ['PKGBUILD', `pkgname=x\npkgver="${EVIL}"\n${EVIL}\n`],
    ] as const) {
      const home = join(folder, 'foreign', name);
      mkdirSync(home, { recursive: true });
      writeFileSync(join(home, name), text);
      await expectHarmless('recipe', 'import', join(home, name), '--output', join(folder, 'imported'));
    }
  });

  test('a folder to pack', async () => {
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    writeFileSync(join(tree, EVIL), 'x');
    const manifest = join(folder, 'pack.yaml');
    for (const text of [
      'name: x\nversion: 1.0.0-r0\narch: noarch\n',
      `${quoted(EVIL)}: 1\n`,
      `a: [${EVIL}`,
    ]) {
      writeFileSync(manifest, text);
      await expectHarmless('pack', tree, '--manifest', manifest, '--output', join(folder, 'packed'));
    }
  });
});

test('an image definition whose every text is hostile', async () => {
  const systems = join(folder, 'images/systems');
  mkdirSync(systems, { recursive: true });
  for (const text of [`${quoted(EVIL)}: 1\n`, `name: ${quoted(EVIL)}\n`, `a: [${EVIL}\n`]) {
    writeFileSync(join(systems, 'evil.yaml'), text);
    for (const command of ['build', 'lock', 'run', 'test'])
      await expectHarmless('image', command, 'evil', '--images', join(folder, 'images'), '--board', 'x');
  }
});
