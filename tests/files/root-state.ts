/** What a root holds, as lists that a scenario can name. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '#engine/model';
import { readStore } from '#engine/queries/read-store';
import { shortVersion } from './read-scenario.ts';

export interface State {
  readonly packages: readonly string[];
  readonly files: readonly string[];
  readonly world: World;
}

/** What a file of a package holds where nothing is said. */
export const ownText = (name: string, version: string): string => `${name} ${shortVersion(version)}`;

export function stateOf(root: string): State {
  return readStore(root, (store) => {
    const installed = store.installedPackages();
    const versions = new Map(installed.map(({ record }) => [record.name, record.version]));
    const packages = installed.map(
      ({ record, requested }) => `${ownText(record.name, record.version)}${requested ? '' : ' (needed)'}`,
    );
    /** What a path of a package holds where nothing is said. */
    const usual = (path: string): string | undefined => {
      const [owner] = store.ownersOf(path);
      return owner === undefined ? undefined : ownText(owner.package, versions.get(owner.package) ?? '');
    };
    return { packages: packages.sort(), files: listFiles(root, usual), world: store.world() };
  });
}

const OWN = new Set(['var/lib/ice-pkg', 'etc/icepkg', 'var/cache/icepkg', '.icepkg']);

/** Files, links, empty directories, and directories of another mode than usual. */
function listFiles(root: string, usual: (path: string) => string | undefined): readonly string[] {
  const found: string[] = [];
  const queue = [''];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const names = readdirSync(join(root, at));
    const stats = lstatSync(join(root, at));
    const mode = stats.mode & 0o7777;
    const isUsual = mode === 0o755;
    if (at !== '' && (names.length === 0 || !isUsual))
      found.push(`${at}/${isUsual ? '' : ` (${mode.toString(8)})`}`);
    for (const name of names) {
      const path = at === '' ? name : `${at}/${name}`;
      if (OWN.has(path)) continue;
      const kind = lstatSync(join(root, path));
      if (kind.isDirectory()) queue.push(path);
      else found.push(describe(root, path, usual));
    }
  }
  return found.sort();
}

function describe(root: string, path: string, usual: (path: string) => string | undefined): string {
  const file = join(root, path);
  const stats = lstatSync(file);
  if (stats.isSymbolicLink()) return `${path} -> ${readlinkSync(file)}`;
  const text = readFileSync(file, 'utf8');
  const mode = stats.mode & 0o7777;
  return `${path}${text === usual(path) ? '' : `=${text}`}${mode === 0o644 ? '' : ` (${mode.toString(8)})`}`;
}
