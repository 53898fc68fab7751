/**
 * Each attack that the papers on software updates name, tried on the real program by a repository that the real
 * `icepkg repo serve` serves. The attacker owns the mirror and the network and, where a test says so, stolen keys.
 */
import type { ChildProcess } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { changeWorld } from '#engine/change-world';
import { attachRepository } from '#engine/config-attach';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { readStore } from '#engine/queries/read-store';
import { installRequest, upgradeRequest } from '#engine/requests';
import { addPackages } from '#repo-server/add';
import { initFromRoot } from '#repo-server/init';
import { publish } from '#repo-server/publish';
import { currentRoot, draftFirstRoot, draftNextRoot, publishRoot, signRoot } from '#repo-server/root-change';
import { decodeFirstFrame, openEncoder } from '#schema/container/codec';
import { sha256 } from '#schema/digest';
import { generateKey, keyId, type PrivateKey } from '#schema/keys';
import { signMetadata } from '#schema/tuf/metadata';
import { runIcepkg, type Run } from '../cli/icepkg.ts';
import { clockAhead } from '../support/clock.ts';
import { makeDepot, type Depot } from '../support/repository.ts';
import { serveRepository } from '../support/served-repository.ts';

const METADATA = 'channels/stable/metadata';
const ZLIB = 'packages/x86_64/zlib-1.1.0-r0.x86_64.icepkg';
const TELNETD = 'packages/x86_64/telnetd-1.0.0-r0.x86_64.icepkg';
/** Two of three people change the root; an index key offline; one key online. */
const people = [generateKey(), generateKey(), generateKey()] as const;
const [targets, online] = [generateKey(), generateKey()];

let mallory: Depot;
let depot: Depot;
/** What the publisher published: zlib 1.0.0 and telnetd, and then zlib 1.1.0. */
let before: string;
let after: string;
/** What the attacker's server serves. */
let mirror: string;
let served: ChildProcess;
let address: string;
let trustedRoot: string;
let root: string;
let machines = 0;

beforeAll(async () => {
  [depot, mallory] = await Promise.all([makeDepot(), makeDepot()]);
  [before, after] = ['before', 'after'].map((name) => join(depot.folder, name)) as [string, string];
  const draft = draftFirstRoot({
    root: { keys: people.map((key) => key.public), threshold: 2 },
    targets: { keys: [targets.public], threshold: 1 },
    snapshot: { keys: [online.public], threshold: 1 },
    timestamp: { keys: [online.public], threshold: 1 },
  });
  const first = signRoot(draft, [people[0], people[1]]);
  trustedRoot = join(depot.folder, 'trusted.json');
  writeFileSync(trustedRoot, first);
  await initFromRoot(after, { name: 'main', root: first });
  const telnetd = { name: 'telnetd', files: { 'usr/bin/telnetd': 'open to all' } };
  await addPackages(
    after,
    await depot.pack({ ...zlib('1.0.0-r0'), files: { [LIBRARY]: 'old code' } }, telnetd),
  );
  await publish(after, { keys: [targets, online] });
  cpSync(after, before, { recursive: true });
  await addPackages(after, await depot.pack({ ...zlib('1.1.0-r0'), files: { [LIBRARY]: 'new code' } }));
  await publish(after, { keys: [targets, online] });
  const evil = { ...zlib('1.1.0-r0'), files: { [LIBRARY]: 'evil code' } };
  await mallory.publish(evil);
  await mallory.publish({ name: 'telnetd' });
  await mallory.publish({ name: 'rootkit' });
});
afterAll(() => {
  depot.dispose();
  mallory.dispose();
});

beforeEach(async () => {
  mirror = join(depot.folder, `mirror-${++machines}`);
  renew(before);
  ({ url: address, server: served } = await serveRepository(mirror));
});
afterEach(() => served.kill());

const LIBRARY = 'usr/lib/libz.so.1';
const zlib = (version: string) => ({ name: 'zlib', version });

function renew(from: string): void {
  rmSync(mirror, { recursive: true, force: true });
  cpSync(from, mirror, { recursive: true });
}

/** A machine that installed zlib 1.0.0 while the mirror was honest. */
async function machine(...mirrors: string[]): Promise<void> {
  root = join(depot.folder, `machine-${machines}`);
  initRoot(root, { arch: 'x86_64' });
  const network = '[network]\ntimeout = 1\nminimumRate = 1000\nattempts = 1\n';
  writeFileSync(join(root, 'etc/icepkg/icepkg.toml'), `sync = false\n${network}`);
  attachRepository(root, { name: 'main', mirrors, trustedRoot });
  await change(() => installRequest(['zlib']));
}

async function change(request: (context: EngineContext) => ReturnType<typeof installRequest>): Promise<void> {
  const context = openContext({ root, arch: 'x86_64', sync: false });
  await changeWorld(context, { ...request(context), dryRun: false, confirm: () => true });
}

const icepkg = (words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> =>
  runIcepkg([...words, '--root', root], env);
const UPDATE = ['update'];
const UPGRADE = ['upgrade', '--yes'];

const installed = (): unknown => [
  readStore(root, (store) =>
    store.installedPackages().map(({ record }) => `${record.name} ${record.version}`),
  ),
  readFileSync(join(root, LIBRARY), 'utf8'),
];
const OLD = [['zlib 1.0.0-r0'], 'old code'];
const NEW = [['zlib 1.1.0-r0'], 'new code'];

interface Refusal {
  readonly status: number;
  readonly message: RegExp;
}

/** The command fails for that reason and changes nothing; once the mirror is honest again, the update arrives. */
async function refuses(words: readonly string[], { status, message }: Refusal, env = {}): Promise<void> {
  expect(await icepkg(words, env)).toMatchObject({ status, stderr: expect.stringMatching(message) });
  expect(installed()).toEqual(OLD);
}
async function recovers(from = after): Promise<void> {
  renew(from);
  await change((context) => upgradeRequest(context, []));
  expect(installed()).toEqual(NEW);
}

const fileOf = (name: string): string => join(mirror, METADATA, name);
interface Draft {
  version: number;
  meta?: Record<string, unknown>;
  targets?: Record<string, { readonly hashes: { readonly sha256: string } }>;
}
const draftOf = (name: string): Draft =>
  (JSON.parse(readFileSync(fileOf(name), 'utf8')) as { signed: Draft }).signed;

/** Puts a file signed by the key on the mirror. @returns what its parent says of it */
function forge(name: string, draft: Draft, key: PrivateKey): Record<string, unknown> {
  const bytes = signMetadata(draft, [key]);
  writeFileSync(fileOf(name), bytes);
  return { version: draft.version, length: bytes.length, hashes: { sha256: sha256(bytes) } };
}

/** With the key that is online: snapshot and timestamp that name these targets, newer than any seen. */
function forgeOnline(meta: Record<string, unknown>): void {
  const snapshot = { ...draftOf('2.snapshot.json'), version: 9, meta: { 'targets.json': meta } };
  const named = { 'snapshot.json': forge('9.snapshot.json', snapshot, online) };
  forge('timestamp.json', { ...draftOf('timestamp.json'), version: 9, meta: named }, online);
}

const framesOf = (file: string) => {
  const parts = [readFileSync(file)];
  return () => parts.pop() ?? Buffer.alloc(0);
};

/** Lets zlib 1.1.0 depend on telnetd. */
async function addDependency(): Promise<void> {
  const { targets: paths = {} } = draftOf('2.targets.json');
  for (const [path, { hashes }] of Object.entries(paths)) {
    const [, folder = '', name = ''] = /^(.*\/)([^/]+)$/.exec(path) ?? [];
    const file = join(mirror, 'targets', folder, `${hashes.sha256}.${name}`);
    const { bytes } = decodeFirstFrame('zstd', framesOf(file), 1_000_000);
    const shard = JSON.parse(Buffer.from(bytes).toString()) as {
      packages: { name: string; depends?: string[] }[];
    };
    for (const record of shard.packages) if (record.name === 'zlib') record.depends = ['telnetd'];
    writeFileSync(file, await openEncoder('zstd').encode(Buffer.from(JSON.stringify(shard))));
  }
}

describe('the attacker owns the mirror', () => {
  beforeEach(() => machine(address));

  test.each<[string, () => void | Promise<void>, readonly string[], Refusal]>([
    [
      'arbitrary software, in a repository of its own',
      () => renew(mallory.repository),
      UPDATE,
      { status: 6, message: /timestamp\.json: signed by 0 of the 1 trusted keys/ },
    ],
    [
      'arbitrary software, by a root of its own',
      () => {
        renew(mallory.repository);
        forge('2.root.json', { ...draftOf('1.root.json'), version: 2 }, mallory.key);
      },
      UPDATE,
      { status: 6, message: /2\.root\.json: signed by 0 of the 2 trusted keys/ },
    ],
    [
      'arbitrary software, under the name of a package',
      () => cpSync(join(mallory.repository, ZLIB), join(mirror, ZLIB)),
      UPGRADE,
      { status: 5, message: /zlib-1\.1\.0-r0/ },
    ],
    [
      'wrong software: another package of the same publisher',
      () => cpSync(join(mirror, TELNETD), join(mirror, ZLIB)),
      UPGRADE,
      { status: 5, message: /zlib-1\.1\.0-r0/ },
    ],
    [
      'extraneous dependencies',
      addDependency,
      UPGRADE,
      { status: 7, message: /00\.json\.zst: longer than the \d+ bytes expected/ },
    ],
    [
      'mix and match: the targets of before under the snapshot of after',
      () => cpSync(fileOf('1.targets.json'), fileOf('2.targets.json')),
      UPDATE,
      { status: 6, message: /2\.targets\.json: (is \d+ bytes long|its sha256)/ },
    ],
  ])('%s', async (_, attack, words, refusal) => {
    renew(after);
    await attack();
    await refuses(words, refusal);
    await recovers();
  });

  test('rollback: what was served before', async () => {
    renew(after);
    expect(await icepkg(UPDATE)).toMatchObject({ status: 0 });
    renew(before);
    await refuses(UPDATE, {
      status: 6,
      message: /timestamp\.json: has version 1, but version 2 was seen before/,
    });
    await recovers();
  });

  test('freeze: what is new is withheld, and that is noticed once the timestamp has expired', async () => {
    expect(await icepkg(UPDATE)).toMatchObject({ status: 0 });
    const later = { NODE_OPTIONS: clockAhead(4000) };
    await refuses(UPDATE, { status: 6, message: /expired at / }, later);
    await refuses(UPGRADE, { status: 6, message: /expired at / }, later);
    await recovers();
  });
});

describe('the attacker stole', () => {
  beforeEach(() => machine(address));

  test('the key that is online: it signs no packages of its own', async () => {
    renew(after);
    const draft = draftOf('2.targets.json');
    forgeOnline(forge('9.targets.json', { ...draft, version: 9, targets: {} }, online));
    await refuses(UPDATE, { status: 6, message: /9\.targets\.json: signed by 0 of the 1 trusted keys/ });
  });

  test('the key that is online: it brings back no older packages', async () => {
    renew(after);
    expect(await icepkg(UPDATE)).toMatchObject({ status: 0 });
    forgeOnline({ version: 1 });
    await refuses(UPDATE, { status: 6, message: /names version 1 of targets\.json, but 2 was seen before/ });
  });

  test('the key that is online, for a fast-forward: a new root takes it back', async () => {
    const honest = join(depot.folder, 'recovered');
    cpSync(after, honest, { recursive: true });
    renew(after);
    forge('timestamp.json', { ...draftOf('timestamp.json'), version: 2_000_000_000 }, online);
    expect(await icepkg(UPDATE)).toMatchObject({ status: 0 });
    renew(honest);
    await refuses(UPDATE, { status: 6, message: /but version 2000000000 was seen before/ });
    const fresh = generateKey();
    const draft = draftNextRoot(honest, { replace: [{ old: keyId(online.public), by: fresh.public }] });
    await publishRoot(honest, signRoot(draft, [people[1], people[2]], currentRoot(honest).signed));
    await publish(honest, { keys: [targets, fresh] });
    await recovers(honest);
  });

  test('the key of the index: without the one that is online nothing of it is served', async () => {
    renew(after);
    const draft = { ...draftOf('2.targets.json'), version: 9, targets: {} };
    const named = { 'targets.json': forge('9.targets.json', draft, targets) };
    const meta = forge(
      '9.snapshot.json',
      { ...draftOf('2.snapshot.json'), version: 9, meta: named },
      targets,
    );
    const timestamp = { ...draftOf('timestamp.json'), version: 9, meta: { 'snapshot.json': meta } };
    forge('timestamp.json', timestamp, targets);
    await refuses(UPDATE, { status: 6, message: /timestamp\.json: signed by 0 of the 1 trusted keys/ });
    await recovers();
  });

  test('one of two keys of the root: it changes nothing', async () => {
    renew(after);
    forge('2.root.json', { ...draftOf('1.root.json'), version: 2 }, people[0]);
    await refuses(UPDATE, { status: 6, message: /2\.root\.json: signed by 1 of the 2 trusted keys/ });
    await recovers();
  });
});

describe('the attacker owns the network', () => {
  let network: Server;
  /** What becomes of an answer whose address ends so. */
  let attacked = '';
  let attack: RequestListener;

  beforeEach(async () => {
    attacked = 'nothing';
    network = createServer((request, response) => {
      if (request.url?.endsWith(attacked) === true) return attack(request, response);
      void fetch(address + (request.url ?? '')).then(async (answer) =>
        response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer())),
      );
    });
    await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
    await machine(`http://127.0.0.1:${(network.address() as AddressInfo).port}`);
    renew(after);
  });
  afterEach(() => {
    network.closeAllConnections();
    network.close();
  });

  const endless: RequestListener = (_, response) => {
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536, ' ')));
    };
    response.on('drain', more);
    more();
  };
  const dripping: RequestListener = (_, response) => {
    const timer = setInterval(() => response.write(' '), 100);
    response.on('close', () => clearInterval(timer));
  };

  test.each<[string, string, RequestListener, readonly string[], Refusal]>([
    [
      'endless data as metadata',
      'timestamp.json',
      endless,
      UPDATE,
      { status: 7, message: /timestamp\.json: longer than/ },
    ],
    [
      'endless data as a package',
      '.icepkg',
      endless,
      UPGRADE,
      { status: 5, message: /zlib-1\.1\.0.*longer than/ },
    ],
    [
      'slow retrieval of metadata',
      'timestamp.json',
      dripping,
      UPDATE,
      { status: 7, message: /timestamp\.json: slower than/ },
    ],
    [
      'slow retrieval of a package',
      '.icepkg',
      dripping,
      UPGRADE,
      { status: 7, message: /zlib-1\.1\.0.*slower than/ },
    ],
  ])('%s', async (...[, what, how, words, refusal]) => {
    [attacked, attack] = [what, how];
    await refuses(words, refusal);
    attacked = 'nothing';
    await recovers();
  });
});

test('a malicious mirror does not keep updates away while another one is honest', async () => {
  const honest = join(depot.folder, 'honest');
  cpSync(before, honest, { recursive: true });
  await machine(address, honest);
  rmSync(honest, { recursive: true });
  cpSync(after, honest, { recursive: true });
  renew(mallory.repository);
  await change((context) => upgradeRequest(context, []));
  expect(installed()).toEqual(NEW);
});
