/** Makes packages of an installed tree: split, scan, describe, write. */
import * as path from 'node:path';
import { writePackage, type PackageMetadata } from '#schema/container/write';
import type { Codec } from '#schema/container/codec';
import { IcepkgError } from '#schema/error';
import { nearest } from '#schema/nearest';
import { packageEntries } from './entries.ts';
import { licenseEntries, type LicenseText } from './licenses.ts';
import type { BuildNode } from './order.ts';
import type { PathRule } from './path-rules.ts';
import type { ResolvedRecipe } from './resolve-recipe.ts';
import { scanPart, type Found } from './scan.ts';
import { splitTree, type PackagePart } from './split.ts';
import { walkTree, type TreeEntry } from './tree.ts';
import { placeText } from './yaml.ts';

export interface AssembleOptions {
  /** Folder that the package files are written to. */
  readonly output: string;
  readonly epoch: number;
  readonly codec: Codec;
  /** Patterns of configuration files besides those of the recipe. */
  readonly configFiles: readonly string[];
  readonly licenses: readonly LicenseText[];
}

export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly role: PackagePart['role'];
  /** Name of the package file, without its folder. */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** Writes all packages of a recipe and returns them, the main package first. */
export async function assemblePackages(
  node: BuildNode,
  tree: string,
  options: AssembleOptions,
): Promise<BuiltPackage[]> {
  const { recipe } = node;
  const built: BuiltPackage[] = [];
  const owners = recipe.owners ?? [];
  const idleOwners = new Set(owners.keys());
  const all = walkTree(tree);
  for (const part of splitTree(recipe, all)) {
    const found = scanPart(part, {
      root: tree,
      arch: node.arch,
      version: recipe.version,
      foreignCode: recipe.foreignCode ?? [],
    });
    const metadata = describePackage(node, part, found, options.epoch);
    const file = `${metadata.name}-${metadata.version}.${metadata.arch}.icepkg`;
    const own = part.role === 'main' ? recipe : part.declared;
    const { entries, rules, idleConfig } = packageEntries({
      root: tree,
      entries: part.entries,
      owners: [...owners, ...directoryRules(own)],
      configFiles: [...(own?.configFiles ?? []), ...options.configFiles],
    });
    const idle = idleConfig
      .map((index) => own?.configFiles?.[index])
      .find((pattern) => pattern !== undefined);
    if (idle !== undefined) throw idleConfigFile(part.name, idle, part.entries);
    const idleHere = new Set(rules.idle());
    for (const index of idleOwners) if (!idleHere.has(index)) idleOwners.delete(index);
    // A -dev package needs exactly the main package, which has them.
    const licenses = part.role === 'dev' ? [] : options.licenses;
    const written = await writePackage({
      metadata,
      entries: [...entries, ...licenseEntries(part.name, licenses, entries)],
      output: path.join(options.output, file),
      codec: options.codec,
    });
    built.push({
      name: metadata.name,
      version: metadata.version,
      arch: metadata.arch,
      role: part.role,
      file,
      size: written.size,
      sha256: written.sha256,
    });
  }
  const [idle] = [...idleOwners].flatMap((index) => owners[index] ?? []);
  // Which option brings a path is not written anywhere.
  if (idle !== undefined && node.loaded.recipe.options === undefined) throw idleOwnerRule(node, idle, all);
  return built;
}

/** Owners and modes of the directories that a package declares. */
const directoryRules = (own: Pick<ResolvedRecipe, 'directories'> | undefined): PathRule[] =>
  (own?.directories ?? []).map((directory) => Object.assign({ type: 'directory' as const }, directory));

function describePackage(node: BuildNode, part: PackagePart, found: Found, epoch: number): PackageMetadata {
  const { recipe } = node;
  const own = part.role === 'main' ? recipe : part.declared;
  const version = `${recipe.version}-r${recipe.release}`;
  // What a recipe only recommends is no dependency, found or not.
  const recommended = new Set(own?.recommends);
  const depends = [...(own?.depends ?? []), ...found.depends.filter((one) => !recommended.has(one))];
  if (part.role === 'dev') depends.unshift(`${recipe.name}@=${version}`);
  const suffix = { main: '', dev: ' (development files)', doc: ' (documentation)', other: '' }[part.role];
  const description =
    own?.description ?? (recipe.description === undefined ? undefined : `${recipe.description}${suffix}`);
  const text = {
    description,
    license: recipe.license,
    upstreamVersion: recipe.upstreamVersion,
    url: recipe.url,
    maintainer: recipe.maintainer,
    providerPriority: own?.providerPriority,
    users: own?.users,
    groups: own?.groups,
    alternatives: own?.alternatives,
    services: own?.services,
    scripts: own?.scripts,
  };
  const lists = {
    depends: unique(depends),
    recommends: own?.recommends ?? [],
    provides: unique([...(own?.provides ?? []), ...found.provides]),
    replaces: own?.replaces ?? [],
    installIf: own?.installIf ?? [],
  };
  return {
    name: part.name,
    version,
    arch: node.arch,
    origin: recipe.name,
    buildTime: epoch,
    ...(defined(text) as Partial<PackageMetadata>),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  };
}

const unique = (list: readonly string[]): string[] => [...new Set(list)];
const defined = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

function idleConfigFile(name: string, pattern: string, entries: readonly TreeEntry[]): IcepkgError {
  const files = entries.filter(({ type, path: file }) => type === 'file' && file.startsWith('etc/'));
  const guess = nearest(
    pattern,
    files.map((entry) => entry.path),
  );
  return new IcepkgError('build-failed', `${name}: configFiles: ${pattern} matches no file of the package`, {
    hint:
      guess === undefined
        ? 'Name a file that the package installs, or take the line out'
        : `Did you mean ${guess}?`,
  });
}

function idleOwnerRule(
  { loaded, arch }: BuildNode,
  rule: PathRule,
  entries: readonly TreeEntry[],
): IcepkgError {
  const isIt = (one: PathRule): boolean => one.path === rule.path && one.type === rule.type;
  const { owners = [], perArch } = loaded.recipe;
  const index = owners.findIndex(isIt);
  const own = arch === 'noarch' ? [] : (perArch?.[arch]?.owners ?? []);
  const at = index === -1 ? ['perArch', arch, 'owners', own.findIndex(isIt)] : ['owners', index];
  const guess = nearest(
    rule.path,
    entries.filter(({ type }) => type === (rule.type ?? type)).map((entry) => entry.path),
  );
  const what = rule.type === undefined ? 'nothing' : `no ${rule.type}`;
  return new IcepkgError(
    'build-failed',
    `${placeText(loaded.place(at))}: owners: ${rule.path} matches ${what} that the recipe installs`,
    {
      hint:
        guess === undefined
          ? 'Name a path that the steps install, or take the rule out; one for a single architecture goes under perArch'
          : `Did you mean ${guess}?`,
    },
  );
}
