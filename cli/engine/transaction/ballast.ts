/**
 * Space set aside before the commit point and given back right after it, so that the renames and the journal
 * find room for directory blocks even on a disk that somebody else has filled meanwhile.
 */
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { openDirectories } from '../root-fs/directories.ts';
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
  const directories = openDirectories(root);
  try {
    for (const area of areas) {
      const paths = counts.get(area.mount);
      if (paths === undefined) continue;
      const fd = openSync(directories.reach(ballastOf(area), 0o700), NEW_FILE, 0o600);
      try {
        for (let left = Math.min(MOST, BYTES + paths * BYTES_A_PATH); left > 0; left -= chunk.length) {
          writeSync(fd, chunk, 0, Math.min(left, chunk.length));
        }
      } finally {
        closeSync(fd);
      }
    }
  } finally {
    directories.close();
  }
}

export function releaseBallast(root: string, areas: readonly Area[]): void {
  const directories = openDirectories(root);
  try {
    for (const area of areas) {
      const ballast = directories.at(ballastOf(area));
      if (ballast !== undefined) rmSync(ballast, { force: true });
    }
  } finally {
    directories.close();
  }
}

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const ballastOf = (area: Area): string => `${area.base}/stage/ballast`;
