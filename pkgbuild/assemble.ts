/** Makes packages of an installed tree: split, scan, describe, write. */
import * as path from 'node:path';
import { writePackage, type PackageEntry, type PackageMetadata } from '#schema/container/write';
import type { Codec } from '#schema/container/codec';
import type { PrivateKey } from '#schema/keys';
import type { BuildNode } from './order.ts';
import type { OwnerRule, Recipe } from './recipe-schema.ts';
import { scanPart, type Found } from './scan.ts';
import { splitTree, type PackagePart } from './split.ts';
import { globToRegExp, walkTree } from './tree.ts';

export interface AssembleOptions {
  /** Folder that the package files are written to. */
  readonly output: string;
  readonly epoch: number;
  readonly codec: Codec;
  readonly keys: readonly PrivateKey[];
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
  for (const part of splitTree(recipe, walkTree(tree))) {
    const found = scanPart(part, { root: tree, arch: node.arch, version: recipe.version });
    const metadata = describePackage(node, part, found, options.epoch);
    const file = `${metadata.name}-${metadata.version}.${metadata.arch}.icepkg`;
    const written = await writePackage({
      metadata,
      entries: packageEntries(recipe, part, tree),
      output: path.join(options.output, file),
      codec: options.codec,
      keys: options.keys,
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
  return built;
}

function describePackage(node: BuildNode, part: PackagePart, found: Found, epoch: number): PackageMetadata {
  const { recipe } = node;
  const own = part.role === 'main' ? recipe : part.declared;
  const version = `${recipe.version}-r${recipe.release}`;
  const depends = [...(own?.depends ?? []), ...found.depends];
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

function packageEntries(recipe: Recipe, part: PackagePart, tree: string): PackageEntry[] {
  const config = ((part.role === 'main' ? recipe : part.declared)?.configFiles ?? []).map(globToRegExp);
  const rules = (recipe.owners ?? []).map((rule) => ({ rule, pattern: exactly(rule.path) }));
  const firstNames = new Map<string, string>();
  return part.entries.map((entry): PackageEntry => {
    const { path: name } = entry;
    if (entry.target !== undefined) return { type: 'symlink', path: name, target: entry.target };
    const rule = rules.findLast(({ pattern }) => pattern.test(name))?.rule;
    if (entry.type === 'directory')
      return { type: 'directory', path: name, ...ownership(rule, entry.mode & 0o7777) };
    const first = entry.inode === undefined ? undefined : firstNames.get(entry.inode);
    if (first !== undefined) return { type: 'hardlink', path: name, target: first };
    if (entry.inode !== undefined) firstNames.set(entry.inode, name);
    return {
      type: 'file',
      path: name,
      ...ownership(rule, entry.mode),
      content: { file: path.join(tree, name) },
      ...(config.some((pattern) => pattern.test(name)) ? { config: true } : {}),
    };
  });
}

/** An owner rule names one path: without `**` it does not reach into a directory. */
function exactly(glob: string): RegExp {
  const pattern = globToRegExp(glob);
  return glob.includes('**') ? pattern : new RegExp(pattern.source.replace(/\(\?:\\\/\.\*\)\?\$$/, '$'));
}

function ownership(
  rule: OwnerRule | undefined,
  mode: number,
): { mode: number; user?: string; group?: string } {
  return {
    mode: rule?.mode === undefined ? mode : Number.parseInt(rule.mode, 8),
    ...(rule?.user === undefined ? {} : { user: rule.user }),
    ...(rule?.group === undefined ? {} : { group: rule.group }),
  };
}
