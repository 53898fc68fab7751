/** The system of one's own that the manual shows is composed as it stands, of small packages of those names. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadDefinition, type Definition } from '#bootstrap/definition';
import { ImageBench, tool } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

const MANUAL = fs.readFileSync(new URL('../../docs/images.md', import.meta.url), 'utf8');
const OWN = fileURLToPath(new URL('../../images', import.meta.url));

let depot: Depot;
let scratch: string;

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-images-manual-'));
  const accounts = { 'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n', 'etc/group': 'root:x:0:\n' };
  await depot.publish(
    { name: 'base-files', files: { ...accounts, 'etc/shadow': { text: 'root:!:::::::\n', mode: 0o600 } } },
    { name: 'linux-virt', files: { 'boot/vmlinuz-virt': 'a kernel' } },
    {
      name: 'hellod',
      users: [{ name: 'hellod', uid: 210 }],
      files: { 'var/lib/hellod': { directory: 0o750, user: 'hellod', group: 'hellod' } },
      services: [{ name: 'hellod', command: ['/usr/sbin/hellod'], user: 'hellod', enable: true }],
    },
    ...['musl', 'busybox', 'go-init', 'gologd'].map((name) => ({ name })),
  );
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

/** Writes the blocks that begin with the name of their file. */
function writeExample(folder: string): Definition {
  for (const [, file = '', text = ''] of MANUAL.matchAll(
    /^```\w+\n# images\/(systems\/[^\n]+)\n(.*?)^```/gms,
  )) {
    const whole = path.join(folder, file);
    fs.mkdirSync(path.dirname(whole), { recursive: true });
    fs.writeFileSync(whole, text);
  }
  return loadDefinition({ image: 'pond', board: 'qemu-x86_64', roots: [folder, OWN] });
}

test('the example is an image with its services, its user and its partition', async () => {
  const bench = new ImageBench(depot, scratch);
  const cache = bench.folder('cache');
  const built = await bench.build(writeExample(bench.folder('images')), { cache });
  const fileSystem = (name: string): string => {
    const folder = path.join(cache, 'filesystems/pond-qemu-x86_64.x86_64', name);
    return path.join(folder, fs.readdirSync(folder)[0] ?? '');
  };
  const root = (command: string): string => tool('debugfs', '-R', command, fileSystem('root'));
  expect(built.description.files.map(({ format }) => format)).toEqual(['kernel', 'img']);
  expect(root('cat /etc/fstab')).toMatch(/^UUID=\S+ \/var\/lib\/hellod ext4 /);
  expect(root('cat /etc/passwd')).toMatch(/^anna:x:1000:1000:Anna:/m);
  expect(root('cat /etc/shadow')).toMatch(/^anna:\$6\$pond\$/m);
  const started = /^command = (\/\S+)\nneeds = mounts$/m.exec(root('cat /etc/go-init/hellod.service'))?.[1];
  expect(root(`cat ${started}`)).toContain('exec chpst -u hellod /usr/sbin/hellod');
  expect(root('cat /etc/go-init/mounts.service')).toContain('type = oneshot');
  expect(tool('debugfs', '-R', 'stat /', fileSystem('data'))).toMatch(
    /Mode: +0750[^]*User: +210 +Group: +210/,
  );
});
