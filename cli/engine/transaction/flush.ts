/** Flushes whole file systems. Node has no syncfs, so the `sync` program does it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import type { Area } from './layout.ts';

/** Returns when everything written below the areas so far is on the device. */
export function flushAreas(root: string, areas: readonly Area[]): void {
  const points = areas.map((area) => join(root, area.mount));
  const result = spawnSync('sync', ['-f', ...points], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  if (result.status === 0) return;
  if (result.error !== undefined) {
    throw new IcepkgError('tool-missing', 'cannot run sync to flush the file system', {
      hint: 'Install coreutils or busybox, or pass --no-sync',
      cause: result.error,
    });
  }
  throw new IcepkgError('io-failed', `cannot flush ${points.join(', ')}: ${result.stderr.trim()}`, {
    hint: 'Check the device and the kernel log',
  });
}
