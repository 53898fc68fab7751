/** Partitions: whose they are, what is on them, and who owns it. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectError, ImageBench, rootPartition, tool } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-partitions-'));
  bench = new ImageBench(depot, scratch);
  const accounts = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
  };
  await depot.publish(
    { name: 'base-files', files: { ...accounts, 'var/run': { link: '/run' } } },
    { name: 'tool', users: [{ name: 'tool', uid: 210 }] },
  );
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

describe('a system and an image file add to the partitions of the board', () => {
  const data = { name: 'data', type: 'data', filesystem: 'ext4', mount: '/srv', size: '32M' };
  const mib = 1024 ** 2;

  test('after those of the board, each once', () => {
    const { partitions } = bench.define({
      system: { partitions: [data] },
      image: {
        partitions: [
          { name: 'data', type: 'data', size: '64M' },
          { ...data, name: 'log', mount: '/log' },
        ],
      },
    });
    expect(partitions.map(({ name }) => name)).toEqual(['root', 'data', 'log']);
    expect(partitions[1]).toMatchObject({ filesystem: 'ext4', mount: '/srv', size: 64 * mib });
  });

  test('one of the name of the board changes what it says, and no more', () => {
    const root = { name: 'root', type: 'root', free: '64M' };
    const expected = [{ name: 'root', type: 'root', filesystem: 'ext4', free: 64 * mib }];
    expect(bench.define({ system: { partitions: [root] } }).partitions).toEqual(expected);
    expect(bench.define({ image: { partitions: [root] } }).partitions).toEqual(expected);
  });

  test('a board without a disk has none of a system', () => {
    expect(bench.define({ board: { partitions: [] }, system: { partitions: [data] } }).partitions).toEqual(
      [],
    );
  });

  test('the disk has them all, each with a folder to be mounted at', async () => {
    const definition = bench.define({ board: { formats: ['img'] }, system: { partitions: [data] } });
    const built = await bench.build(definition);
    const { partitiontable } = JSON.parse(tool('sfdisk', '--json', built.path('img'))) as {
      partitiontable: { partitions: { name: string }[] };
    };
    expect(partitiontable.partitions.map(({ name }) => name)).toEqual(['root', 'data']);
    const entry = (file: string): unknown => built.description.entries.find((one) => one.path === file);
    expect(entry('srv')).toMatchObject({ type: 'directory', mode: 0o755, uid: 0, packages: [] });
    expect(entry('etc/fstab')).toBeDefined();
  });

  test('one behind a symlink is refused', async () => {
    const partitions = [{ ...data, mount: '/var/run/tool' }];
    await expect(bench.build(bench.define({ system: { partitions } }))).rejects.toThrow(
      expectError(
        'image-failed',
        /partition data is mounted at \/var\/run\/tool, and \/var\/run is no folder/,
      ),
    );
  });
});

test('a partition inside another one has its content to itself, and is mounted after it', async () => {
  const partitions = [
    { name: 'log', type: 'data', filesystem: 'ext4', mount: '/srv/log' },
    { name: 'srv', type: 'data', filesystem: 'ext4', mount: '/srv' },
    { name: 'root', type: 'root', filesystem: 'ext4', free: '4M' },
  ];
  const overlay = { 'srv/log/a': 'a', 'srv/b': 'b', 'srv/logs': 'c' };
  const cache = bench.folder('cache');
  const { description } = await bench.build(
    bench.define({ board: { partitions, formats: ['img'] }, overlay }),
    { cache },
  );
  const list = (name: string): string[] => {
    const folder = path.join(cache, 'filesystems/small-box.x86_64', name);
    const [file = ''] = fs.readdirSync(folder);
    return tool('debugfs', '-R', 'ls -p /', path.join(folder, file))
      .split('\n')
      .flatMap((line) => line.split('/')[5] ?? [])
      .filter((entry) => !['', '.', '..', 'lost+found'].includes(entry));
  };
  expect(list('log')).toEqual(['a']);
  expect(list('srv').sort()).toEqual(['b', 'log', 'logs']);
  expect(description.entries.map((entry) => entry.path)).toContain('srv/log/a');
});

describe('the top of a partition is owned as the mount point that it hides', () => {
  const owners = [{ path: 'srv', mode: '1750', user: 'tool', group: 'tool' }];
  const overlay = { 'srv/log/a': 'a' };
  /** The file systems of `/srv` and of `/srv/log` inside it. */
  const make = async (filesystem: string): Promise<{ srv: string; log: string }> => {
    const data = { type: 'data', filesystem };
    const partitions = [
      { name: 'srv', mount: '/srv', ...data },
      { name: 'log', mount: '/srv/log', ...data },
      ...rootPartition('ext4'),
    ];
    const cache = bench.folder('cache');
    await bench.build(
      bench.define({ board: { partitions, formats: ['img'] }, system: { owners }, overlay }),
      { cache },
    );
    const file = (name: string): string => {
      const folder = path.join(cache, 'filesystems/small-box.x86_64', name);
      return path.join(folder, fs.readdirSync(folder)[0] ?? '');
    };
    return { srv: file('srv'), log: file('log') };
  };

  test('ext4', async () => {
    const { srv, log } = await make('ext4');
    const top = (file: string): string => tool('debugfs', '-R', 'stat /', file);
    expect(top(srv)).toMatch(/Type: directory +Mode: +01750[^]*User: +210 +Group: +210/);
    expect(top(log)).toMatch(/Type: directory +Mode: +0755[^]*User: +0 +Group: +0/);
    for (const file of [srv, log]) tool('e2fsck', '-fn', file);
  });

  test('squashfs and erofs', async () => {
    const { srv, log } = await make('squashfs');
    expect(tool('unsquashfs', '-lln', srv)).toMatch(/^drwxr-x--T 210\/210 .* squashfs-root$/m);
    expect(tool('unsquashfs', '-lln', log)).toMatch(/^drwxr-xr-x 0\/0 .* squashfs-root$/m);
    const { srv: erofs } = await make('erofs');
    expect(tool('dump.erofs', '--path=/', erofs)).toMatch(/Uid: 210 +Gid: 210 +Access: 0750/);
  });
});

const root = { name: 'root', type: 'root', filesystem: 'ext4' };
const bios = (name: string): object => ({ name, type: 'bios' });
const data = (name: string, mount: string): object => ({ name, type: 'data', filesystem: 'ext4', mount });
test.each([
  [
    'two of one name',
    [root, data('root', '/srv')],
    /boards\/box\.yaml:.*: expected partitions of different names/,
  ],
  ['two roots', [root, { ...root, name: 'other' }], /root and other are both root partitions/],
  ['two at one place', [root, data('a', '/srv'), data('b', '/srv')], /two partitions are mounted at \/srv/],
  ['another one in the place of the root', [root, data('a', '/')], /a is mounted at \/, where the root is/],
  ['a swap without a size', [root, { name: 'swap', type: 'swap' }], /swap has neither a file system nor/],
  ['GRUB for BIOS twice', [root, bios('one'), bios('two')], /one and two both hold GRUB for BIOS/],
  [
    'GRUB for BIOS in a folder',
    [root, { ...bios('bios'), mount: '/boot' }],
    /bios holds GRUB for BIOS, and neither/,
  ],
  ['a place that is no path', [root, data('a', '/srv/')], /expected an absolute path such as/],
])('partitions that cannot be: %s', (_, partitions, message) => {
  expect(() => bench.define({ board: { partitions } })).toThrow(expectError('format-invalid', message));
});

test('GRUB for BIOS is for a GPT', () => {
  expect(() => bench.define({ board: { table: 'mbr', partitions: [root, bios('bios')] } })).toThrow(
    expectError('format-invalid', /partition bios holds GRUB for BIOS, which is for a GPT/),
  );
});
