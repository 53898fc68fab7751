/** Configuration files: which were changed, which have a new version beside them, and settling that. */
import { chmodSync, copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { openStore } from '../store/store.ts';
import { hashFile } from './hash-file.ts';
import { lstatInside, resolveInside } from './inside.ts';
import { lineDiff } from './line-diff.ts';
import { readStore } from './read-store.ts';

export interface ConfigFile {
  readonly path: string;
  readonly package: string;
  readonly state: 'as installed' | 'changed' | 'missing';
  /** True where a new version waits beside it as `.icepkg-new`. */
  readonly pending: boolean;
}

export function configFiles(root: string): readonly ConfigFile[] {
  const owned = readStore(root, (store) => store.allFiles()).filter((file) => file.config === true);
  return owned.map((file) => ({
    path: file.path,
    package: file.package,
    state: stateOf(root, file.path, file.edited ?? file.sha256),
    pending: lstatInside(root, `${file.path}.icepkg-new`)?.isFile() === true,
  }));
}

function stateOf(root: string, path: string, sha256: string | undefined): ConfigFile['state'] {
  const stats = lstatInside(root, path);
  if (stats === undefined) return 'missing';
  return stats.isFile() && hashFile(join(root, path)) === sha256 ? 'as installed' : 'changed';
}

interface Pair {
  readonly path: string;
  readonly mine: string;
  readonly fresh: string;
}

/** @throws IcepkgError `not-found` where no new version waits */
function pairOf(root: string, given: string): Pair {
  const path = resolveInside(root, given.replace(/\.icepkg-new$/, ''));
  if (lstatInside(root, `${path}.icepkg-new`)?.isFile() !== true) {
    throw new IcepkgError('not-found', `no new version of /${path} waits`, {
      hint: 'See which do: icepkg config list',
    });
  }
  return { path, mine: join(root, path), fresh: join(root, `${path}.icepkg-new`) };
}

const textOf = (root: string, path: string): string =>
  lstatInside(root, path)?.isFile() === true ? readFileSync(join(root, path), 'utf8') : '';

/** Yours with `-`, the new version with `+`. */
export function configDiff(root: string, given: string): { readonly path: string; readonly diff: string } {
  const { path } = pairOf(root, given);
  const lines = lineDiff(textOf(root, path), textOf(root, `${path}.icepkg-new`)).flatMap((hunk) =>
    hunk.kind === 'same'
      ? hunk.old.map((line) => ` ${line}`)
      : hunk.old.map((line) => `-${line}`).concat(hunk.new.map((line) => `+${line}`)),
  );
  return { path, diff: [`--- /${path}`, `+++ /${path}.icepkg-new`, ...lines].join('\n') };
}

export function configMerge(
  root: string,
  given: string,
): { readonly path: string; readonly differences: number; readonly saved: string | null } {
  return locked(root, () => {
    const { path, mine, fresh } = pairOf(root, given);
    const hunks = lineDiff(textOf(root, path), textOf(root, `${path}.icepkg-new`));
    const lines = hunks.flatMap((hunk) =>
      hunk.kind === 'same' ? hunk.old : ['<<<<<<< yours', ...hunk.old, '=======', ...hunk.new, '>>>>>>> new'],
    );
    const aside = `${mine}.icepkg-merge`;
    rmSync(aside, { force: true });
    writeFileSync(aside, `${lines.join('\n')}\n`, { flag: 'wx' });
    const exists = lstatInside(root, path)?.isFile() === true;
    chmodSync(aside, statSync(exists ? mine : fresh).mode & 0o7777);
    if (exists) copyFileSync(mine, `${mine}.icepkg-old`);
    renameSync(aside, mine);
    rmSync(fresh);
    const saved = exists ? `${path}.icepkg-old` : null;
    return { path, differences: hunks.filter((hunk) => hunk.kind === 'changed').length, saved };
  });
}

export function configAccept(
  root: string,
  given: string,
  options: { readonly mine: boolean },
): { readonly path: string; readonly kept: 'mine' | 'new' } {
  return locked(root, () => {
    const { path, mine, fresh } = pairOf(root, given);
    if (options.mine) rmSync(fresh);
    else renameSync(fresh, mine);
    return { path, kept: options.mine ? 'mine' : 'new' };
  });
}

function locked<T>(root: string, work: () => T): T {
  const store = openStore(root, { mode: 'write' });
  try {
    return work();
  } finally {
    store.close();
  }
}
