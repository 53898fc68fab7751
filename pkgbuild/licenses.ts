/**
 * Licence texts: taken from the source tree of a build into its packages, below `usr/share/licenses/NAME`, each text
 * once a package. A -dev package has none: it needs exactly the main package, which does.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { PackageEntry } from '#schema/container/write';
import { sha256 } from '#schema/digest';
import { IcepkgError, isErrno } from '#schema/error';
import { comparePaths, isSafePath, parentPath } from '#schema/path';
import type { Recipe } from './recipe-schema.ts';
import { globToRegExp } from './tree.ts';

export interface LicenseText {
  /** Name of the file in the package. */
  readonly name: string;
  readonly content: Uint8Array;
}

const FOLDER = 'usr/share/licenses';
const NAMED_SO = /^(?:copying|copyright|licen[sc]es?|notice|unlicen[sc]e)(?:[._-].*)?$/i;
const CODE = /\.(?:[ch]|cc|cpp|go|in|js|json|m4|pl|py|rs|sh|ts|xml|ya?ml)$/i;
/** A folder of licence texts, as REUSE has it. */
const TEXTS = /^licen[sc]es$/i;
const MAX_BYTES = 1024 * 1024;
const MAX_FILES = 100;

/**
 * Finds the texts in an unpacked source tree: those that `licenseFiles` names, else files called like a licence at
 * the top of the tree, of its folder `LICENSES`, and of each folder that a source was put into.
 * @throws IcepkgError `build-failed` where a pattern of `licenseFiles` matches nothing
 */
export function collectLicenses(sourceFolder: string, recipe: Recipe): LicenseText[] {
  const found =
    recipe.licenseFiles === undefined ? byName(sourceFolder, recipe) : byPattern(sourceFolder, recipe);
  const texts = new Map<string, LicenseText>();
  const known = new Set<string>();
  for (const file of found.slice(0, MAX_FILES)) {
    const content = readInside(sourceFolder, file);
    if (content === undefined) continue;
    const digest = sha256(content);
    if (known.has(digest)) continue;
    known.add(digest);
    const base = path.posix.basename(file);
    const name = texts.has(base) ? file.replaceAll('/', '-') : base;
    texts.set(name, { name, content });
  }
  return [...texts.values()];
}

function byName(sourceFolder: string, recipe: Recipe): string[] {
  const tops = new Set(['', ...recipe.sources.flatMap(({ into }) => (into === undefined ? [] : [into]))]);
  return [...tops].flatMap((top) =>
    namesIn(sourceFolder, top).flatMap((name) => {
      const at = path.posix.join(top, name);
      if (TEXTS.test(name) && isFolder(sourceFolder, at))
        return namesIn(sourceFolder, at).map((text) => `${at}/${text}`);
      return NAMED_SO.test(name) && !CODE.test(name) ? [at] : [];
    }),
  );
}

function byPattern(sourceFolder: string, recipe: Recipe): string[] {
  const files = fs
    .readdirSync(sourceFolder, { recursive: true, encoding: 'utf8' })
    .filter(isSafePath)
    .sort(comparePaths);
  return (recipe.licenseFiles ?? []).flatMap((pattern) => {
    const matching = files.filter((file) => globToRegExp(pattern).test(file));
    if (matching.length > 0) return matching;
    throw new IcepkgError('build-failed', `${recipe.name}: no file of the source matches ${pattern}`, {
      hint: 'The paths under licenseFiles are relative to the source folder',
    });
  });
}

function namesIn(sourceFolder: string, relative: string): string[] {
  if (!isFolder(sourceFolder, relative)) return [];
  return fs.readdirSync(path.join(sourceFolder, relative)).filter(isSafePath).sort(comparePaths);
}

/** A real folder of the tree: what a build left as a symlink may lead anywhere. */
function isFolder(sourceFolder: string, relative: string): boolean {
  const real = realInside(sourceFolder, relative);
  return real !== undefined && fs.statSync(real).isDirectory();
}

function readInside(sourceFolder: string, relative: string): Uint8Array | undefined {
  const real = realInside(sourceFolder, relative);
  if (real === undefined) return undefined;
  const stat = fs.statSync(real);
  return stat.isFile() && stat.size > 0 && stat.size <= MAX_BYTES ? fs.readFileSync(real) : undefined;
}

/** The path with its symlinks resolved, where it is below the source folder. */
function realInside(sourceFolder: string, relative: string): string | undefined {
  const top = fs.realpathSync(sourceFolder);
  try {
    const real = fs.realpathSync(path.join(top, relative));
    return real === top || real.startsWith(`${top}/`) ? real : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}

/** The entries that a package gets beside its own; what it has under the same path stays. */
export function licenseEntries(
  packageName: string,
  texts: readonly LicenseText[],
  held: readonly PackageEntry[],
): PackageEntry[] {
  const taken = new Set(held.map((entry) => entry.path));
  const added: PackageEntry[] = [];
  for (const { name, content } of texts) {
    const file = `${FOLDER}/${packageName}/${name}`;
    if (taken.has(file)) continue;
    taken.add(file);
    added.push({ type: 'file', path: file, mode: 0o644, content });
    for (let above = parentPath(file); above !== '' && !taken.has(above); above = parentPath(above)) {
      taken.add(above);
      added.push({ type: 'directory', path: above, mode: 0o755 });
    }
  }
  return added;
}
