/**
 * Space set aside before the commit point and given back right after it, so that the renames and the journal
 * find room for directory blocks even on a disk that somebody else has filled meanwhile.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Area } from './layout.ts';

const BYTES = 256 * 1024;
/** Of directory growth and journal, for each path that moves. */
const BYTES_A_PATH = 160;
const MOST = 16 * 1024 * 1024;

export function reserveBallast(root: string, areas: readonly Area[], paths: number): void {
  const chunk = Buffer.alloc(64 * 1024, 0x5a);
  for (const area of areas) {
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
