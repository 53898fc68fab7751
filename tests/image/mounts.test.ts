/** A root in use has other file systems mounted on folders of packages; they are no damage. */
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { changeWorld } from '#engine/change-world';
import { makeDepot, type Depot } from '../support/repository.ts';

const unshare = (...words: readonly string[]): string[] => ['--mount', '--map-root-user', ...words];
const mayMount = spawnSync('unshare', unshare('mount', '-t', 'tmpfs', 'x', tmpdir())).status === 0;
const top = fileURLToPath(new URL('../..', import.meta.url));

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
});
afterAll(() => depot.dispose());

test.skipIf(!mayMount)('icepkg verify leaves mount points alone', async () => {
  await depot.publish({ name: 'folders', files: { proc: { directory: 0o755 }, sys: { directory: 0o755 } } });
  const context = depot.root();
  await changeWorld(context, {
    description: 'install folders',
    edit: (world) => ({ ...world, depends: ['folders'] }),
    upgrade: 'none',
    dryRun: false,
    confirm: () => true,
  });
  const icepkg = 'node --conditions=source --import tsx cli/bin/icepkg.js';
  const verify = (mount: string): { status: number | null; stdout: string } =>
    spawnSync('unshare', unshare('sh', '-c', `${mount}; ${icepkg} verify --root "$0"`, context.root), {
      cwd: top,
      encoding: 'utf8',
    });
  const mounted = verify('mount -t tmpfs -o mode=0555 x "$0/proc"');
  expect(mounted.stdout).not.toContain('/proc');
  expect(mounted.status).toBe(0);
  const changed = verify('chmod 0700 "$0/sys"');
  expect(changed.stdout).toContain('/sys (folders): its mode is 0700, not 0755');
});
