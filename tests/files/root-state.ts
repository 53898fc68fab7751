/** What a root holds, as lists that a scenario can name. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join, relative } from 'node:path';
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

const OWN = ['var/lib/ice-pkg', 'etc/icepkg', 'var/cache/icepkg', '.icepkg'];

/** Files, links, empty directories, and directories of another mode than usual. */
function listFiles(root: string, usual: (path: string) => string | undefined): readonly string[] {
  const found: string[] = [];
  /** The first name of each file. */
  const first = new Map<number, string>();
  for (const path of walk(root)) {
    const stats = lstatSync(join(root, path));
    if (stats.isSymbolicLink()) found.push(`${path} -> ${readlinkSync(join(root, path))}`);
    else if (stats.isDirectory()) {
      if (stats.mode % 0o10000 !== 0o755 || readdirSync(join(root, path)).length === 0)
        found.push(`${path}/${modeText(stats, 0o755)}`);
    } else if (first.has(stats.ino)) found.push(`${path} == ${first.get(stats.ino)}`);
    else {
      first.set(stats.ino, path);
      const text = readFileSync(join(root, path), 'utf8');
      found.push(`${path}${text === usual(path) ? '' : `=${text}`}${modeText(stats, 0o644)}`);
    }
  }
  return found.sort();
}

function modeText({ mode }: Stats, usual: number): string {
  return mode % 0o10000 === usual ? '' : ` (${(mode % 0o10000).toString(8)})`;
}

/** Every path below the root but icepkg's own, in order. */
function walk(root: string): readonly string[] {
  const found: string[] = [];
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = relative(root, join(entry.parentPath, entry.name));
    if (!OWN.some((own) => path === own || path.startsWith(`${own}/`))) found.push(path);
  }
  return found.sort();
}
