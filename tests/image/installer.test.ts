/**
 * A live medium installs its system on an empty disk, from which the machine starts then. It boots emulated machines, so it runs
 * with `ICEPKG_IMAGE_REPOSITORY=DIR`, a published repository with the packages of `golinux` (`npm run test:images`).
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildImage } from '#bootstrap/build';
import { defaultImageRoots, loadDefinition, type Definition } from '#bootstrap/definition';
import { openDepot } from '#bootstrap/depot';
import { descriptionName, readDescription, type ImageDescription } from '#bootstrap/description';
import { bootGuest, type Guest } from '#bootstrap/guest';
import { lockImage } from '#bootstrap/lock';
import { qemuMachine, type Machine } from '#bootstrap/qemu';

const repository = process.env['ICEPKG_IMAGE_REPOSITORY'];
const MIB = 1024 ** 2;

/** Both in one repository, unless the boards are named. */
const boards = (process.env['ICEPKG_IMAGE_INSTALLERS'] ?? 'installer-x86_64 installer-aarch64').split(' ');

describe.runIf(repository !== undefined).each(boards)('install-to-disk of %s', (board) => {
  let scratch: string;
  let definition: Definition;
  let description: ImageDescription;
  let live: Guest | undefined;

  const machine = (firmware: 'bios' | 'uefi'): Machine =>
    qemuMachine({ folder: scratch, definition, description, persistent: false, forwards: [], firmware });
  const start = async (made: Machine): Promise<Guest> => {
    if (definition.boot === undefined) throw new Error('the system says when its boot is over');
    return bootGuest(made, definition.boot);
  };
  const disk = (name: string, size: number): string => {
    const file = path.join(scratch, name);
    fs.writeFileSync(file, '');
    fs.truncateSync(file, size);
    return file;
  };
  const drive = (id: string, file: string): string[] => [
    '-drive',
    `if=none,id=${id},format=raw,snapshot=off,file=${file}`,
    '-device',
    `virtio-blk-pci,drive=${id}`,
  ];

  beforeAll(async () => {
    scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-installer-'));
    definition = loadDefinition({ image: 'golinux', board, roots: defaultImageRoots() });
    const trust = path.join(repository ?? '', 'channels/stable/metadata/1.root.json');
    const cacheFolder = path.join(scratch, 'cache');
    const { arch } = definition;
    const repositories = [{ name: 'main', mirrors: [repository ?? ''], trust }];
    const depot = openDepot({ arch, repositories, cacheFolder });
    const lock = await lockImage(definition, depot);
    await buildImage({ definition, lock, depot, cacheFolder, output: scratch });
    description = readDescription(scratch, descriptionName(definition));
  }, 600_000);
  afterAll(async () => {
    await live?.end();
    fs.rmSync(scratch, { recursive: true, force: true });
  });

  test('it refuses what it must not write, installs, and the machine starts from the disk', async () => {
    const [target, small] = [disk('target', 600 * MIB), disk('small', 16 * MIB)];
    const { program, arguments: words } = machine(board === 'installer-x86_64' ? 'bios' : 'uefi');
    const guest = await start({
      program,
      arguments: [...words, ...drive('one', target), ...drive('two', small)],
    });
    live = guest;
    const refused = async (command: string): Promise<string> => {
      const { status, output } = await guest.run(command);
      expect(status, output).toBe(1);
      return output;
    };
    expect(await refused('install-to-disk --yes /dev/vdc')).toMatch(
      /\/dev\/vdc is too small: it has 16 MiB, and the system needs \d+ MiB\nhint: /,
    );
    expect(await refused('install-to-disk --yes /dev/vda')).toContain(
      'is the medium that this system runs from',
    );
    expect(await refused('install-to-disk --yes /dev/nothing')).toMatch(
      /is no disk\nhint: .*\n +\/dev\/vdb +600 MiB/,
    );
    expect(await refused('echo no | install-to-disk /dev/vdb')).toContain(
      'nothing was written, as you wished',
    );
    expect(fs.readFileSync(target).every((byte) => byte === 0)).toBe(true);
    const { status, output } = await guest.run('install-to-disk --yes /dev/vdb');
    expect(status, output).toBe(0);
    expect(output).toMatch(/reading it back\ninstalled:/);
    await guest.run('mkdir -p /mnt && mount /dev/vdb2 /mnt');
    expect(await refused('install-to-disk --yes /dev/vdb')).toContain('/dev/vdb2 is in use: /mnt');
    await guest.end();
    // The same machine without its medium.
    for (const firmware of board === 'installer-x86_64' ? (['uefi', 'bios'] as const) : (['uefi'] as const)) {
      const own = machine(firmware);
      const at = own.arguments.findIndex((word) => word.startsWith('if=none,id=disk'));
      live = await start({
        program: own.program,
        arguments: own.arguments.with(at, `if=none,id=disk,format=raw,snapshot=off,file=${target}`),
      });
      expect((await live.run('cat /proc/cmdline')).output).toMatch(/root=PARTUUID=/);
      const started = (await live.run('ls -d /sys/firmware/efi')).status === 0 ? 'uefi' : 'bios';
      expect(started).toBe(firmware);
      expect((await live.run('grep -c " /boot vfat " /proc/mounts')).output).toMatch(/^1$/m);
      expect((await live.run('df -h / /boot; initctl status')).output).not.toContain('failed');
      expect(await live.run('install-to-disk --yes /dev/vda')).toMatchObject({ status: 1 });
      await live.end();
    }
  });
});
