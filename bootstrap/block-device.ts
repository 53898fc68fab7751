/** What the kernel says of block devices. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
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
  if (!isDevice) return checkNoLoop(target, []);
  const device = numbers(fs.statSync(target).rdev);
  const all = [device, ...partitionsOf(device)];
  checkNoLoop(target, all);
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

/** @returns nothing for what is not there, or is where only others may look */
function statOf(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (isErrno(error, 'EACCES')) return undefined;
    throw error;
  }
}

function numbersOf(file: string): string {
  const stat = statOf(file);
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

/** A file, by whatever name, and a device may be a disk once more, through a loop device, for which the kernel does not claim it. */
function checkNoLoop(target: string, devices: readonly string[]): void {
  const own = statOf(target);
  for (const name of fs.readdirSync('/sys/block')) {
    const file = `/sys/block/${name}/loop/backing_file`;
    if (!fs.existsSync(file)) continue;
    const backing = fs.readFileSync(file, 'utf8').replace(/\n$/, '');
    const stat = statOf(backing);
    const isSame = stat !== undefined && stat.dev === own?.dev && stat.ino === own.ino;
    if (isSame || devices.includes(numbersOf(backing)))
      throw inUse(target, `used by /dev/${name}`, `Detach it first: losetup -d /dev/${name}`);
  }
}

const inUse = (target: string, how: string, hint: string): IcepkgError =>
  new IcepkgError('image-failed', `${target} is in use: ${how}`, { hint });
