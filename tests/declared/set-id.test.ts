/** Set-id files give the rights of the account they name, never root's in its stead. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { icepkg } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';
import { writePackage } from '#schema/container/write';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  expect(icepkg(['init', '--root', join(depot.folder, 'root'), '--arch', 'x86_64']).status).toBe(0);
});
afterAll(() => depot.dispose());

test.each([
  ['user', 0o4755],
  ['group', 0o2755],
] as const)('an unknown %s is refused', async (kind, mode) => {
  const file = join(depot.folder, `${kind}.icepkg`);
  await writePackage({
    metadata: { name: kind, version: '1.0.0-r0', arch: 'noarch' },
    entries: [
      { type: 'directory', path: 'usr', mode: 0o755 },
      { type: 'file', path: 'usr/program', mode, [kind]: 'stranger', content: Buffer.from('x') },
    ],
    output: file,
    codec: 'zstd',
  });
  const root = join(depot.folder, 'root');
  const { status, stderr } = icepkg(['install', file, '--root', root, '--yes', '--allow-untrusted']);
  expect(status).toBe(10);
  expect(stderr).toContain('usr/program of');
  expect(stderr).toContain('stranger, an account that is neither there nor declared');
  expect(existsSync(join(root, 'usr/program'))).toBe(false);
});
