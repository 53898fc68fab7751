/** Divides what a build installed among the packages of a recipe. */
import { parentPath } from '#schema/path';
import { IcepkgError } from '#schema/error';
import type { ResolvedRecipe, ResolvedSubpackage } from './resolve-recipe.ts';
import { globToRegExp, type TreeEntry } from './tree.ts';

export interface PackagePart {
  readonly name: string;
  /** The recipe's own words on a subpackage; absent for the main package and for -dev and -doc that nobody typed. */
  readonly declared: ResolvedSubpackage | undefined;
  readonly role: 'main' | 'dev' | 'doc' | 'other';
  readonly entries: readonly TreeEntry[];
}

/** What only a compiler needs. A `.so` link is for the linker; a real `.so` file may be a module, so it stays. */
const DEV = [
  'usr/include',
  'usr/lib/*.a',
  'usr/lib/*.o',
  'usr/lib/*.la',
  'usr/lib/pkgconfig',
  'usr/share/pkgconfig',
  'usr/lib/cmake',
  'usr/share/aclocal',
  'usr/bin/*-config',
].map(globToRegExp);
const DOC = ['usr/share/man', 'usr/share/doc', 'usr/share/info', 'usr/share/gtk-doc'].map(globToRegExp);
const LINKER_NAME = /^(?:usr\/)?lib\/[^/]+\.so$/;

/**
 * A path goes to the first subpackage with a pattern that matches it, then to -dev or -doc, else to the main package.
 * Directories go with what is in them; an empty one goes by its own path.
 * @throws IcepkgError `build-failed` where a subpackage comes out empty
 */
export function splitTree(recipe: ResolvedRecipe, tree: readonly TreeEntry[]): PackagePart[] {
  const declared = (recipe.subpackages ?? []).map((subpackage) => ({
    subpackage,
    patterns: subpackage.files.map(globToRegExp),
  }));
  const owner = (entry: TreeEntry): string => {
    const found = declared.find(({ patterns }) => patterns.some((pattern) => pattern.test(entry.path)));
    if (found !== undefined) return found.subpackage.name;
    if (!recipe.split) return recipe.name;
    if (DEV.some((pattern) => pattern.test(entry.path))) return `${recipe.name}-dev`;
    if (entry.type === 'symlink' && LINKER_NAME.test(entry.path)) return `${recipe.name}-dev`;
    if (DOC.some((pattern) => pattern.test(entry.path))) return `${recipe.name}-doc`;
    return recipe.name;
  };
  const owned = new Map<string, Set<string>>([[recipe.name, new Set()]]);
  for (const { subpackage } of declared) owned.set(subpackage.name, new Set());
  const givenTo = new Map(
    declared.flatMap(({ subpackage }) =>
      (subpackage.directories ?? []).map(({ path }): [string, string] => [path, subpackage.name]),
    ),
  );
  const parents = new Set(tree.map((entry) => parentPath(entry.path)));
  for (const entry of tree) {
    const given = entry.type === 'directory' ? givenTo.get(entry.path) : undefined;
    if (given === undefined && entry.type === 'directory' && parents.has(entry.path)) continue;
    const name = given ?? owner(entry);
    const paths = owned.get(name) ?? new Set();
    for (let at = entry.path; at !== ''; at = parentPath(at)) paths.add(at);
    owned.set(name, paths);
  }
  const parts: PackagePart[] = [];
  for (const [name, paths] of owned) {
    const own = declared.find(({ subpackage }) => subpackage.name === name)?.subpackage;
    if (paths.size === 0 && own !== undefined) throw emptySubpackage(recipe, own, tree);
    const role =
      name === recipe.name
        ? 'main'
        : name === `${recipe.name}-dev`
          ? 'dev'
          : name === `${recipe.name}-doc`
            ? 'doc'
            : 'other';
    parts.push({ name, declared: own, role, entries: tree.filter((entry) => paths.has(entry.path)) });
  }
  return parts;
}

function emptySubpackage(
  recipe: ResolvedRecipe,
  { name, files }: ResolvedSubpackage,
  tree: readonly TreeEntry[],
): IcepkgError {
  const patterns = files.map(globToRegExp);
  const taken = tree.find(({ type, path }) => type !== 'directory' && patterns.some((one) => one.test(path)));
  return taken === undefined
    ? new IcepkgError(
        'build-failed',
        `${recipe.name}: no installed file matches the patterns of subpackage ${name}`,
        { hint: `Its patterns are ${files.join(', ')}` },
      )
    : new IcepkgError(
        'build-failed',
        `${recipe.name}: what subpackage ${name} matches, such as ${taken.path}, is in subpackages before it`,
        {
          hint: 'A file goes to the first subpackage with a pattern that matches it: narrow the patterns, or change the order',
        },
      );
}
