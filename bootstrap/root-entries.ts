/** What is in a composed root, with the metadata that the image will have, whoever composed it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { accountLines } from '#engine/declared/account-lines';
import { readStore } from '#engine/queries/read-store';
import type { OwnedFile } from '#engine/store/model';
import { IcepkgError } from '#schema/error';
import type { FileEntry, Manifest } from '#schema/manifest';
import { comparePaths } from '#schema/path';
import { sha256File } from '#pkgbuild/sources/cache';
import { walkTree, type TreeEntry } from '#pkgbuild/tree';
import type { RootEntry } from './description.ts';
import type { PathFacts } from './overlay.ts';

export interface Composition {
  /** What the packages in the root say of themselves. */
  readonly manifests: readonly Manifest[];
  /** What the definition says of paths; it wins. */
  readonly facts: ReadonlyMap<string, PathFacts>;
  /** Files that may have other content than their package brought. */
  readonly written: ReadonlySet<string>;
}

/** Walks the root and merges what is on disk with what the packages and the definition say. */
export function rootEntries(root: string, { manifests, facts, written }: Composition): RootEntry[] {
  const { owned, special } = packagedFacts(root, manifests);
  const accounts = accountIds(root);
  const entries = new Map<string, RootEntry>();
  for (const entry of walkTree(root, {
    holder: 'the composed root holds',
    code: 'format-invalid',
    nodes: true,
  })) {
    const owners = owned.get(entry.path) ?? [];
    const sources = { said: facts.get(entry.path), special, accounts };
    // The engine compared what it unpacked with the digest.
    const known = written.has(entry.path) ? undefined : (owners[0]?.edited ?? owners[0]?.sha256);
    entries.set(entry.path, {
      ...merge(entry, owners, sources),
      ...(entry.type === 'file' ? { sha256: known ?? sha256File(path.join(root, entry.path)) } : {}),
    });
  }
  // Device nodes that an ordinary user could not make are in the manifests alone.
  for (const [file, { entry, owner }] of special)
    if ('major' in entry && !entries.has(file)) entries.set(file, deviceEntry(file, entry, owner));
  return [...entries.values()].sort((a, b) => comparePaths(a.path, b.path));
}

interface Special {
  readonly entry: FileEntry;
  readonly owner: OwnedFile;
}
interface Sources {
  readonly said: PathFacts | undefined;
  readonly special: ReadonlyMap<string, Special>;
  readonly accounts: Accounts;
}

function merge(entry: TreeEntry, owners: readonly OwnedFile[], sources: Sources): RootEntry {
  const { said, special, accounts } = sources;
  const first = owners[0];
  const packaged = special.get(entry.path)?.entry;
  const xattrs =
    said?.xattrs ?? (packaged !== undefined && 'xattrs' in packaged ? packaged.xattrs : undefined);
  return {
    path: entry.path,
    type: entry.type,
    mode: said?.mode ?? (said === undefined ? first?.mode : undefined) ?? entry.mode,
    uid:
      ownerId(said?.account.user, accounts.uid, said?.owner.uid) ??
      (said === undefined ? first?.uid : 0) ??
      0,
    gid:
      ownerId(said?.account.group, accounts.gid, said?.owner.gid) ??
      (said === undefined ? first?.gid : 0) ??
      0,
    size: entry.size,
    packages: owners.map((owner) => owner.package),
    ...(entry.target === undefined ? {} : { target: entry.target }),
    ...(entry.device === undefined ? {} : { device: entry.device }),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}

function ownerId(
  name: string | undefined,
  ids: ReadonlyMap<string, number>,
  number: number | undefined,
): number | undefined {
  if (name === undefined) return number;
  const id = ids.get(name) ?? number;
  if (id !== undefined) return id;
  throw new IcepkgError('format-invalid', `owners: the image has no account ${name}`, {
    hint: 'Declare it under users, or take a package that brings it',
  });
}

const deviceEntry = (file: string, entry: FileEntry, owner: OwnedFile): RootEntry => ({
  path: file,
  type: entry.type === 'hardlink' ? 'file' : entry.type,
  mode: owner.mode,
  uid: owner.uid,
  gid: owner.gid,
  size: 0,
  packages: [owner.package],
  ...('major' in entry ? { device: { major: entry.major, minor: entry.minor } } : {}),
});

function packagedFacts(
  root: string,
  manifests: readonly Manifest[],
): {
  owned: ReadonlyMap<string, readonly OwnedFile[]>;
  special: ReadonlyMap<string, Special>;
} {
  return readStore(root, (store) => {
    const owned = new Map<string, OwnedFile[]>();
    const special = new Map<string, Special>();
    const contents = new Map(manifests.map(({ name, files }) => [name, files]));
    for (const { record } of store.installedPackages()) {
      const files = contents.get(record.name) ?? [];
      const unusual = new Map(
        files.filter((entry) => 'major' in entry || 'xattrs' in entry).map((entry) => [entry.path, entry]),
      );
      for (const owner of store.filesOf(record.name)) {
        const others = owned.get(owner.path);
        if (others === undefined) owned.set(owner.path, [owner]);
        else others.push(owner);
        const entry = unusual.get(owner.path);
        if (entry !== undefined) special.set(owner.path, { entry, owner });
      }
    }
    return { owned, special };
  });
}

interface Accounts {
  readonly uid: ReadonlyMap<string, number>;
  readonly gid: ReadonlyMap<string, number>;
}

function accountIds(root: string): Accounts {
  const ids = (file: 'passwd' | 'group'): Map<string, number> => {
    const name = path.join(root, 'etc', file);
    const text = fs.existsSync(name) ? fs.readFileSync(name, 'latin1') : '';
    return new Map(accountLines(file, text).map((line) => [line.name, line.id]));
  };
  return { uid: ids('passwd'), gid: ids('group') };
}
