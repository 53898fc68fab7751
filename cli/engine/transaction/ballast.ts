/**
 * Space set aside before the commit point and given back right after it, so that the renames and the journal
 * find room for directory blocks even on a disk that somebody else has filled meanwhile.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { areaFor, type Area } from './layout.ts';

const BYTES = 256 * 1024;
/** Of directory growth and journal, for each path that moves. */
const BYTES_A_PATH = 160;
const MOST = 16 * 1024 * 1024;

/** Only where something is written: removing must be possible on a disk that is as good as full. */
export function reserveBallast(root: string, areas: readonly Area[], written: Iterable<string>): void {
  const counts = new Map<string, number>();
  for (const path of written) {
    const { mount } = areaFor(areas, path);
    counts.set(mount, (counts.get(mount) ?? 0) + 1);
  }
  const chunk = Buffer.alloc(64 * 1024, 0x5a);
  for (const area of areas) {
    const paths = counts.get(area.mount);
    if (paths === undefined) continue;
    const stage = join(root, area.stage, '..');
    mkdirSync(stage, { recursive: true, mode: 0o700 });
    const fd = openSync(join(stage, 'ballast'), 'w', 0o600);
    try {
      for (let left = Math.min(MOST, BYTES + paths * BYTES_A_PATH); left > 0; left -= chunk.length) {
        writeSync(fd, chunk, 0, Math.min(left, chunk.length));
      }
    } finally {
      closeSync(fd);
    }
  }
}

export function releaseBallast(root: string, areas: readonly Area[]): void {
  for (const area of areas) rmSync(join(root, area.stage, '..', 'ballast'), { force: true });
}
