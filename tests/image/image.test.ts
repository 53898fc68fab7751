/** Images of small packages, made by the real makers and looked at by the tools of the file systems. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '#schema/digest';
import { buildImage } from '#bootstrap/build';
import type { Definition } from '#bootstrap/definition';
import { checkLock, encodeLock, readLock } from '#bootstrap/lock';
import { expectError, ImageBench, rootPartition, tool, type Built, type Written } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-image-'));
  bench = new ImageBench(depot, scratch);
  await depot.publish(
    {
      name: 'base-files',
      files: {
        'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
        'etc/group': 'root:x:0:\n',
        'etc/shadow': { text: 'root:!:::::::\n', mode: 0o600 },
        tmp: { directory: 0o1777 },
        'usr/lib/big': 'x'.repeat(200_000),
      },
    },
    {
      name: 'tool',
      depends: ['base-files'],
      users: [{ name: 'tool', uid: 210 }],
      files: {
        'usr/bin/tool': { text: '#!/bin/sh\n', mode: 0o4755, user: 'tool', group: 'tool' },
        'usr/bin/link': { link: 'tool' },
        'etc/tool.conf': { text: 'from the package\n', config: true },
      },
    },
    { name: 'kernel', files: { 'boot/vmlinuz': 'a kernel' } },
    { name: 'scripted', scripts: { postInstall: 'touch /tmp/ran' } },
  );
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const define = (written: Written): Definition => bench.define(written);
const build = (definition: Definition, cache?: string): Promise<Built> =>
  bench.build(definition, cache === undefined ? {} : { cache });

describe('file systems', () => {
  test('ext4 has the owners, modes and times of the packages, and passes e2fsck', async () => {
    const built = await build(define({ board: { formats: ['rootfs'] } }));
    const image = built.path('rootfs');
    tool('e2fsck', '-fn', image);
    const stat = (file: string): string => tool('debugfs', '-R', `stat ${file}`, image);
    expect(stat('/usr/bin/tool')).toMatch(/Mode: +04755[^]*User: +210 +Group: +210/);
    expect(stat('/usr/bin/tool')).toMatch(/ctime: 0x6553f100/);
    expect(stat('/tmp')).toMatch(/Mode: +01777/);
    expect(stat('/etc/shadow')).toMatch(/Mode: +0600/);
    expect(stat('/usr/bin/link')).toMatch(/Fast link dest: "tool"/);
  });

  test('squashfs and erofs have the same', async () => {
    const squashfs = await build(
      define({ board: { formats: ['rootfs'], partitions: rootPartition('squashfs') } }),
    );
    const listed = tool('unsquashfs', '-lln', squashfs.path('rootfs'));
    expect(listed).toMatch(/-rwsr-xr-x 210\/210 .*usr\/bin\/tool\n/);
    expect(listed).toMatch(/drwxrwxrwt 0\/0 .*\/tmp\n/);
    const erofs = await build(define({ board: { formats: ['rootfs'], partitions: rootPartition('erofs') } }));
    tool('fsck.erofs', erofs.path('rootfs'));
    const dumped = tool('dump.erofs', '--path=/usr/bin/tool', erofs.path('rootfs'));
    expect(dumped).toMatch(/Uid: 210 +Gid: 210 +Access: 0755/);
    // The tools of erofs show no set-id bits: inodes are 32 bytes apart, and their mode is at byte 4.
    const inode = Number(/NID: (\d+)/.exec(dumped)?.[1]) * 32;
    expect(fs.readFileSync(erofs.path('rootfs')).readUInt16LE(inode + 4)).toBe(0o104755);
  });

  test('a tar has numeric owners and no times of its own', async () => {
    const built = await build(define({ board: { formats: ['tar'] } }));
    const listed = tool('tar', '--numeric-owner', '--full-time', '-tvf', built.path('tar'));
    expect(listed).toMatch(/-rwsr-xr-x 210\/210 +\d+ 2023-11-14 22:13:20 \.\/usr\/bin\/tool\n/);
    expect(listed.match(/2023-11-14 22:13:20/g)?.length).toBe(listed.trim().split('\n').length);
  });
});

test('an OCI archive holds the root as one layer, whose digests fit', async () => {
  const written = { system: { command: ['/usr/bin/tool', '-v'] }, board: { formats: ['tar', 'oci'] } };
  const [built, again] = [await build(define(written)), await build(define(written))];
  expect(again.files).toEqual(built.files);
  const cat = (file: string): Buffer =>
    execFileSync('tar', ['-xOf', built.path('oci'), file], { maxBuffer: 2 ** 24 });
  interface Blob {
    readonly digest: string;
    readonly size: number;
  }
  const blob = ({ digest, size }: Blob): Buffer => {
    const content = cat(`blobs/${digest.replace(':', '/')}`);
    expect(content).toHaveLength(size);
    expect(`sha256:${sha256(content)}`).toBe(digest);
    return content;
  };
  const { manifests } = JSON.parse(cat('index.json').toString()) as { manifests: Blob[] };
  const manifest = JSON.parse(blob(manifests[0] ?? { digest: '', size: 0 }).toString()) as {
    config: Blob;
    layers: Blob[];
  };
  const config = JSON.parse(blob(manifest.config).toString()) as { rootfs: { diff_ids: string[] } };
  expect(config).toMatchObject({ architecture: 'amd64', config: { Cmd: ['/usr/bin/tool', '-v'] } });
  expect(manifest.layers).toHaveLength(1);
  const layer = gunzipSync(blob(manifest.layers[0] ?? { digest: '', size: 0 }));
  expect(config.rootfs.diff_ids).toEqual([`sha256:${sha256(layer)}`]);
  expect(layer.equals(fs.readFileSync(built.path('tar')))).toBe(true);
});

test('a disk has each part where the table says, and building again gives the same bytes', async () => {
  const written = {
    board: {
      packages: ['kernel'],
      formats: ['img', 'qcow2'],
      partitions: [
        { name: 'esp', type: 'esp', filesystem: 'vfat', mount: '/boot' },
        ...rootPartition('squashfs'),
        { name: 'data', type: 'data', filesystem: 'ext4', size: '8M' },
      ],
    },
  };
  const first = await build(define(written));
  const second = await build(define(written));
  expect(second.files).toEqual(first.files);
  expect(first.notices).toEqual([]);
  const disk = first.path('img');
  const { partitiontable } = JSON.parse(tool('sfdisk', '--json', disk)) as {
    partitiontable: {
      label: string;
      partitions: { start: number; size: number; name: string; type: string }[];
    };
  };
  expect(partitiontable.label).toBe('gpt');
  expect(partitiontable.partitions.map(({ name }) => name)).toEqual(['esp', 'root', 'data']);
  const part = (index: number): string => {
    const { start = 0, size = 0 } = partitiontable.partitions[index] ?? {};
    const file = path.join(scratch, `part-${index}`);
    tool('dd', `if=${disk}`, `of=${file}`, 'bs=512', `skip=${start}`, `count=${size}`, 'status=none');
    return file;
  };
  tool('fsck.vfat', '-n', part(0));
  expect(tool('mdir', '-b', '-i', part(0), '::/')).toContain('vmlinuz');
  const root = tool('unsquashfs', '-lls', part(1));
  expect(root).toMatch(/squashfs-root\/boot\n/);
  expect(root).not.toContain('vmlinuz');
  tool('e2fsck', '-fn', part(2));
  tool('qemu-img', 'check', '-q', first.path('qcow2'));
});

test('the overlay, users and the host name are in the image, and packages give way to them', async () => {
  const built = await build(
    define({
      overlay: { 'etc/tool.conf': 'from the device\n', 'srv/data/secret': 'hush\n' },
      system: {
        hostname: 'device',
        owners: [{ path: 'srv/data/secret', mode: '0600', user: 'tool' }],
        users: [{ name: 'anna', passwordHash: '$6$salt$hash', sshKeys: ['ssh-ed25519 AAAA anna'] }],
      },
      board: { formats: ['tar'] },
    }),
  );
  const cat = (file: string): string => tool('tar', '-xOf', built.path('tar'), `./${file}`);
  expect(cat('etc/tool.conf')).toBe('from the device\n');
  expect(cat('etc/hostname')).toBe('device\n');
  expect(cat('etc/passwd')).toMatch(/^anna:x:1000:1000::\/home\/anna:\/bin\/sh$/m);
  expect(cat('etc/shadow')).toMatch(/^anna:\$6\$salt\$hash:/m);
  const listed = tool('tar', '--numeric-owner', '-tvf', built.path('tar'));
  expect(listed).toMatch(/-rw------- 210\/0 .*srv\/data\/secret\n/);
  expect(listed).toMatch(/-rw------- 1000\/1000 .*home\/anna\/\.ssh\/authorized_keys\n/);
  const files = built.description.entries.filter(({ type }) => type === 'file');
  const digest = (file: string): string =>
    sha256(execFileSync('tar', ['-xOf', built.path('tar'), `./${file}`]));
  expect(files.map((file) => ({ path: file.path, sha256: file.sha256 }))).toEqual(
    files.map((file) => ({ path: file.path, sha256: digest(file.path) })),
  );
});

test.each([0o002, 0o077])('the umask %o of who composes changes nothing', async (umask) => {
  const written = {
    overlay: { 'srv/shared/file': 'x', 'opt/more': 'y' },
    system: { hostname: 'device', users: [{ name: 'anna' }] },
    board: { formats: ['img'] },
  };
  const before = process.umask(0o022);
  try {
    const { files } = await build(define(written));
    // A checkout that shares nothing with others is another overlay.
    process.umask(umask === 0o002 ? umask : 0o022);
    const definition = define(written);
    process.umask(umask);
    expect((await build(definition)).files).toEqual(files);
    expect(process.umask()).toBe(umask);
  } finally {
    process.umask(before);
  }
});

test('the root as a folder is what the tar holds, and takes the place of the one before', async () => {
  const output = fs.mkdtempSync(path.join(scratch, 'out-'));
  const board = { formats: ['directory', 'tar'] };
  const closed = [{ path: 'srv/closed', mode: '0500' }];
  const overlay = { 'srv/closed/file': 'x', 'etc/before': 'x' };
  const built = await bench.build(define({ board, overlay, system: { owners: closed } }), { output });
  const folder = path.join(output, 'small-box.x86_64.root');
  const unpacked = fs.mkdtempSync(path.join(scratch, 'unpacked-'));
  tool('tar', '-xpf', built.path('tar'), '-C', unpacked);
  expect(tool('diff', '-r', '--no-dereference', folder, unpacked)).toBe('');
  const listed = (top: string): string =>
    tool('sh', '-c', `cd '${top}' && find . -printf '%p %m %l %T@\\n' | sort`);
  expect(listed(folder)).toBe(listed(unpacked));
  fs.chmodSync(path.join(unpacked, 'srv/closed'), 0o700);
  if (process.geteuid?.() === 0) expect(fs.statSync(path.join(folder, 'usr/bin/tool')).uid).toBe(210);
  expect(fs.readFileSync(path.join(output, 'SHA256SUMS'), 'utf8')).not.toContain('.root');
  await bench.build(define({ board, overlay: { 'etc/after': 'x' } }), { output });
  expect(fs.existsSync(path.join(folder, 'etc/before'))).toBe(false);
  expect(fs.existsSync(path.join(folder, 'etc/after'))).toBe(true);
  expect(fs.readdirSync(output).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('what was built is kept: a change makes it anew, none costs nothing', async () => {
  const cache = fs.mkdtempSync(path.join(scratch, 'cache-'));
  const first = await build(define({}), cache);
  expect(first.cached).toBe(false);
  expect((await build(define({}), cache)).cached).toBe(true);
  expect((await build(define({ overlay: { 'etc/new': 'x' } }), cache)).cached).toBe(false);
});

describe('locks', () => {
  test('building from one needs no repository and gives the same bytes', async () => {
    const definition = define({});
    const cache = fs.mkdtempSync(path.join(scratch, 'cache-'));
    const built = await build(definition, cache);
    const file = path.join(scratch, 'small.lock.json');
    fs.writeFileSync(file, encodeLock(await bench.lock(definition, cache)));
    const lock = readLock(file);
    for (const made of ['images', 'filesystems']) fs.rmSync(path.join(cache, made), { recursive: true });
    const again = await buildImage({
      definition,
      lock,
      cacheFolder: cache,
      output: fs.mkdtempSync(path.join(scratch, 'out-')),
    });
    expect(again.cached).toBe(false);
    expect(again.files).toEqual(built.files);
  });

  test('all packages that no repository offers are named at once, with the way to another one', async () => {
    const definition = define({ system: { packages: ['tool', 'pond', 'so:libpond.so.1', 'lake|tool'] } });
    await expect(bench.lock(definition)).rejects.toThrow(
      expect.objectContaining({
        code: 'unsolvable',
        message: 'for x86_64: no repository offers pond, so:libpond.so.1',
        hint: expect.stringContaining('--repository NAME=DIR-OR-URL --trust root.json') as string,
      }),
    );
  });

  test('one for something else is refused, and says how it differs', async () => {
    const lock = await bench.lock(define({}));
    const other = define({ system: { packages: ['kernel'] } });
    expect(() => checkLock(lock, other, 'x.lock.json')).toThrow(
      expectError(
        'usage',
        /x\.lock\.json does not fit small-box: it knows nothing of kernel; it still has tool/,
      ),
    );
  });
});

describe('bad input', () => {
  test('a lock whose packages are not in the cache, or damaged there, names them', async () => {
    const definition = define({});
    const cache = fs.mkdtempSync(path.join(scratch, 'cache-'));
    const lock = await bench.lock(definition, cache);
    const request = { definition, lock, cacheFolder: cache, output: path.join(cache, 'out') };
    await expect(buildImage(request)).rejects.toThrow(
      expectError('offline-missing', /: base-files-1\.0\.0-r0, tool-1\.0\.0-r0$/),
    );
    await bench.build(definition, { cache });
    fs.rmSync(path.join(cache, 'images'), { recursive: true });
    const tooling = lock.locked.find(({ record }) => record.name === 'tool')?.record.package.sha256 ?? '';
    const file = path.join(cache, 'packages', `${tooling}.icepkg`);
    fs.writeFileSync(file, fs.readFileSync(file).fill(0, 100));
    await expect(buildImage(request)).rejects.toThrow(expectError('offline-missing', /: tool-1\.0\.0-r0$/));
    expect(fs.readdirSync(path.join(cache, 'images/small-box.x86_64'))).toEqual([]);
    expect(fs.existsSync(request.output)).toBe(false);
  });

  test('an image of which one file cannot be delivered leaves nothing of itself', async () => {
    const definition = define({ board: { formats: ['tar', 'img'] } });
    const [cache, output] = [bench.folder('cache'), bench.folder('out')];
    const { key } = await bench.build(definition, { cache });
    fs.rmSync(path.join(cache, 'images/small-box.x86_64', key, 'small-box.x86_64.img'));
    await expect(bench.build(definition, { cache, output })).rejects.toThrow(
      expectError('io-failed', /cannot be delivered: .*small-box\.x86_64\.img/),
    );
    expect(fs.readdirSync(output)).toEqual([]);
  });

  test.each([
    ['ext4', '1M', '1.0'],
    ['squashfs', '1K', '0.0'],
  ])('a partition too small for its content names both sizes: %s', async (filesystem, size, shown) => {
    const board = { partitions: [{ name: 'root', type: 'root', filesystem, size }] };
    const message = new RegExp(`of partition root needs \\d+\\.\\d MiB, and its size is ${shown} MiB`);
    await expect(build(define({ board }))).rejects.toThrow(expectError('image-failed', message));
  });

  test('a name that deletes a file from a container image', async () => {
    const definition = define({ overlay: { 'etc/.wh.passwd': '' }, board: { formats: ['oci'] } });
    await expect(build(definition)).rejects.toThrow(
      expectError('image-failed', /cannot hold \/etc\/\.wh\.passwd/),
    );
  });

  test('a program for another machine is named, and nothing is left behind', async () => {
    const elf = Buffer.alloc(64);
    elf.write('\x7fELF\x02\x01\x01', 'latin1');
    elf.writeUInt16LE(183, 18);
    const definition = define({ overlay: { 'usr/bin/foreign.so': '' } });
    fs.writeFileSync(path.join(definition.overlays[0] ?? '', 'usr/bin/foreign.so'), elf);
    const cache = fs.mkdtempSync(path.join(scratch, 'cache-'));
    await expect(build(definition, cache)).rejects.toThrow(
      expectError('image-failed', /not for x86_64: usr\/bin\/foreign\.so/),
    );
    expect(fs.readdirSync(path.join(cache, 'images/small-box.x86_64'))).toEqual([]);
  });

  test.each([
    [
      'a kernel that no package brings',
      { board: { loader: 'direct', kernel: 'boot/none' } },
      'image-failed',
      /kernel boot\/none/,
    ],
    ['no root partition', { board: { partitions: [] } }, 'image-failed', /no root partition/],
    [
      'a service that no package brings',
      { system: { services: { enable: ['web'] } } },
      'not-found',
      /service web/,
    ],
    [
      'an owner rule without a file',
      { system: { owners: [{ path: 'x', mode: '0600' }] } },
      'format-invalid',
      /matches x/,
    ],
    [
      'a package that wants to run a script',
      { system: { packages: ['scripted'] } },
      'image-failed',
      /no script runs while an image is composed, and these want to: scripted \(postInstall\)/,
    ],
    [
      'a package that is not there',
      { system: { packages: ['nothing'] } },
      'unsolvable',
      /for x86_64: nothing/,
    ],
  ] as const)('%s', async (_, written, code, message) => {
    await expect(build(define(written as Written))).rejects.toThrow(expectError(code, message));
  });

  test('definitions are checked with file, line and column, and names have a nearest', () => {
    expect(() => define({ board: { kernl: 'x' } })).toThrow(
      expectError('format-invalid', /boards\/box\.yaml:\d+:\d+: unknown field kernl/),
    );
    for (const mistyped of ['bse', 'ba'])
      expect(() => define({ system: { profiles: [mistyped] } })).toThrow(
        expect.objectContaining({ code: 'not-found', hint: 'Did you mean base?' }),
      );
    expect(() => define({ system: { users: [{ name: 'a', passwordHash: 'secret' }] } })).toThrow(
      expectError('format-invalid', /never a password/),
    );
  });
});
