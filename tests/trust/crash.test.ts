/** Refreshes that are really killed, and refreshes that race: a trust store never trusts less than before. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKey } from '#schema/keys';
import { openTrustStore } from '#engine/trust/store';
import { refreshTrust } from '#engine/trust/updater';
import { metadataOf, rootOf } from './metadata.ts';

const NOW = new Date('2030-01-01T00:00:00Z');
const child = fileURLToPath(new URL('./store-child.ts', import.meta.url));
let folder: string;
let mirror: string;
let before: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-trust-crash-'));
  mirror = join(folder, 'mirror');
  before = join(folder, 'before');
  mkdirSync(mirror);
  openTrustStore(before).anchor(rootOf(1));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const serve = (files: Iterable<readonly [string, Uint8Array]>): void => {
  for (const [name, bytes] of files) writeFileSync(join(mirror, name), bytes);
};
const argumentsOf = (...words: string[]): string[] => [
  '--conditions=source',
  '--import',
  'tsx',
  child,
  ...words,
];
const refresh = (store: string): Promise<unknown> => {
  const fetch = (name: string): Promise<Uint8Array | undefined> =>
    Promise.resolve(readdirSync(mirror).includes(name) ? readFileSync(join(mirror, name)) : undefined);
  return refreshTrust({ store: openTrustStore(store), fetcher: { base: mirror, fetch }, now: NOW });
};
const versionOf = (store: string, role: string): number => {
  const bytes = openTrustStore(store).read(role);
  return bytes === undefined ? 0 : (JSON.parse(Buffer.from(bytes).toString()) as Envelope).signed.version;
};
interface Envelope {
  readonly signed: { readonly version: number };
}
const ROLES = ['root', 'timestamp', 'snapshot', 'targets'];
const versions = (store: string): number[] => ROLES.map((role) => versionOf(store, role));

/** Kills a refresh from the state `before` at every call that writes; `check` looks at what is left each time. */
function killEverywhere(check: (store: string) => Promise<void>): Promise<number> {
  const whole = spawnSync(process.execPath, argumentsOf(copy('whole'), mirror), { encoding: 'utf8' });
  expect(whole.stderr).toBe('');
  const calls = Number(whole.stdout);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let call = next++; call < calls; call = next++) {
      const store = copy(`killed-${call}`);
      expect([call, await killed(store, call)]).toEqual([call, 'SIGKILL']);
      await check(store);
      rmSync(store, { recursive: true });
    }
  };
  return Promise.all([worker(), worker()]).then(() => calls);
}

function copy(name: string): string {
  const store = join(folder, name);
  cpSync(before, store, { recursive: true });
  return store;
}

function killed(store: string, call: number): Promise<NodeJS.Signals | null> {
  const running = spawn(process.execPath, argumentsOf(store, mirror, String(call)), { stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    running.on('error', reject);
    running.on('close', (_, signal) => resolve(signal));
  });
}

test('killed at each write of an ordinary refresh', async () => {
  serve(metadataOf(4));
  await refresh(before);
  const floor = versions(before);
  serve(metadataOf(5));
  const calls = await killEverywhere(async (store) => {
    for (const [index, version] of versions(store).entries()) {
      expect(version).toBeGreaterThanOrEqual(floor[index] ?? 0);
    }
    await refresh(store);
    expect(versions(store)).toEqual([1, 5, 5, 5]);
  });
  expect(calls).toBeGreaterThan(10);
});

test('killed at each write of a change of keys that takes the floor away', async () => {
  serve(metadataOf(100));
  await refresh(before);
  const online = generateKey();
  serve([['2.root.json', rootOf(2, online)], ...metadataOf(3, { by: online })]);
  const calls = await killEverywhere(async (store) => {
    // The floor goes with the old root and not before it.
    if (versionOf(store, 'root') === 1) expect(versions(store)).toEqual([1, 100, 100, 100]);
    await refresh(store);
    expect(versions(store)).toEqual([2, 3, 3, 3]);
    expect(readdirSync(store)).not.toContain('rotation');
  });
  expect(calls).toBeGreaterThan(10);
});

test('a torn file beside the real one is never taken for it', async () => {
  serve(metadataOf(4));
  await refresh(before);
  writeFileSync(join(before, 'timestamp.json.new'), '{"signatures":[');
  serve(metadataOf(5));
  await refresh(before);
  expect(versions(before)).toEqual([1, 5, 5, 5]);
});

test('a slow refresh does not undo what a faster one came to trust', async () => {
  serve(metadataOf(4));
  await refresh(before);
  const stale = new Map(metadataOf(5));
  serve(metadataOf(6));
  let overtaken = false;
  const fetch = async (name: string): Promise<Uint8Array | undefined> => {
    // Another process finishes a whole refresh while this one waits for its stale mirror.
    if (name === 'timestamp.json' && !overtaken) {
      overtaken = true;
      await refresh(before);
    }
    return stale.get(name);
  };
  const slow = refreshTrust({ store: openTrustStore(before), fetcher: { base: 'stale', fetch }, now: NOW });
  await expect(slow).rejects.toMatchObject({ code: 'trust-rollback' });
  expect(versions(before)).toEqual([1, 6, 6, 6]);
});

test('a refresh that was overtaken by the same news goes on from it', async () => {
  const online = generateKey();
  serve([['2.root.json', rootOf(2, online)], ...metadataOf(7, { by: online })]);
  const files = new Map([['2.root.json', rootOf(2, online)], ...metadataOf(7, { by: online })]);
  const overtakenAt = new Set<string>();
  const fetch = async (name: string): Promise<Uint8Array | undefined> => {
    if (!overtakenAt.has(name)) {
      overtakenAt.add(name);
      await refresh(before);
    }
    return files.get(name);
  };
  await refreshTrust({ store: openTrustStore(before), fetcher: { base: mirror, fetch }, now: NOW });
  expect(versions(before)).toEqual([2, 7, 7, 7]);
});

test('many processes at once', async () => {
  const online = generateKey();
  serve([['2.root.json', rootOf(2, online)], ...metadataOf(9, { by: online })]);
  const runs = Array.from({ length: 6 }, () => {
    const running = spawn(process.execPath, argumentsOf(before, mirror), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let problems = '';
    running.stderr.on('data', (part: Buffer) => (problems += part.toString()));
    return new Promise((resolve) => {
      running.on('close', (status) => resolve([status, problems]));
    });
  });
  expect(await Promise.all(runs)).toEqual(runs.map(() => [0, '']));
  expect(versions(before)).toEqual([2, 9, 9, 9]);
  expect(readdirSync(before).filter((name) => name.endsWith('.new'))).toEqual([]);
});

test('another root that the operator installs starts everything anew, the same one nothing', async () => {
  serve(metadataOf(4));
  await refresh(before);
  const store = openTrustStore(before);
  store.anchor(rootOf(1));
  expect(versions(before)).toEqual([1, 4, 4, 4]);
  store.anchor(rootOf(7));
  expect(versions(before)).toEqual([7, 0, 0, 0]);
  expect(store.clockFloor()).toEqual(new Date(0));
});
