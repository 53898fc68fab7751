/** What Node has no call for: device nodes, fifos and extended attributes, by the system's own programs. */
import { spawnSync } from 'node:child_process';
import { chmodSync, lchownSync } from 'node:fs';
import type { StagedEntry } from '../file-plan/operations.ts';
import { deviationOf, setOwner } from './metadata.ts';

/** Makes a fifo or device at `file`, in a directory nobody else may write to; says in words what was not done. */
export function makeNode(file: string, staged: StagedEntry): string | undefined {
  const { entry } = staged;
  if (entry.type !== 'fifo' && entry.type !== 'character-device' && entry.type !== 'block-device') return;
  const node =
    entry.type === 'fifo'
      ? ['p']
      : [entry.type === 'block-device' ? 'b' : 'c', String(entry.major), String(entry.minor)];
  if (spawnSync('mknod', [file, ...node], { stdio: 'ignore' }).status !== 0) return `${entry.type} not made`;
  const owned = setOwner(staged, (uid, gid) => lchownSync(file, uid, gid));
  chmodSync(file, entry.mode);
  return owned ? undefined : deviationOf(staged, entry.mode);
}

export function setXattrs(file: string, xattrs: Readonly<Record<string, string>>): string | undefined {
  const failed = Object.entries(xattrs).filter(([name, value]) => {
    const result = spawnSync('setfattr', ['-h', '-n', name, '-v', `0s${value}`, file], { stdio: 'ignore' });
    return result.status !== 0;
  });
  return failed.length === 0 ? undefined : `attributes ${failed.map(([name]) => name).join(', ')} not set`;
}
