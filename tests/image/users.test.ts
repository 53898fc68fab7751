/** The people that a definition declares, over all its layers. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectError, ImageBench, tool } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-users-'));
  bench = new ImageBench(depot, scratch);
  await depot.publish(
    {
      name: 'base-files',
      files: {
        'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
        'etc/group': 'root:x:0:\n',
        'etc/shadow': { text: 'root:!:::::::\n', mode: 0o600 },
      },
    },
    { name: 'tool', files: { 'bin/tool': 'x' } },
  );
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

test('users of one name are one, with the keys and groups of all', async () => {
  const [first, second] = ['ssh-ed25519 AAAAone a', 'restrict ssh-rsa AAAAtwo b'];
  const definition = bench.define({
    board: { formats: ['tar'] },
    system: { users: [{ name: 'anna', uid: 1234, groups: ['lake'], sshKeys: [first] }, { name: 'ben' }] },
    image: { users: [{ name: 'anna', shell: '/bin/tool', groups: ['pond'], sshKeys: [second] }] },
  });
  const built = await bench.build(definition);
  const cat = (file: string): string => tool('tar', '-xOf', built.path('tar'), `./${file}`);
  expect(cat('etc/passwd')).toMatch(/^anna:x:1234:1234::\/home\/anna:\/bin\/tool\nben:x:1000:/m);
  expect(cat('etc/group')).toMatch(/^lake:.*:anna$[^]*^pond:.*:anna$/m);
  expect(cat('home/anna/.ssh/authorized_keys')).toBe(`${first}\n${second}\n`);
});

test.each(['not a key', 'ssh-ed25519', 'AAAAC3Nz anna', '# ssh-ed25519 AAAA'])(
  'a line that opens no account is refused: %s',
  (line) => {
    expect(() => bench.define({ system: { users: [{ name: 'anna', sshKeys: [line] }] } })).toThrow(
      expectError('format-invalid', /expected the line of a public key, such as ssh-ed25519/),
    );
  },
);
