/**
 * Repositories that are wrong, in a folder met by the engine and over HTTP met by the real program: each ends with an error that
 * names the thing and a way out, leaves the root as it was, and is over once the repository is whole again.
 */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { changeWorld } from '#engine/change-world';
import { attachRepository } from '#engine/config-attach';
import { openContext } from '#engine/context';
import { loadIndexes } from '#engine/client/load-indexes';
import { initRoot } from '#engine/init-root';
import { installRequest, upgradeRequest } from '#engine/requests';
import { readStore } from '#engine/queries/read-store';
import { publish } from '#repo-server/publish';
import { openEncoder } from '#schema/container/codec';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { signMetadata } from '#schema/tuf/metadata';
import { runIcepkg, type Run } from '../cli/icepkg.ts';
import { serveFrom } from './serve-from.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

const METADATA = 'channels/stable/metadata';
const PACKAGE = 'packages/x86_64/zlib-1.1.0-r0.x86_64.icepkg';
let depot: Depot;
/** The repository with zlib 1.0.0 only, and with 1.1.0 too. */
let old: string;
let fresh: string;
/** What the machine asks: a copy that is damaged, behind a server that may misbehave. */
let mirror: string;
let root: string;
let server: Server;
let misbehave: RequestListener | undefined;
let count = 0;

beforeAll(async () => {
  depot = await makeDepot();
  [old, fresh] = ['old', 'fresh'].map((name) => join(depot.folder, name)) as [string, string];
  const files = { 'usr/lib/libz.so.1': 'old code' };
  await depot.publish({ name: 'zlib', version: '1.0.0-r0', files });
  cpSync(depot.repository, old, { recursive: true });
  await depot.publish({ name: 'zlib', version: '1.1.0-r0', files: { 'usr/lib/libz.so.1': 'new code' } });
  cpSync(depot.repository, fresh, { recursive: true });
});
afterAll(() => depot.dispose());

beforeEach(async () => {
  root = join(depot.folder, `machine-${++count}`);
  mirror = join(depot.folder, `mirror-${count}`);
  cpSync(old, mirror, { recursive: true });
  misbehave = undefined;
  server = createServer((request, response) => {
    if (misbehave !== undefined) return misbehave(request, response);
    return serveFile(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const serveFile: RequestListener = (request, response) => serveFrom(mirror, request, response);

type Kind = 'folder' | 'http';
const addressOf = (kind: Kind): string =>
  kind === 'folder' ? mirror : `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** A machine with zlib 1.0.0; its mirror then becomes the damaged newer repository. */
async function machine(...mirrors: string[]): Promise<void> {
  initRoot(root, { arch: 'x86_64' });
  const network = '[network]\ntimeout = 1\nminimumRate = 1000\nattempts = 1\n';
  writeFileSync(join(root, 'etc/icepkg/icepkg.toml'), `sync = false\n${network}`);
  attachRepository(root, { name: 'main', mirrors, trustedRoot: depot.trustedRoot });
  const context = openContext({ root, arch: 'x86_64', sync: false });
  await changeWorld(context, { ...installRequest(['zlib']), dryRun: false, confirm: () => true });
  renew();
}

function renew(from = fresh): void {
  rmSync(mirror, { recursive: true });
  cpSync(from, mirror, { recursive: true });
}

const icepkg = (...words: string[]): Promise<Run> => runIcepkg([...words, '--root', root]);

const installed = (): unknown => [
  readStore(root, (store) => store.installedPackages().map(({ record }) => record.version)),
  readFileSync(join(root, 'usr/lib/libz.so.1'), 'utf8'),
];

interface Expected {
  readonly status: number;
  readonly message: RegExp;
  readonly words?: readonly string[];
}

const upgrade = async (): Promise<unknown> => {
  const context = openContext({ root, arch: 'x86_64', sync: false });
  return changeWorld(context, { ...upgradeRequest(context, []), dryRun: false, confirm: () => true });
};

/** The same without a process of its own, as the program would put it. */
async function engine(...[command]: readonly string[]): Promise<Run> {
  const context = openContext({ root, arch: 'x86_64', sync: false });
  try {
    await (command === 'update' ? loadIndexes(context, { refresh: 'force' }) : upgrade());
    return { status: 0, stdout: '', stderr: '' };
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    const stderr = `icepkg: ${error.message}\nhint: ${error.hint ?? ''}\n`;
    return { status: error.exitStatus, stdout: '', stderr };
  }
}

/** Runs the command against what is damaged, then against what is whole. */
async function refuses({ status, message, words = ['update'] }: Expected, run = icepkg): Promise<void> {
  const before = installed();
  const trusted = readFileSync(join(root, 'var/lib/ice-pkg/trust/main/stable/timestamp.json'));
  const told = await run(...words);
  expect(told).toMatchObject({ status, stderr: expect.stringMatching(message) });
  expect(told.stderr).toMatch(/^icepkg: .+\nhint: .+\n/m);
  expect(installed()).toEqual(before);
  const left = JSON.parse(
    readFileSync(join(root, 'var/lib/ice-pkg/trust/main/stable/timestamp.json'), 'utf8'),
  );
  expect(left.signed.version).toBeGreaterThanOrEqual(JSON.parse(trusted.toString()).signed.version);
  misbehave = undefined;
  renew();
  await publish(mirror, { keys: [depot.key] });
  await upgrade();
  expect(installed()).toEqual([['1.1.0-r0'], 'new code']);
}

interface Draft {
  version: number;
  expires: string;
  meta?: Record<string, unknown>;
  targets?: Record<string, unknown>;
}
const readDraft = (name: string): Draft =>
  (JSON.parse(readFileSync(join(mirror, METADATA, name), 'utf8')) as { signed: Draft }).signed;
const writeDraft = (name: string, draft: Draft): { version: number; length: number; hashes: object } => {
  const bytes = signMetadata(draft, [depot.key]);
  writeFileSync(join(mirror, METADATA, name), bytes);
  return { version: draft.version, length: bytes.length, hashes: { sha256: sha256(bytes) } };
};

/** Publishes properly signed targets that were changed by `edit`. */
function resign(edit: (draft: Draft) => void): void {
  const targets = readDraft('2.targets.json');
  edit(targets);
  const snapshot = readDraft('2.snapshot.json');
  const timestamp = readDraft('timestamp.json');
  snapshot.meta = { 'targets.json': writeDraft('2.targets.json', targets) };
  timestamp.meta = { 'snapshot.json': writeDraft('2.snapshot.json', snapshot) };
  writeDraft('timestamp.json', timestamp);
}

const shardFile = (): string => {
  const folder = join(mirror, 'targets/index/x86_64');
  const { targets = {} } = readDraft('2.targets.json');
  const { hashes } = targets['index/x86_64/00.json.zst'] as { hashes: { sha256: string } };
  return join(folder, `${hashes.sha256}.00.json.zst`);
};

const damages: [string, () => void | Promise<void>, Expected][] = [
  [
    'unsigned',
    () => {
      const file = join(mirror, METADATA, 'timestamp.json');
      const document = JSON.parse(readFileSync(file, 'utf8')) as object;
      writeFileSync(file, JSON.stringify({ ...document, signatures: [] }));
    },
    { status: 6, message: /timestamp\.json: signed by 0 of the 1 trusted keys/ },
  ],
  [
    'expired',
    async () => void (await publish(mirror, { keys: [depot.key], now: new Date('2020-01-01T00:00:00Z') })),
    { status: 6, message: /timestamp\.json: expired at 2020-/ },
  ],
  [
    'another channel of the same keys',
    async () => {
      await publish(mirror, { keys: [depot.key], channel: 'beta' });
      const beta = join(mirror, 'channels/beta/metadata');
      for (let version = 2; version < 9; version++)
        await publish(mirror, { keys: [depot.key], channel: 'beta' });
      rmSync(join(mirror, METADATA), { recursive: true });
      cpSync(beta, join(mirror, METADATA), { recursive: true });
    },
    { status: 6, message: /timestamp\.json: is of the channel "beta", not of stable/ },
  ],
  [
    'a snapshot of another size',
    () => appendFileSync(join(mirror, METADATA, '2.snapshot.json'), '\n'),
    { status: 7, message: /2\.snapshot\.json: longer than the \d+ bytes expected/ },
  ],
  [
    'targets cut short',
    () => truncateSync(join(mirror, METADATA, '2.targets.json'), 100),
    { status: 6, message: /2\.targets\.json: is 100 bytes long, expected \d+/ },
  ],
  [
    'a web page as timestamp',
    () => writeFileSync(join(mirror, METADATA, 'timestamp.json'), '<!doctype html><title>Log in</title>'),
    { status: 6, message: /timestamp\.json: / },
  ],
  [
    'a snapshot that is missing',
    () => rmSync(join(mirror, METADATA, '2.snapshot.json')),
    { status: 7, message: /2\.snapshot\.json: not found/ },
  ],
  [
    'an index of other bytes',
    () => {
      const bytes = readFileSync(shardFile());
      writeFileSync(shardFile(), bytes.fill(0, 10, 20));
    },
    { status: 6, message: /00\.json\.zst: its sha256 is not the one that is signed/ },
  ],
  ['an index that is missing', () => rmSync(shardFile()), { status: 7, message: /00\.json\.zst: not found/ }],
  [
    'an index that unpacks without end',
    async () => {
      const bytes = await openEncoder('zstd', 1).encode(Buffer.alloc(300 * 1024 * 1024));
      expect(bytes.length).toBeLessThan(1_000_000);
      const hashes = { sha256: sha256(bytes) };
      const file = join(mirror, `targets/index/x86_64/${hashes.sha256}.00.json.zst`);
      resign(({ targets = {} }) => (targets['index/x86_64/00.json.zst'] = { length: bytes.length, hashes }));
      writeFileSync(file, bytes);
    },
    { status: 4, message: /main: index\/x86_64\/00\.json\.zst: .*(larger|longer|more) than/ },
  ],
  [
    'a package that is missing',
    () => rmSync(join(mirror, PACKAGE)),
    { status: 7, message: /zlib-1\.1\.0-r0/, words: ['upgrade', '--yes'] },
  ],
  [
    'a package that changed after publishing',
    () => {
      const bytes = readFileSync(join(mirror, PACKAGE));
      writeFileSync(join(mirror, PACKAGE), bytes.fill(0, bytes.length - 20));
    },
    { status: 5, message: /zlib-1\.1\.0-r0/, words: ['upgrade', '--yes'] },
  ],
  [
    'a package cut short',
    () => truncateSync(join(mirror, PACKAGE), 100),
    { status: 5, message: /zlib-1\.1\.0-r0/, words: ['upgrade', '--yes'] },
  ],
];

for (const kind of ['folder', 'http'] as const) {
  test.each(damages)(`${kind}: %s`, async (_, damage, expected) => {
    await machine(addressOf(kind));
    await damage();
    await refuses(expected, kind === 'folder' ? engine : icepkg);
  });

  test(`${kind}: rolled back`, async () => {
    await machine(addressOf(kind));
    expect((await icepkg('update')).status).toBe(0);
    renew(old);
    await refuses({ status: 6, message: /timestamp\.json: has version 1, but version 2 was seen before/ });
  });
}

test.each<[string, RequestListener, Expected]>([
  [
    'a web page with status 200',
    (_, response) => response.setHeader('content-type', 'text/html').end('<html>'),
    { status: 7, message: /the server answers with a web page/ },
  ],
  [
    'a metadata file without end',
    (request, response) => {
      if (request.url?.endsWith('timestamp.json') !== true) return serveFile(request, response);
      const more = (): void => {
        while (response.write(Buffer.alloc(4096, ' ')));
      };
      response.on('drain', more);
      return more();
    },
    { status: 7, message: /timestamp\.json: longer than the 16384 bytes expected/ },
  ],
  [
    'a package that drips',
    (request, response) => {
      if (request.url?.endsWith('.icepkg') !== true) return serveFile(request, response);
      const timer = setInterval(() => response.write('x'), 100);
      return response.on('close', () => clearInterval(timer));
    },
    { status: 7, message: /zlib-1\.1\.0.*slower than 1000 bytes a second/, words: ['upgrade', '--yes'] },
  ],
  [
    'a server that is down',
    (_, response) => response.destroy(),
    { status: 7, message: /timestamp\.json|root\.json: / },
  ],
  [
    'a server that answers 500',
    (_, response) => response.writeHead(500).end(),
    { status: 7, message: /the server answers 500/ },
  ],
])('http: %s', async (_, listener, expected) => {
  await machine(addressOf('http'));
  misbehave = listener;
  await refuses(expected);
});

test('a wrong answer to a range is not pieced together', async () => {
  await machine(addressOf('http'));
  const bytes = readFileSync(join(mirror, PACKAGE));
  const cache = join(root, 'var/cache/icepkg/packages', `${sha256(bytes)}.icepkg.part`);
  mkdirSync(dirname(cache), { recursive: true });
  writeFileSync(cache, bytes.subarray(0, 50));
  misbehave = (request, response) => {
    if (request.headers.range === undefined) return serveFile(request, response);
    return response.writeHead(206, { 'content-range': `bytes 0-9/${bytes.length}` }).end('0123456789');
  };
  expect(await icepkg('upgrade', '--yes')).toMatchObject({ status: 0 });
  expect(installed()).toEqual([['1.1.0-r0'], 'new code']);
});

test('the second mirror takes over, for metadata and for packages', async () => {
  const second = join(depot.folder, `second-${count}`);
  cpSync(old, second, { recursive: true });
  await machine(addressOf('http'), second);
  rmSync(second, { recursive: true });
  cpSync(fresh, second, { recursive: true });
  misbehave = (request, response) =>
    request.url?.endsWith('.icepkg') === true
      ? response.end('nonsense')
      : response.setHeader('content-type', 'text/html').end('<html>');
  expect(await icepkg('upgrade', '--yes')).toMatchObject({ status: 0 });
  expect(installed()).toEqual([['1.1.0-r0'], 'new code']);
});

test('where all mirrors fail each is named', async () => {
  const second = join(depot.folder, `second-${count}`);
  cpSync(old, second, { recursive: true });
  await machine(addressOf('http'), second);
  rmSync(second, { recursive: true });
  misbehave = (_, response) => response.writeHead(500).end();
  const { status, stderr } = await icepkg('update');
  expect(status).toBe(7);
  expect(stderr).toMatch(/repository main: all 2 mirrors fail: http:.* answers 500; .*timestamp\.json/);
});

test.each([['2.snapshot.json'], ['2.targets.json']])(
  'a mirror that is half copied, without %s, leaves what was fetched before in use',
  async (name = '') => {
    await machine(addressOf('http'));
    rmSync(join(mirror, METADATA, name));
    expect(await icepkg('update')).toMatchObject({ status: 7, stderr: expect.stringContaining(name) });
    for (const words of [[], ['--offline']]) {
      const { status, stdout } = await icepkg('search', 'zlib', ...words);
      expect([status, stdout]).toEqual([0, expect.stringContaining('1.0.0-r0')]);
    }
    renew();
    expect(await icepkg('upgrade', '--yes')).toMatchObject({ status: 0 });
    expect(installed()).toEqual([['1.1.0-r0'], 'new code']);
  },
);

test('a network that is gone leaves what was fetched before in use, and says so', async () => {
  await machine(addressOf('http'));
  misbehave = (_, response) => response.destroy();
  const { status, stdout, stderr } = await icepkg('search', 'zlib');
  expect([status, stdout]).toEqual([0, expect.stringContaining('1.0.0-r0')]);
  expect(stderr).toMatch(/^warning: .*going on with the cached index/m);
  expect(readdirSync(join(root, 'var/cache/icepkg'))).toContain('index');
});
