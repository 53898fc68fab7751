/** Whether a transaction fits, for every file system of the root, before anything is written. */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import type { StagedEntry } from './file-plan/operations.ts';
import { areaFor, type Area } from './transaction/layout.ts';

/** Left for the database, the ballast and directory blocks, in bytes. */
const RESERVE = 2 * 1024 * 1024;

/** @throws IcepkgError `disk-full` naming the file system and what is missing */
export function checkSpace(root: string, areas: readonly Area[], write: readonly StagedEntry[]): void {
  const needs = new Map(areas.map((area) => [area.mount, { bytes: 0, inodes: 0 }]));
  const blocks = new Map(areas.map((area) => [area.mount, statfsSync(join(root, area.mount))]));
  for (const { path, entry } of write) {
    const { mount } = areaFor(areas, path);
    const need = needs.get(mount);
    if (need === undefined) continue;
    const block = Math.max(blocks.get(mount)?.bsize ?? 4096, 1);
    need.inodes += entry.type === 'hardlink' ? 0 : 1;
    need.bytes += entry.type === 'file' ? Math.ceil(entry.size / block) * block : 0;
  }
  for (const [mount, need] of needs) {
    const stats = blocks.get(mount);
    if (stats === undefined || need.inodes === 0) continue;
    const place = join(root, mount);
    const free = stats.bavail * stats.bsize;
    if (need.bytes + RESERVE > free) {
      throw full(`${place} has ${mib(free)} free, and ${mib(need.bytes + RESERVE)} are needed`);
    }
    // Some file systems make inodes as they go and report none at all.
    if (stats.files > 0 && need.inodes > stats.ffree) {
      throw full(`${place} has ${stats.ffree} inodes free, and ${need.inodes} are needed`);
    }
  }
}

const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

const full = (message: string): IcepkgError =>
  new IcepkgError('disk-full', message, {
    hint: 'Free some space (icepkg clean empties the download cache) and try again; nothing was changed',
  });
