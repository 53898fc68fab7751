/** What the kernel says of block devices. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { deviceNumbers } from '#pkgbuild/tree';

const SECTOR = 512;

const numbers = (rdev: number): string => {
  const { major, minor } = deviceNumbers(rdev);
  return `${major}:${minor}`;
};

const folderOf = (device: string): string => `/sys/dev/block/${device}`;

/** Bytes. */
export const deviceSize = (rdev: number): number =>
  Number(fs.readFileSync(path.join(folderOf(numbers(rdev)), 'size'), 'utf8')) * SECTOR;

/** @throws IcepkgError `image-failed` where a device or one of its partitions, or a file, is mounted or used otherwise */
export function checkUnused({
  path: target,
  isDevice,
}: {
  readonly path: string;
  readonly isDevice: boolean;
}): void {
  if (!isDevice) return checkNoLoop(target);
  const device = numbers(fs.statSync(target).rdev);
  const all = [device, ...partitionsOf(device)];
  for (const one of all) {
    const place = mounts().get(one);
    if (place !== undefined) throw inUse(target, `mounted at ${place}`, `Unmount it first: umount ${place}`);
    const holders = path.join(folderOf(one), 'holders');
    const [holder] = fs.existsSync(holders) ? fs.readdirSync(holders) : [];
    if (holder !== undefined) throw inUse(target, `used by ${holder}`, 'Close the volume on it first');
  }
  const swaps = fs.readFileSync('/proc/swaps', 'utf8').split('\n').slice(1);
  const swap = swaps.map((line) => line.split(/\s/)[0] ?? '').find((file) => all.includes(numbersOf(file)));
  if (swap !== undefined) throw inUse(target, 'used for swapping', `Take it out: swapoff ${swap}`);
}

function numbersOf(file: string): string {
  const stat = file === '' ? undefined : fs.statSync(file, { throwIfNoEntry: false });
  return stat?.isBlockDevice() === true ? numbers(stat.rdev) : '';
}

function partitionsOf(device: string): string[] {
  const folder = folderOf(device);
  const names = fs.readdirSync(folder).filter((name) => fs.existsSync(path.join(folder, name, 'partition')));
  return names.map((name) => fs.readFileSync(path.join(folder, name, 'dev'), 'utf8').trim());
}

/** Device numbers to where they are mounted, as in proc(5), mountinfo. */
const mounts = (): Map<string, string> =>
  new Map(
    fs
      .readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .map((fields): [string, string] => [fields[2] ?? '', fields[4] ?? '']),
  );

/** A file may be a disk through a loop device. */
function checkNoLoop(target: string): void {
  for (const name of fs.readdirSync('/sys/block')) {
    const backing = `/sys/block/${name}/loop/backing_file`;
    if (fs.existsSync(backing) && fs.readFileSync(backing, 'utf8').trim() === target)
      throw inUse(target, `used by /dev/${name}`, `Detach it first: losetup -d /dev/${name}`);
  }
}

const inUse = (target: string, how: string, hint: string): IcepkgError =>
  new IcepkgError('image-failed', `${target} is in use: ${how}`, { hint });
