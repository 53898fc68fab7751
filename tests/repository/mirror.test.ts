/** Mirrors and bundles: what arrives is what was signed, whole or not at all. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from 'tar';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { folderTransport } from '#engine/client/folder';
import { loadIndexes } from '#engine/client/load-indexes';
import type { Transport } from '#engine/client/transport';
import { attachRepository } from '#engine/config-attach';
import { openContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { removePackages } from '#repo-server/add';
import { exportBundle, importBundle } from '#repo-server/bundle';
import { collectGarbage } from '#repo-server/gc';
import { rotateRoot, sameKeys } from '#repo-server/init';
import { inspectChannel } from '#repo-server/inspect';
import { mirrorRepository, type MirrorOptions } from '#repo-server/mirror';
import type { MirrorSettings } from '#repo-server/mirror-settings';
import { publish } from '#repo-server/publish';
import { serve } from '#repo-server/serve';
import { verifyRepository } from '#repo-server/verify';
import { generateKey } from '#schema/keys';
import { program } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let copy: string;
let trustedRoot: Uint8Array;
beforeEach(async () => {
  depot = await makeDepot();
  copy = join(depot.folder, 'copy');
  trustedRoot = readFileSync(depot.trustedRoot);
  await depot.publish(
    { name: 'app', depends: ['lib'], files: { 'usr/bin/app': 'a'.repeat(5000) } },
    { name: 'lib' },
    { name: 'other' },
    { name: 'arm', arch: 'aarch64' },
  );
});
afterEach(() => depot.dispose());

const mirror = (filter: Partial<MirrorSettings> = {}, options: Partial<MirrorOptions> = {}) =>
  mirrorRepository(copy, {
    settings: { format: 1, from: depot.repository, channels: ['stable'], ...filter },
    trustedRoot,
    ...options,
  });
const offered = async (at = copy): Promise<string[]> =>
  (await loadIndexes(depot.root({ mirror: at }), { refresh: 'force' }))
    .map(({ record }) => record.name)
    .sort();
const packagesIn = (folder: string, arch = 'x86_64'): string[] =>
  readdirSync(join(folder, 'packages', arch))
    .map((name) => name.replace(/-\d.*$/, ''))
    .sort();
const publicFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('.icepkg') && statSync(join(folder, name)).isFile())
    .filter((name) => name !== 'repository.json')
    .sort();

test('a copy over HTTP is the same, byte for byte, and a second run fetches nothing', async () => {
  const server = await serve(depot.repository);
  try {
    const first = await mirror({ from: server.url });
    expect(first.channels).toMatchObject([{ channel: 'stable', packages: 4 }]);
    expect(publicFiles(copy)).toEqual(publicFiles(depot.repository));
    for (const name of publicFiles(copy))
      expect([
        name,
        readFileSync(join(copy, name)).equals(readFileSync(join(depot.repository, name))),
      ]).toEqual([name, true]);
    expect(await mirror({ from: server.url })).toMatchObject({ fetched: 0, bytes: 0 });
    await depot.publish({ name: 'new' });
    expect((await mirror({ from: server.url })).fetched).toBeLessThan(7);
  } finally {
    await server.close();
  }
  expect(await offered()).toEqual(['app', 'lib', 'new', 'other']);
  expect((await verifyRepository(copy)).problems).toEqual([]);
  expect(inspectChannel(copy, 'stable').problems).toEqual([]);
});

test('filters by machine, name and what is needed; widening fetches the rest, narrowing lets gc take it', async () => {
  await mirror({ arches: ['x86_64'], packages: ['ap?'] });
  expect(packagesIn(copy)).toEqual(['app']);
  expect(existsSync(join(copy, 'packages/aarch64'))).toBe(false);
  expect((await verifyRepository(copy)).problems).toEqual([]);
  await mirror({ arches: ['x86_64'], packages: ['ap?'], closure: true });
  expect(packagesIn(copy)).toEqual(['app', 'lib']);
  await mirror();
  expect([packagesIn(copy), packagesIn(copy, 'aarch64')]).toEqual([['app', 'lib', 'other'], ['arm']]);
  await mirror({ arches: ['x86_64'], packages: ['lib'] });
  await collectGarbage(copy);
  await collectGarbage(copy, { now: new Date(Date.now() + 25 * 3_600_000) });
  expect(packagesIn(copy)).toEqual(['lib']);
  expect(await offered()).toHaveLength(3);
});

test('rotated keys come along, for clients that start at the first root too', async () => {
  await mirror();
  const next = generateKey();
  await rotateRoot(depot.repository, { roles: sameKeys([next.public]), keys: [depot.key, next] });
  await publish(depot.repository, { keys: [next] });
  await mirror();
  expect(await offered()).toHaveLength(3);
});

test('an upstream that lies, is older, has lost something or names strange places changes nothing', async () => {
  await mirror();
  const upstream = join(depot.folder, 'upstream');
  const state = (): string[] =>
    publicFiles(copy).map((name) => `${name} ${readFileSync(join(copy, name)).toString('base64')}`);
  const before = state();
  const from = async (spoil: () => void | Promise<void>) => {
    rmSync(upstream, { recursive: true, force: true });
    await depot.publish({ name: `later-${Math.random().toString(36).slice(2)}` });
    cpSync(depot.repository, upstream, { recursive: true });
    await spoil();
    return mirror({ from: upstream });
  };
  const folder = (...names: string[]): string => join(upstream, ...names);
  await expect(from(() => rmSync(folder('targets'), { recursive: true }))).rejects.toMatchObject({
    code: 'network-failed',
  });
  await expect(
    from(() => {
      for (const name of readdirSync(folder('packages/x86_64')))
        writeFileSync(folder('packages/x86_64', name), 'evil');
    }),
  ).rejects.toMatchObject({ code: 'package-corrupt' });
  await expect(
    from(() => {
      const file = folder('channels/stable/metadata/timestamp.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace('"version":', '"version":1'));
    }),
  ).rejects.toMatchObject({ code: 'trust-failed' });
  // What the client came to trust is ahead of what the mirror serves, which stays as it was.
  expect(state()).toEqual(expect.arrayContaining(before));
  expect(await offered()).toHaveLength(3);
  await mirror();
  const old = join(depot.folder, 'old');
  cpSync(depot.repository, old, { recursive: true });
  await removePackages(depot.repository, ['other']);
  await publish(depot.repository, { keys: [depot.key] });
  await mirror();
  await expect(mirror({ from: old })).rejects.toMatchObject({ code: 'trust-rollback' });
  expect((await verifyRepository(copy)).problems).toEqual([]);
});

test('killed before each write in turn, it serves the old state until the last one, and goes on', async () => {
  await mirror();
  await depot.publish({ name: 'new' });
  const child = fileURLToPath(new URL('./mirror-child.ts', import.meta.url));
  const words = ['--conditions=source', '--import', 'tsx', child, depot.repository];
  for (let step = 0; ; step++) {
    const own = join(depot.folder, `copy-${step}`);
    cpSync(copy, own, { recursive: true });
    const { signal, stderr } = spawnSync(process.execPath, [...words, own, depot.trustedRoot, String(step)], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(await offered(own)).toHaveLength(signal === null ? 4 : 3);
    expect((await verifyRepository(own)).problems).toEqual([]);
    if (signal === null) break;
    await mirrorRepository(own, {
      settings: { format: 1, from: depot.repository, channels: ['stable'] },
    });
    expect(await offered(own)).toHaveLength(4);
  }
});

test('a bundle carries what is new, and is believed no more than any mirror', async () => {
  const at = (name: string): string => join(depot.folder, name);
  const list = at('sent.list');
  const first = await exportBundle(depot.repository, at('one.tar'), { channels: ['stable'], list });
  expect(first.left).toBe(0);
  await expect(importBundle(copy, at('one.tar'), {})).rejects.toMatchObject({ code: 'usage' });
  expect(existsSync(join(copy, 'channels'))).toBe(false);
  await importBundle(copy, at('one.tar'), { trustedRoot });
  expect(await offered()).toEqual(['app', 'lib', 'other']);
  await depot.publish({ name: 'new' });
  const second = await exportBundle(depot.repository, at('two.tar'), { channels: ['stable'], list });
  expect(second.files).toBeLessThan(first.files);
  await importBundle(copy, at('two.tar'), {});
  expect(await offered()).toEqual(['app', 'lib', 'new', 'other']);
  expect((await verifyRepository(copy)).problems).toEqual([]);
  await expect(importBundle(copy, at('one.tar'), {})).rejects.toMatchObject({
    code: 'trust-rollback',
    hint: expect.stringMatching(/^The bundle was made before what this copy has/) as string,
  });
  await expect(importBundle(at('elsewhere'), at('two.tar'), { trustedRoot })).rejects.toMatchObject({
    code: 'network-failed',
    hint: expect.stringMatching(/import those first, or export one without --list$/) as string,
  });
  expect(existsSync(at('elsewhere/channels'))).toBe(false);
});

const unshare = ['--mount', '--map-root-user'];
const mayMount = spawnSync('unshare', [...unshare, 'mount', '-t', 'tmpfs', 'x', tmpdir()]).status === 0;

test.runIf(mayMount)('a full disk is named, with the way out of whoever keeps the copy', async () => {
  const files = { x: [...Array(200_000).keys()].map((n) => Math.sin(n)).join('') };
  await depot.publish({ name: 'large', files });
  mkdirSync(copy);
  const script = 'mount -t tmpfs -o size=1m x "$1" && shift && exec "$@"';
  const command = program('repo', 'mirror', depot.repository, copy, '--trust', depot.trustedRoot);
  const words = [...unshare, 'sh', '-c', script, 'sh', copy, process.execPath, ...command];
  const { status, stderr } = spawnSync('unshare', words, { encoding: 'utf8' });
  expect(stderr).toMatch(/no space to download[^]*the next run goes on where this one stopped/);
  expect(status).toBe(11);
});

test('a bundle that is cut short, strange or hostile is refused, and leaves nothing', async () => {
  const at = (name: string): string => join(depot.folder, name);
  await exportBundle(depot.repository, at('good.tar'), { channels: ['stable'] });
  const good = readFileSync(at('good.tar'));
  writeFileSync(at('cut.tar'), good.subarray(0, 3000));
  writeFileSync(at('nonsense.tar'), 'nonsense');
  // As packages begin, which are given for bundles by mistake.
  writeFileSync(at('zstd.tar'), Buffer.concat([Buffer.from('28b52ffd', 'hex'), good]));
  mkdirSync(at('evil/.icepkg/trust'), { recursive: true });
  writeFileSync(at('evil/.icepkg/trust/x'), 'x');
  await create({ file: at('evil.tar'), cwd: at('evil') }, ['.icepkg/trust/x']);
  for (const name of ['nonsense.tar', 'zstd.tar', 'evil.tar'])
    await expect(importBundle(copy, at(name), { trustedRoot })).rejects.toMatchObject({
      code: 'format-invalid',
    });
  await expect(importBundle(copy, at('none.tar'), { trustedRoot })).rejects.toMatchObject({
    code: 'not-found',
  });
  expect(readdirSync(join(copy, '.icepkg'))).toEqual([]);
  await expect(importBundle(copy, at('cut.tar'), { trustedRoot })).rejects.toMatchObject({
    code: expect.stringMatching(/^(?:format-invalid|network-failed)$/) as string,
  });
  expect(existsSync(join(copy, 'channels'))).toBe(false);
});

test('a bundle is written where its folder is made for it, and not without what is missing', async () => {
  const file = join(depot.folder, 'made/for/it.tar');
  await exportBundle(depot.repository, file, { channels: ['stable'] });
  expect(existsSync(file)).toBe(true);
  rmSync(join(depot.repository, 'packages/x86_64/other-1.0.0-r0.x86_64.icepkg'));
  await expect(
    exportBundle(depot.repository, join(depot.folder, 'no.tar'), { channels: ['stable'] }),
  ).rejects.toThrow(/other-1\.0\.0-r0\.x86_64\.icepkg is missing$/);
  expect(readdirSync(depot.folder).filter((name) => name.startsWith('no.tar'))).toEqual([]);
});

test('with a bound on its rate a mirror takes no less time than that', async () => {
  const rate = 64 * 1024;
  const started = performance.now();
  const { bytes } = await mirror({}, { limitRate: rate });
  // Rounded: clocks differ by a little.
  expect(performance.now() - started).toBeGreaterThan((bytes / rate) * 1000 * 0.9 - 50);
  expect(publicFiles(copy)).toEqual(publicFiles(depot.repository));
});

/** A root that stays at a snapshot and asks the copy only. */
async function offeredAt(snapshot: number): Promise<string[]> {
  const root = join(depot.folder, `pinned-${snapshot}-${Math.random()}`);
  initRoot(root, { arch: 'x86_64' });
  const { trustedRoot: trusted } = depot;
  attachRepository(root, { name: 'main', mirrors: [copy], trustedRoot: trusted, snapshot });
  return (await loadIndexes(openContext({ root, arch: 'x86_64', sync: false }), { refresh: 'force' }))
    .map(({ record }) => record.name)
    .sort();
}

test('older snapshots come along, whole, for roots that stay at one; those that are too many go', async () => {
  await removePackages(depot.repository, ['other']);
  await depot.publish({ name: 'second' });
  await depot.publish({ name: 'third' });
  expect((await mirror()).channels).toMatchObject([{ snapshots: [], problems: [] }]);
  await expect(offeredAt(1)).rejects.toMatchObject({ code: 'network-failed' });
  expect((await mirror({ snapshots: 2 })).channels).toMatchObject([{ snapshots: [2, 1], problems: [] }]);
  expect(await offeredAt(1)).toEqual(['app', 'lib', 'other']);
  expect(await offeredAt(2)).toEqual(['app', 'lib', 'second']);
  expect(packagesIn(copy)).toContain('other');
  expect((await verifyRepository(copy)).problems).toEqual([]);
  const named = /other-1/;
  const other = join(copy, 'packages/x86_64/other-1.0.0-r0.x86_64.icepkg');
  writeFileSync(other, 'damaged');
  expect((await verifyRepository(copy)).problems).toEqual([expect.stringMatching(named)]);
  rmSync(other);
  expect((await mirror({ snapshots: 2 })).fetched).toBe(1);
  const day = 86_400_000;
  const collect = async (): Promise<readonly string[]> => {
    await collectGarbage(copy);
    return (await collectGarbage(copy, { now: new Date(Date.now() + 2 * day) })).removed;
  };
  expect(await collect()).not.toContainEqual(expect.stringMatching(named));
  await mirror({ snapshots: 1 });
  expect(await collect()).toContainEqual(expect.stringMatching(named));
  expect(await offeredAt(2)).toEqual(['app', 'lib', 'second']);
  await expect(offeredAt(1)).rejects.toThrow();
});

test('a bundle carries older snapshots that are whole, and only what is new of them', async () => {
  const at = (name: string): string => join(depot.folder, name);
  await removePackages(depot.repository, ['other']);
  await depot.publish({ name: 'second' });
  const filter = { channels: ['stable'], snapshots: 3, list: at('sent.list') };
  await exportBundle(depot.repository, at('one.tar'), filter);
  const first = await importBundle(copy, at('one.tar'), { trustedRoot });
  expect(first.channels).toMatchObject([{ snapshots: [1], problems: [] }]);
  expect(await offeredAt(1)).toEqual(['app', 'lib', 'other']);
  await depot.publish({ name: 'third' });
  rmSync(join(depot.repository, 'packages/x86_64/other-1.0.0-r0.x86_64.icepkg'));
  const { left } = await exportBundle(depot.repository, at('two.tar'), filter);
  expect(left).toBeGreaterThan(0);
  const second = await importBundle(copy, at('two.tar'), {});
  expect(second.channels).toMatchObject([{ snapshots: [2, 1], problems: [] }]);
  expect(await offeredAt(2)).toEqual(['app', 'lib', 'second']);
  expect((await verifyRepository(copy)).problems).toEqual([]);
});

test('an older snapshot that upstream has lost or spoilt is told of, and never half there', async () => {
  await removePackages(depot.repository, ['other']);
  await depot.publish({ name: 'second' });
  const lost = join(depot.repository, 'packages/x86_64/other-1.0.0-r0.x86_64.icepkg');
  const bytes = readFileSync(lost);
  for (const spoil of [() => rmSync(lost), () => writeFileSync(lost, Buffer.alloc(bytes.length))]) {
    spoil();
    const [channel] = (await mirror({ snapshots: 5 })).channels;
    expect(channel).toMatchObject({
      snapshots: [],
      problems: [expect.stringMatching(/snapshot 1 of stable/)],
    });
    expect(await offered()).toEqual(['app', 'lib', 'second']);
    expect(existsSync(join(copy, 'channels/stable/metadata/1.targets.json'))).toBe(false);
    expect((await verifyRepository(copy)).problems).toEqual([]);
  }
  writeFileSync(lost, bytes);
  expect((await mirror({ snapshots: 5 })).channels).toMatchObject([{ snapshots: [1] }]);
  expect(await offeredAt(1)).toEqual(['app', 'lib', 'other']);
});

const APP = 'packages/x86_64/app-1.0.0-r0.x86_64.icepkg';

/** Signs another content under the same name, as who has lost the notes can. Returns both. */
async function resignApp(): Promise<[before: Buffer, now: Buffer]> {
  const file = join(depot.repository, APP);
  const before = readFileSync(file);
  await removePackages(depot.repository, ['app']);
  await publish(depot.repository, { keys: [depot.key] });
  rmSync(file);
  rmSync(join(depot.repository, '.icepkg/pool.json'));
  await depot.publish({ name: 'app', description: 'signed again' });
  return [before, readFileSync(file)];
}

test('an older snapshot that names another content never replaces what is served', async () => {
  const [before, now] = await resignApp();
  let asked = 0;
  const transport = folderTransport(depot.repository);
  const flipping: Transport = {
    ...transport,
    get: (path, ...more) => {
      if (path === APP) writeFileSync(join(depot.repository, APP), asked++ === 0 ? now : before);
      return transport.get(path, ...more);
    },
  };
  const [channel] = (await mirror({ snapshots: 5, patches: false }, { transport: flipping })).channels;
  const problems = [expect.stringMatching(/snapshot 1 of stable is not here: .*app-1.* two contents/)];
  expect(channel).toMatchObject({ snapshots: [2], problems });
  expect(readFileSync(join(copy, APP)).equals(now)).toBe(true);
  expect((await verifyRepository(copy)).problems).toEqual([]);
});

test('an older snapshot goes once another content came under a name of it; what is there is told by its digest', async () => {
  await mirror({ snapshots: 5 });
  const [before, now] = await resignApp();
  writeFileSync(join(copy, APP), Buffer.alloc(now.length));
  const first = join(copy, 'channels/stable/metadata/1.targets.json');
  const kept = readFileSync(first);
  expect((await mirror({ snapshots: 5 })).channels).toMatchObject([{ snapshots: [2] }]);
  expect([readFileSync(join(copy, APP)).equals(now), existsSync(first)]).toEqual([true, false]);
  expect((await verifyRepository(copy)).problems).toEqual([]);
  // Whichever of the two is there, it is wrong for the other.
  writeFileSync(first, kept);
  for (const bytes of [before, now]) {
    writeFileSync(join(copy, APP), bytes);
    expect((await verifyRepository(copy)).problems).toEqual([`${APP} is damaged`]);
  }
});
