/** A root that stays at a snapshot: the same answer for ever, and nothing believed that the channel does not vouch for. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { attachRepository } from '#engine/config-attach';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { attachedRepositories } from '#engine/queries/repositories';
import { removePackages } from '#repo-server/add';
import { collectGarbage } from '#repo-server/gc';
import { promote, rollbackChannel } from '#repo-server/promote';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
beforeEach(async () => {
  depot = await makeDepot();
  await replaceBy('1.0.0-r0');
  await replaceBy('2.0.0-r0');
});
afterEach(() => depot.dispose());

async function replaceBy(version: string): Promise<void> {
  if (version !== '1.0.0-r0') await removePackages(depot.repository, ['zlib']);
  await depot.publish({ name: 'zlib', version });
}

let roots = 0;
function rootAt(snapshot: number, channel = 'stable'): EngineContext {
  const root = join(depot.folder, `pinned-${++roots}`);
  initRoot(root, { arch: 'x86_64' });
  const { repository, trustedRoot } = depot;
  attachRepository(root, { name: 'main', mirrors: [repository], trustedRoot, channel, snapshot });
  return openContext({ root, arch: 'x86_64', sync: false });
}

const versions = async (context: EngineContext, refresh: 'force' | 'never' = 'force'): Promise<string[]> =>
  (await loadIndexes(context, { refresh })).map(({ record }) => record.version);
const metadata = (name: string): string => join(depot.repository, 'channels/stable/metadata', name);
const versionOf = (file: string): number =>
  (JSON.parse(fs.readFileSync(file, 'utf8')) as { signed: { version: number } }).signed.version;

test('it keeps its answer while the channel goes on and back, and offline', async () => {
  const first = rootAt(1);
  const second = rootAt(2);
  expect([await versions(first), await versions(second)]).toEqual([['1.0.0-r0'], ['2.0.0-r0']]);
  await replaceBy('3.0.0-r0');
  expect([await versions(first), await versions(second)]).toEqual([['1.0.0-r0'], ['2.0.0-r0']]);
  expect(await versions(depot.root())).toEqual(['3.0.0-r0']);
  await rollbackChannel(depot.repository, { keys: [depot.key] });
  expect([await versions(first), await versions(rootAt(3))]).toEqual([['1.0.0-r0'], ['3.0.0-r0']]);
  expect(await versions(first, 'never')).toEqual(['1.0.0-r0']);
  expect(attachedRepositories(first.root, new Date())).toMatchObject([{ snapshot: 1, trust: 'good' }]);
});

test('a channel that is new begins without a history, and a pin is of what it served itself', async () => {
  await promote(depot.repository, { from: '1', channel: 'beta', keys: [depot.key] });
  await promote(depot.repository, { from: '2', channel: 'beta', keys: [depot.key] });
  expect([await versions(rootAt(1, 'beta')), await versions(rootAt(2, 'beta'))]).toEqual([
    ['1.0.0-r0'],
    ['2.0.0-r0'],
  ]);
  await replaceBy('3.0.0-r0');
  await expect(versions(rootAt(3, 'beta'))).rejects.toMatchObject({ code: 'not-found' });
});

test('the floor rises with the channel all the same: older metadata of it is refused', async () => {
  const context = rootAt(1);
  await versions(context);
  const old = fs.readFileSync(metadata('timestamp.json'));
  await replaceBy('3.0.0-r0');
  await versions(context);
  const trusted = join(context.root, 'var/lib/ice-pkg/trust/main/stable/timestamp.json');
  expect(versionOf(trusted)).toBe(versionOf(metadata('timestamp.json')));
  fs.writeFileSync(metadata('timestamp.json'), old);
  await expect(versions(context)).rejects.toMatchObject({ code: 'trust-rollback' });
});

test('what the channel vouches for and the mirror changed, or kept in the root was changed, is not taken', async () => {
  const context = rootAt(1);
  await versions(context);
  const kept = join(context.root, 'var/lib/ice-pkg/trust/main/stable/pinned-targets.json');
  fs.copyFileSync(metadata('2.targets.json'), kept);
  expect(await versions(context)).toEqual(['1.0.0-r0']);
  const name = fs.readdirSync(join(depot.repository, 'channels/stable/metadata')).find((one) => {
    return one.endsWith('.targets.json') && /"snapshot":1\b/.test(fs.readFileSync(metadata(one), 'utf8'));
  });
  const file = metadata(name ?? '');
  const bytes = fs.readFileSync(file);
  fs.writeFileSync(file, bytes.toString('utf8').replace('"snapshot":1', '"snapshot":2'));
  await expect(versions(rootAt(1))).rejects.toMatchObject({ code: 'trust-failed' });
  fs.rmSync(file);
  await expect(versions(rootAt(1))).rejects.toMatchObject({ code: 'network-failed' });
  // Who has it needs no mirror for it.
  expect(await versions(context)).toEqual(['1.0.0-r0']);
});

test('a snapshot that the channel never served, or that was given up, is named', async () => {
  await expect(versions(rootAt(7))).rejects.toMatchObject({
    code: 'not-found',
    message: 'repository main: stable offers no snapshot 7',
  });
  const context = rootAt(1);
  expect(await versions(context)).toEqual(['1.0.0-r0']);
  await collectGarbage(depot.repository, { retention: { keep: 1, days: 0 } });
  await replaceBy('3.0.0-r0');
  await expect(versions(context)).rejects.toMatchObject({ code: 'not-found' });
});
