/** The file systems of a root: the one it lies on and those mounted below it. */
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '#schema/error';
import { areaOf, type Area } from './layout.ts';

const PSEUDO = new Set([
  'proc',
  'sysfs',
  'devtmpfs',
  'devpts',
  'cgroup',
  'cgroup2',
  'mqueue',
  'securityfs',
  'debugfs',
]);

/** The root's own area first, then one for each mount point below it that can hold files. */
export function findAreas(root: string): readonly Area[] {
  const base = root === '/' ? '/' : `${root}/`;
  const mounts = new Set<string>();
  for (const line of readMounts().split('\n')) {
    const [before, after] = line.split(' - ');
    const point = unescapeMount(before?.split(' ')[4] ?? '');
    const type = after?.split(' ')[0] ?? '';
    if (point.startsWith(base) && point.length > base.length && !PSEUDO.has(type))
      mounts.add(point.slice(base.length));
  }
  return [areaOf(''), ...[...mounts].sort().map(areaOf)];
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return '';
    throw error;
  }
}

/** The kernel writes blanks and backslashes in octal. */
function unescapeMount(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/gu, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
}

/** Deletes whatever an unfinished transaction staged. */
export function clearStage(root: string, areas: readonly Area[]): boolean {
  let found = false;
  for (const area of areas) {
    const stage = join(root, area.stage, '..');
    if (!existsSync(stage)) continue;
    found = true;
    rmSync(stage, { recursive: true, force: true });
  }
  return found;
}

/** Deletes the undo folders of the transactions that `drop` says so of. */
export function clearUndo(
  root: string,
  areas: readonly Area[],
  drop: (transaction: number) => boolean,
): void {
  for (const area of areas) {
    const undo = join(root, area.undo);
    if (!existsSync(undo)) continue;
    for (const name of readdirSync(undo)) {
      if (drop(Number(name))) rmSync(join(undo, name), { recursive: true, force: true });
    }
  }
}
