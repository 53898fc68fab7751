/** Signatures, thresholds and key types. */
import { expect } from 'vitest';
import { scenario } from './scenario.ts';
import { makeSigner, type Scheme } from './signers.ts';
import { TOP_LEVEL, type Simulator } from './simulator.ts';

scenario('one signature fewer than the threshold', async ({ repo, initialized: client }) => {
  repo.root.roles.snapshot.threshold = 3;
  repo.addKey('snapshot');
  repo.addKey('snapshot');
  repo.publish('root', ...TOP_LEVEL);
  expect(await client.refresh()).toBe(0);
  repo.dropSigner('snapshot');
  repo.publish(...TOP_LEVEL);
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toMatchObject({ snapshot: 2, timestamp: 3 });
});

scenario('a threshold that no number of keys can reach', async ({ repo, initialized: client }) => {
  for (let count = 0; count < 4; count++) repo.addKey('snapshot');
  repo.root.roles.snapshot.threshold = 6;
  repo.publish('root', 'snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 2, timestamp: 2 });
});

scenario('signatures of keys that root has, but not for this role', async ({ repo, initialized: client }) => {
  repo.root.roles.snapshot.threshold = 2;
  for (const name of ['root', 'targets']) {
    for (const signer of repo.signers.get(name)?.values() ?? []) repo.addSigner('snapshot', signer);
  }
  repo.publish('root', 'snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 2, timestamp: 2 });
});

scenario('a key id that root does not explain', async ({ repo, initialized: client }) => {
  const stranger = makeSigner();
  repo.root.roles.snapshot.keyids.push(stranger.keyid);
  repo.root.roles.snapshot.threshold = 2;
  repo.addSigner('snapshot', stranger);
  repo.publish('root', 'snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toMatchObject({ timestamp: 2 });
  expect(client.trusted()).not.toHaveProperty('snapshot');
});

scenario('one key listed and signing many times', async ({ repo, initialized: client }) => {
  const signer = makeSigner();
  for (let count = 0; count < 9; count++) repo.useKey('snapshot', signer);
  repo.root.roles.snapshot.threshold = 6;
  repo.publish('root', 'snapshot', 'timestamp');
  repo.tamper('snapshot', ({ signatures }) => {
    const own = signatures.find(({ keyid }) => keyid === signer.keyid);
    for (let count = 0; count < 8; count++) if (own !== undefined) signatures.push(own);
  });
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).not.toHaveProperty('snapshot');
});

scenario('one key under several ids counts once', async ({ repo, initialized: client }) => {
  repo.clearKeys('snapshot');
  const signer = makeSigner();
  for (const keyid of ['one', 'two', 'three']) repo.useKey('snapshot', { ...signer, keyid });
  repo.root.roles.snapshot.threshold = 2;
  repo.publish('root', 'snapshot', 'timestamp');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 2, timestamp: 2 });
});

scenario('the same signature twice', async ({ repo, initialized: client }) => {
  repo.tamper('snapshot', ({ signatures }) => signatures.push(...signatures));
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 1, timestamp: 1 });
});

scenario.for<[Scheme, string | undefined]>([
  ['ed25519', undefined],
  ['ecdsa-sha2-nistp256', undefined],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384', undefined],
  ['rsassa-pss-sha256', undefined],
  ['rsa-pkcs1v15-sha256', undefined],
])('scheme %s of key type %s', async ([scheme, keytype], { repo, initialized: client }) => {
  const signer = repo.addKey('root', { scheme, ...(keytype === undefined ? {} : { keytype }) });
  repo.root.roles.root.threshold++;
  repo.publish('root');
  expect(await client.refresh()).toBe(0);
  expect(client.trusted()).toMatchObject({ root: 2 });
  repo.publish('root');
  repo.tamper('root', ({ signatures }) => {
    const own = signatures.find(({ keyid }) => keyid === signer.keyid);
    if (own !== undefined) own.sig = signer.sign(Buffer.from('something else'));
  });
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toMatchObject({ root: 2 });
});

scenario('a key of one type that says it is of another', async ({ repo, initialized: client }) => {
  repo.addKey('root', { scheme: 'ecdsa-sha2-nistp256', keytype: 'rsa' });
  repo.root.roles.root.threshold++;
  repo.publish('root');
  expect(await client.refresh()).toBe(1);
  expect(client.trusted()).toEqual({ root: 1 });
});

function signSnapshotBy(repo: Simulator, keyid: string): void {
  repo.clearKeys('snapshot');
  const signer = { ...makeSigner(), keyid };
  Object.defineProperty(repo.root.keys, keyid, { value: signer.key, enumerable: true });
  repo.root.roles.snapshot.keyids.push(keyid);
  repo.addSigner('snapshot', signer);
  repo.publish('root', 'snapshot', 'timestamp');
}

scenario.for([['not the digest of the key'], ['KEY'], ['ünüsual/../id']])(
  'a key whose id is %s',
  async ([keyid = ''], { repo, initialized: client }) => {
    signSnapshotBy(repo, keyid);
    expect(await client.refresh()).toBe(0);
    expect(client.trusted()).toMatchObject({ root: 2, snapshot: 2 });
  },
);

scenario.for([['__proto__'], ['constructor'], ['toString']])(
  'a key whose id is %s is no door',
  async ([keyid = ''], { repo, initialized: client }) => {
    signSnapshotBy(repo, keyid);
    repo.tamper('snapshot', ({ signatures }) => {
      for (const signature of signatures) signature.sig = makeSigner().sign(Buffer.from('x'));
    });
    expect(await client.refresh()).toBe(1);
    expect(client.trusted()).toEqual({ root: 2, timestamp: 2 });
  },
);

scenario(
  'a wrong or empty signature beside a right one is no harm',
  async ({ repo, initialized: client }) => {
    const [first] = repo.signers.get('timestamp')?.keys() ?? [];
    repo.addKey('timestamp');
    for (const sig of [makeSigner().sign(Buffer.from('x')), '', 'not hexadecimal']) {
      repo.publish('root', 'timestamp');
      repo.tamper('timestamp', ({ signatures }) => {
        for (const signature of signatures) if (signature.keyid === first) signature.sig = sig;
      });
      expect(await client.refresh()).toBe(0);
    }
    expect(client.trusted()).toMatchObject({ root: 4, timestamp: 4 });
  },
);
