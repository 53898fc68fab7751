/** The trust ceremony: several people on several machines, keys under passphrases, and the way back from each lost key. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { attachRepository } from '#engine/config-attach';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { addPackages } from '#repo-server/add';
import { initFromRoot } from '#repo-server/init';
import {
  describeKeyFile,
  generateKeyFiles,
  protectKeyFile,
  readAnyKey,
  readKeyFile,
} from '#repo-server/key-files';
import { publish } from '#repo-server/publish';
import {
  currentRoot,
  draftFirstRoot,
  draftNextRoot,
  publishRoot,
  signRoot,
  standingOf,
} from '#repo-server/root-change';
import type { RolesChange } from '#repo-server/root-metadata';
import { generateKey, keyId, type PrivateKey } from '#schema/keys';
import { openKey, sealKey } from '#schema/sealed-key';
import { parseMetadata } from '#schema/tuf/metadata';
import { icepkg } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let repository: string;
let trusted: Uint8Array;
/** Two of three people change the root; an index key offline; one key online. */
const people = [generateKey(), generateKey(), generateKey()] as const;
const [targets, online] = [generateKey(), generateKey()];

beforeEach(async () => {
  depot = await makeDepot();
  repository = join(depot.folder, 'ceremony');
  const draft = draftFirstRoot({
    root: { keys: people.map((key) => key.public), threshold: 2 },
    targets: { keys: [targets.public], threshold: 1 },
    snapshot: { keys: [online.public], threshold: 1 },
    timestamp: { keys: [online.public], threshold: 1 },
  });
  trusted = signRoot(signRoot(draft, [people[0]]), [people[1]]);
  await initFromRoot(repository, { name: 'main', root: trusted });
  await addPackages(repository, await depot.pack({ name: 'zlib' }));
  await publish(repository, { keys: [targets, online] });
});
afterEach(() => depot.dispose());

const machine = (): EngineContext => {
  const root = join(depot.folder, 'machine');
  initRoot(root, { arch: 'x86_64' });
  writeFileSync(join(depot.folder, 'trusted.json'), trusted);
  attachRepository(root, {
    name: 'main',
    mirrors: [repository],
    trustedRoot: join(depot.folder, 'trusted.json'),
  });
  return openContext({ root, sync: false });
};
const offered = async (context: EngineContext): Promise<string[]> =>
  (await loadIndexes(context, { refresh: 'force' })).map(({ record }) => record.name);
const change = async (how: RolesChange, ...signers: readonly PrivateKey[]) =>
  publishRoot(repository, signRoot(draftNextRoot(repository, how), signers, currentRoot(repository).signed));

test('a first root needs as many signatures as it asks for', async () => {
  const draft = draftFirstRoot({
    root: { keys: people.map((key) => key.public), threshold: 2 },
    targets: { keys: [targets.public], threshold: 1 },
    snapshot: { keys: [online.public], threshold: 1 },
    timestamp: { keys: [online.public], threshold: 1 },
  });
  const once = signRoot(draft, [people[0]]);
  expect(standingOf(parseMetadata(once, 'root', 'x'))).toMatchObject({
    complete: false,
    own: { signatures: 1, threshold: 2 },
  });
  const twiceByOne = signRoot(once, [people[0]]);
  const other = join(depot.folder, 'other');
  await expect(initFromRoot(other, { name: 'x', root: twiceByOne })).rejects.toMatchObject({
    code: 'trust-failed',
  });
  expect(() => signRoot(draft, [generateKey()])).toThrow(/no part in the role root/);
  await initFromRoot(other, { name: 'x', root: signRoot(once, [people[2]]) });
});

test.each<[string, PrivateKey, readonly PrivateKey[]]>([
  ['timestamp and snapshot', online, [targets]],
  ['targets', targets, [online]],
])(
  'a stolen key of %s is replaced, clients follow, and the thief signs nothing more',
  async (_, stolen, others) => {
    const context = machine();
    expect(await offered(context)).toEqual(['zlib']);
    const fresh = generateKey();
    await change({ replace: [{ old: keyId(stolen.public), by: fresh.public }] }, people[0], people[1]);
    await addPackages(repository, await depot.pack({ name: 'bash' }));
    await expect(publish(repository, { keys: [stolen, ...others] })).rejects.toMatchObject({ code: 'usage' });
    await publish(repository, { keys: [fresh, ...others] });
    expect((await offered(context)).sort()).toEqual(['bash', 'zlib']);
  },
);

test('a stolen root key is replaced by the others; alone it changes nothing', async () => {
  const context = machine();
  const fresh = generateKey();
  const how = { replace: [{ old: keyId(people[0].public), by: fresh.public }] };
  await expect(change(how, people[0])).rejects.toMatchObject({ code: 'trust-failed' });
  await change(how, people[1], people[2]);
  await expect(change({}, people[0], people[1])).rejects.toMatchObject({ code: 'usage' });
  await change({}, people[1], fresh);
  expect(await offered(context)).toEqual(['zlib']);
  expect(currentRoot(repository).signed.version).toBe(3);
});

test('revoking, adding and thresholds; nobody is left who cannot be reached', async () => {
  const fourth = generateKey();
  await change({ add: [{ role: 'root', key: fourth.public }], thresholds: { root: 3 } }, ...people);
  await expect(change({}, people[0], people[1])).rejects.toMatchObject({ code: 'trust-failed' });
  await change({ revoke: [keyId(people[2].public)] }, people[0], people[1], fourth);
  expect(() => draftNextRoot(repository, { revoke: [keyId(online.public)] })).toThrow(/has 0 keys/);
  expect(() => draftNextRoot(repository, { revoke: ['0'.repeat(64)] })).toThrow(/signs for no role/);
});

test('a root that is not the next one, or was changed after it was signed, is refused', async () => {
  const signed = signRoot(draftNextRoot(repository), [people[0], people[1]]);
  const text = Buffer.from(signed).toString();
  await expect(
    publishRoot(repository, Buffer.from(text.replace('"threshold":2', '"threshold":1'))),
  ).rejects.toMatchObject({ code: 'trust-failed' });
  await publishRoot(repository, signed);
  // Once more is no error: it finishes what a kill left.
  await publishRoot(repository, signed);
  await expect(publishRoot(repository, trusted.subarray(0))).resolves.toMatchObject({ version: 1 });
  await expect(
    publishRoot(repository, signRoot(draftNextRoot(repository), [people[0]])),
  ).rejects.toMatchObject({ code: 'trust-failed' });
});

test('a sealed key opens with its passphrase only', () => {
  const key = generateKey();
  const document = JSON.parse(Buffer.from(sealKey(key, 'correct horse')).toString()) as Record<
    string,
    unknown
  >;
  expect(JSON.stringify(document)).not.toContain(key.seed);
  expect(openKey(document, 'correct horse', 'it')).toEqual(key);
  expect(() => openKey(document, 'correct Horse', 'it')).toThrow(/not the one it was sealed with/);
  const sealed = { ...(document['sealed'] as object), n: 2 ** 30 };
  expect(() => openKey({ ...document, sealed }, 'correct horse', 'it')).toThrow(/sealed\.n/);
});

test('key files under a passphrase, from a file that the environment names', () => {
  const at = (name: string): string => join(depot.folder, name);
  writeFileSync(at('passphrase'), 'correct horse\n');
  process.env['ICEPKG_PASSPHRASE_FILE'] = at('passphrase');
  try {
    const { keyid, privateKey } = generateKeyFiles(at('root-a'), { sealed: true });
    expect(readFileSync(privateKey, 'utf8')).not.toContain('"private"');
    expect(describeKeyFile(privateKey)).toMatchObject({ keyid, holds: 'sealed' });
    expect(readAnyKey(privateKey).private).toEqual(readKeyFile(privateKey));
    protectKeyFile(privateKey, { sealed: false });
    expect(describeKeyFile(privateKey)).toMatchObject({ keyid, holds: 'private' });
    protectKeyFile(privateKey, { sealed: true });
    writeFileSync(at('passphrase'), 'another one\n');
    expect(() => readKeyFile(privateKey)).toThrow(/not the one/);
    writeFileSync(at('passphrase'), 'short\n');
    expect(() => generateKeyFiles(at('root-b'), { sealed: true })).toThrow(/shorter than/);
  } finally {
    delete process.env['ICEPKG_PASSPHRASE_FILE'];
  }
});

test('doctor warns before trust ends', async () => {
  const context = machine();
  await loadIndexes({ ...context, now: () => new Date(Date.now() + 28 * 86_400_000) }, { refresh: 'force' });
  const { attachedRepositories } = await import('#engine/queries/repositories');
  const { doctor } = await import('#engine/queries/doctor');
  expect(attachedRepositories(context.root, new Date())).toMatchObject([{ trust: 'good' }]);
  const at = (days: number) => () => new Date(Date.now() + days * 86_400_000);
  const warnings = async (days: number) =>
    (await doctor({ root: context.root, offline: true, now: at(days) })).filter(
      ({ check }) => check === 'trust',
    );
  expect(await warnings(1)).toEqual([]);
  expect(await warnings(28)).toMatchObject([
    { state: 'warning', message: expect.stringContaining('main is good until') as string },
  ]);
});

test('help lists what is below a topic of two words', () => {
  const { status, stdout } = icepkg(['repo', 'root', '--help']);
  expect(status).toBe(0);
  expect(stdout).toContain('repo root sign');
  expect(stdout).not.toContain('repo add');
});
