/** Bounds what the cache keeps of an image. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isErrno } from '#schema/error';

/** How many stay: those that the last builds used. */
const KEPT = 4;
/** Milliseconds; a build that began earlier was killed. */
const LONGEST_BUILD = 24 * 60 * 60 * 1000;

/** Notes that `file`, which may be a folder, is used now, and removes what lies beside it and was not used for long. */
export function keepLast(file: string): void {
  const now = new Date();
  ifOurs(() => fs.utimesSync(file, now, now));
  const folder = path.dirname(file);
  const all = fs.readdirSync(folder).map((name) => {
    const beside = path.join(folder, name);
    return { name, beside, used: fs.statSync(beside, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
  });
  // What other builds have not finished begins with a dot.
  const finished = all.filter(({ name }) => !name.startsWith('.')).sort((a, b) => b.used - a.used);
  const killed = all.filter(({ name, used }) => name.startsWith('.') && used < now.getTime() - LONGEST_BUILD);
  for (const { beside } of [...finished.slice(KEPT), ...killed])
    ifOurs(() => fs.rmSync(beside, { recursive: true, force: true }));
}

/** What is another user's stays as it is; another build may remove the same. */
function ifOurs(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM', 'ENOENT', 'ENOTEMPTY')) throw error;
  }
}
