/** What a machine needs to start: initial file systems, boot partitions and tables, looked at by other tools. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { placeBiosBoot } from '#bootstrap/bios-boot';
import { qemuMachine } from '#bootstrap/qemu';
import { expectError, ImageBench, rootPartition, tool, type Built } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;

const MODULES = 'lib/modules/6.1';

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-boot-'));
  bench = new ImageBench(depot, scratch);
  await depot.publish(
    { name: 'base-files', files: { 'etc/base': 'x' } },
    { name: 'tool', files: { 'usr/bin/tool': 'x' } },
    {
      name: 'busybox',
      files: {
        'bin/busybox': { text: '#!/bin/true\n', mode: 0o755 },
        'bin/sh': { link: 'busybox' },
        'usr/share/doc/busybox': 'not for the early hours',
      },
    },
    { name: 'initramfs-init', files: { 'usr/lib/initramfs/init': { text: '#!/bin/sh\n', mode: 0o755 } } },
    {
      name: 'kernel',
      files: {
        'boot/vmlinuz-6.1': 'a kernel',
        [`${MODULES}/kernel/disk.ko`]: 'disk',
        [`${MODULES}/kernel/bus.ko`]: 'bus',
        [`${MODULES}/kernel/sum.ko`]: 'sum',
        [`${MODULES}/kernel/idle.ko`]: 'idle',
        [`${MODULES}/modules.dep`]:
          'kernel/disk.ko: kernel/bus.ko\nkernel/bus.ko:\nkernel/sum.ko:\nkernel/idle.ko:\n',
        [`${MODULES}/modules.softdep`]: 'softdep disk pre: crypto-sum\n',
        [`${MODULES}/modules.alias`]: 'alias crypto-sum sum\n',
        [`${MODULES}/modules.builtin`]: 'kernel/ext4.ko\n',
      },
    },
    {
      name: 'loader',
      files: {
        'usr/lib/systemd/boot/efi/systemd-bootx64.efi': 'the loader',
        'usr/lib/firmware/start.elf': 'firmware',
        'usr/lib/dtb/board-1.dtb': 'tree',
        'usr/lib/dtb/board-2.dtb': 'tree',
      },
    },
  );
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const board = (more: object): object => ({
  packages: ['busybox', 'initramfs-init', 'kernel'],
  kernel: 'boot/vmlinuz-*',
  ...more,
});
const build = (more: object): Promise<Built> => bench.build(bench.define({ board: board(more) }));

describe('initramfs', () => {
  const direct = (initramfs: object): object => ({ loader: 'direct', formats: ['tar'], initramfs });
  const unpacked = (file: string, program: string): Buffer =>
    execFileSync(program, ['-dc', file], { maxBuffer: 2 ** 24 });
  const list = (archive: Buffer, ...flags: string[]): string =>
    execFileSync('cpio', ['-t', '--quiet', ...flags], { input: archive, encoding: 'utf8' });

  test('has the programs of packages and the modules, in the order of their needs', async () => {
    const built = await build(direct({ modules: ['disk', 'ext4'] }));
    const archive = unpacked(built.path('initramfs'), 'zstd');
    const names = list(archive).trim().split('\n');
    expect(names).toEqual(
      expect.arrayContaining([
        'init',
        'bin/busybox',
        'bin/sh',
        'dev/console',
        'sysroot',
        `${MODULES}/kernel/disk.ko`,
      ]),
    );
    expect(names.join()).not.toMatch(/usr\/share|idle\.ko|usr\/bin\/tool/);
    const folder = bench.folder('cpio');
    execFileSync('cpio', ['-id', '--quiet', 'init', 'etc/*'], { cwd: folder, input: archive });
    expect(fs.readFileSync(path.join(folder, 'etc/initramfs.modules'), 'utf8')).toBe(
      ['sum', 'bus', 'disk'].map((name) => `${MODULES}/kernel/${name}.ko\n`).join(''),
    );
    expect(list(archive, '-v')).toMatch(/^crw------- +1 root +root +5, +1 .*dev\/console$/m);
  });

  test('is the same every time, and may be gzip', async () => {
    const [first, second] = [
      await build(direct({ compression: 'gzip' })),
      await build(direct({ compression: 'gzip' })),
    ];
    expect(first.files).toEqual(second.files);
    expect(list(unpacked(first.path('initramfs'), 'gzip'))).toContain('bin/busybox');
  });

  test.each([
    ['a module that the kernel has not', { modules: ['none'] }, /the kernel has no module none/],
    ['a package that is not in the image', { packages: ['cryptsetup'] }, /wants files of cryptsetup/],
  ])('%s', async (_, initramfs, message) => {
    await expect(build(direct(initramfs))).rejects.toThrow(expectError('image-failed', message));
  });
});

describe('systemd-boot', () => {
  const esp = { name: 'esp', type: 'esp', filesystem: 'vfat', mount: '/boot' };
  const uefi = {
    loader: 'systemd-boot',
    packages: ['busybox', 'initramfs-init', 'kernel', 'loader'],
    initramfs: { modules: ['disk'] },
    partitions: [esp, ...rootPartition('ext4')],
  };

  test('finds kernel, initramfs and command line on the ESP', async () => {
    const built = await build(uefi);
    const part = path.join(scratch, 'esp');
    tool('dd', `if=${built.path('img')}`, `of=${part}`, 'bs=1M', 'skip=1', 'count=34', 'status=none');
    const cat = (file: string): string => tool('mtype', '-i', part, `::/${file}`);
    expect(cat('EFI/BOOT/BOOTX64.EFI')).toBe('the loader');
    expect(cat('vmlinuz-6.1')).toBe('a kernel');
    expect(cat('loader/loader.conf')).toBe('timeout 0\ndefault small.conf\n');
    const { cmdline } = built.description;
    expect(cmdline).toMatch(/^root=PARTUUID=[0-9a-f-]{36} rootfstype=ext4 rw$/);
    expect(cat('loader/entries/small.conf')).toBe(
      `title small\nlinux /vmlinuz-6.1\ninitrd /initramfs.img\noptions ${cmdline}\n`,
    );
    const dates = [...tool('mdir', '-/', '-i', part).matchAll(/\d{4}-\d\d-\d\d/g)].map(([date]) => date);
    expect(new Set(dates)).toEqual(new Set(['2023-11-14']));
    const root = bench.folder('root');
    tool('sh', '-c', `dd if='${built.path('img')}' of='${root}/ext4' bs=1M skip=35 status=none`);
    const serial = /Volume Serial Number is ([0-9A-F]{4}-[0-9A-F]{4})/.exec(tool('mdir', '-i', part))?.[1];
    expect(tool('debugfs', '-R', 'cat /etc/fstab', path.join(root, 'ext4'))).toBe(
      `UUID=${serial} /boot vfat nosuid,nodev,noexec,fmask=0133,dmask=0022 0 2\n`,
    );
    const copy = built.description.entries.find((entry) => entry.path === 'boot/EFI/BOOT/BOOTX64.EFI');
    expect(copy?.packages).toEqual(['loader']);
  });

  test.each([
    ['no boot partition', { partitions: rootPartition('ext4') }, /no boot partition with a mount point/],
    ['no loader', { packages: ['busybox', 'initramfs-init', 'kernel'] }, /brings usr\/lib\/systemd\/boot/],
  ])('%s', async (_, more, message) => {
    await expect(build({ ...uefi, ...more })).rejects.toThrow(expectError('image-failed', message));
  });
});

const bootPartition = { name: 'boot', type: 'boot', filesystem: 'vfat', mount: '/boot' };

/** Reads files of the first partition. */
function reader(built: Built): (file: string) => string {
  const part = path.join(bench.folder('part'), 'boot');
  tool('dd', `if=${built.path('img')}`, `of=${part}`, 'bs=1M', 'skip=1', 'count=34', 'status=none');
  return (file) => tool('mtype', '-i', part, `::/${file}`);
}

describe('loaders of boards', () => {
  const more = {
    packages: ['busybox', 'initramfs-init', 'kernel', 'loader'],
    initramfs: {},
    partitions: [bootPartition, ...rootPartition('ext4')],
  };

  test('U-Boot finds a menu in the syntax of extlinux', async () => {
    const built = await build({ ...more, loader: 'u-boot' });
    expect(reader(built)('extlinux/extlinux.conf')).toBe(
      `default small\nlabel small\n  linux /vmlinuz-6.1\n  initrd /initramfs.img\n  append ${built.description.cmdline}\n`,
    );
  });

  test("the Raspberry Pi's firmware finds itself, device trees and its settings", async () => {
    const bootFiles = [{ from: 'usr/lib/firmware/start.elf' }, { from: 'usr/lib/dtb/*.dtb', to: 'trees' }];
    const built = await build({ ...more, loader: 'raspberry-pi', bootFiles, table: 'mbr' });
    const read = reader(built);
    expect(read('start.elf')).toBe('firmware');
    expect(read('trees/board-2.dtb')).toBe('tree');
    expect(read('config.txt')).toBe(
      'enable_uart=1\nkernel=vmlinuz-6.1\ninitramfs initramfs.img followkernel\n',
    );
    expect(read('cmdline.txt')).toBe(`${built.description.cmdline}\n`);
  });

  test('QEMU is given kernel and device tree where it cannot run the firmware, and a card of its liking', async () => {
    const qemu = { machine: 'box', disk: 'sd', deviceTree: 'usr/lib/dtb/board-*.dtb', serialPort: 2 };
    const definition = bench.define({
      board: board({ ...more, loader: 'raspberry-pi', table: 'mbr', qemu }),
    });
    const built = await bench.build(definition);
    expect(fs.statSync(built.path('img')).size).toBe(64 * 1024 ** 2);
    expect(fs.readFileSync(built.path('device-tree'), 'utf8')).toBe('tree');
    const { folder, description } = built;
    const machine = qemuMachine({ folder, definition, description, persistent: false, forwards: [] });
    const words = machine.arguments.join(' ');
    expect(words).toContain('-serial null -serial stdio');
    expect(words).toContain(`-drive if=sd,id=disk,format=raw,file=${built.path('img')} -snapshot`);
    expect(words).toContain(`-dtb ${built.path('device-tree')}`);
    expect(words).toContain(`-append ${description.cmdline}`);
  });

  test('a file that no package brings', async () => {
    const bootFiles = [{ from: 'usr/lib/firmware/start5.elf' }];
    await expect(build({ ...more, loader: 'raspberry-pi', bootFiles })).rejects.toThrow(
      expectError('image-failed', /no package of the image brings usr\/lib\/firmware\/start5\.elf/),
    );
  });
});

describe('a live medium', () => {
  const live = { loader: 'grub', formats: ['iso'], partitions: [] };
  test.each([
    ['without an initramfs', {}, /a live system needs an initramfs/],
    ['without GRUB', { initramfs: {} }, /no package of the image brings usr\/lib\/grub\/x86_64-efi/],
  ])('%s', async (_, more, message) => {
    await expect(build({ ...live, ...more })).rejects.toThrow(expectError('image-failed', message));
  });
});

describe('a disk that BIOS starts', () => {
  test('the code of the first sector leads to the partition, and its first sector to the next', () => {
    const folder = bench.folder('bios');
    const [disk, core] = ['disk', 'core'].map((name) => path.join(folder, name)) as [string, string];
    fs.writeFileSync(disk, Buffer.alloc(1024, 0x11));
    fs.writeFileSync(core, Buffer.alloc(1024, 0x22));
    placeBiosBoot(disk, { sector: Buffer.alloc(512, 0xeb), core }, 2048);
    const written = fs.readFileSync(disk);
    expect(written.readBigUInt64LE(0x5c)).toBe(2048n);
    expect(written.subarray(0x64, 0x68)).toEqual(Buffer.from([0xeb, 0xeb, 0x90, 0x90]));
    // What the partition table says begins here.
    expect(written.subarray(438, 442)).toEqual(Buffer.from([0xeb, 0xeb, 0x11, 0x11]));
    expect(fs.readFileSync(core).readBigUInt64LE(0x1f4)).toBe(2049n);
    expect(fs.readFileSync(core).subarray(0x1fc)).toEqual(Buffer.alloc(516, 0x22));
  });

  test('without GRUB', async () => {
    const boot = { name: 'boot', type: 'boot', filesystem: 'vfat', mount: '/boot' };
    const partitions = [{ name: 'bios', type: 'bios' }, boot, ...rootPartition('ext4')];
    await expect(build({ loader: 'none', partitions })).rejects.toThrow(
      expectError('image-failed', /no package of the image brings usr\/lib\/grub\/i386-pc/),
    );
  });
});

test('an MBR has the types of the partitions, and the kernel is told its id', async () => {
  const built = await build({
    loader: 'none',
    table: 'mbr',
    partitions: [
      { name: 'boot', type: 'boot', filesystem: 'vfat', mount: '/boot' },
      ...rootPartition('ext4'),
    ],
  });
  const { partitiontable: table } = JSON.parse(tool('sfdisk', '--json', built.path('img'))) as {
    partitiontable: { label: string; id: string; partitions: { type: string; bootable?: boolean }[] };
  };
  expect(table.label).toBe('dos');
  expect(table.partitions).toMatchObject([{ type: 'c', bootable: true }, { type: '83' }]);
  expect(built.description.cmdline).toContain(`root=PARTUUID=${table.id.slice(2)}-02 `);
});
