/** What went into a build, each with its digest: the recipe and its files, the sources, the packages in the sysroot. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { BuiltPackage } from '../assemble.ts';
import type { BuildNode } from '../order.ts';
import { sha256File } from '../sources/cache.ts';
import { resolveSources, type FetchedFile, type Place } from '../sources/resolve.ts';
import { walkTree } from '../tree.ts';

export interface Material {
  readonly kind: 'recipe' | 'source' | 'dependency';
  readonly name: string;
  readonly version?: string;
  readonly sha256: string;
  /** Where it can be had, as a URL, `git+URL@COMMIT` or package URL; local files have none. */
  readonly uri?: string;
  readonly purl?: string;
}

/** @param dependencies packages that were in the sysroot, as they came out of their builds */
export function materialsOf(node: BuildNode, dependencies: readonly BuiltPackage[]): Material[] {
  const sources = resolveSources(node.recipe.sources, node.arch);
  const local = sources.flatMap((source) => (source.kind === 'local' ? [source.path] : []));
  const beside = ['recipe.yaml', ...(node.recipe.patches ?? []), ...local];
  const files = [...new Set(beside.flatMap((name) => filesAt(node.folder, name)))];
  return [
    ...files.map((name): Material => ({
      kind: 'recipe',
      name,
      sha256: sha256File(path.join(node.folder, name)),
    })),
    ...sources.flatMap((source) => (source.kind === 'local' ? [] : [sourceMaterial(source)])),
    ...dependencies.map(({ name, version, arch, sha256 }): Material => {
      const purl = packageUrl({ name, version, arch });
      return { kind: 'dependency', name, version, sha256, uri: purl, purl };
    }),
  ];
}

/** Paths of the files that a path of a recipe stands for. */
function filesAt(folder: string, name: string): string[] {
  const stat = fs.statSync(path.join(folder, name), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [name];
  return walkTree(path.join(folder, name))
    .filter(({ type }) => type === 'file')
    .map((entry) => path.posix.join(name, entry.path));
}

function sourceMaterial(source: FetchedFile): Material {
  const { file, sha256, from } = source;
  const [first] = [...from].sort((a, b) => rank(a) - rank(b));
  return { kind: 'source', name: file, sha256, ...(first === undefined ? {} : locate(first)) };
}

/** Upstream's own place says most. */
const rank = (place: Place): number => ('url' in place || 'git' in place ? 0 : 1);

function locate(place: Place): Pick<Material, 'uri' | 'purl' | 'version'> {
  if ('url' in place) return { uri: place.url };
  if ('git' in place) return { uri: `git+${place.git}@${place.commit}` };
  if ('npm' in place) {
    const [scope, name] = place.npm.startsWith('@') ? place.npm.split('/') : ['', place.npm];
    const purl = `pkg:npm/${[scope, name].flatMap((part) => (part ? [encode(part)] : [])).join('/')}@${place.version}`;
    return { uri: purl, purl, version: place.version };
  }
  if ('deb' in place) {
    const arch = place.debianArch ?? 'all';
    return debian(place.deb, place.version, arch);
  }
  if ('debian' in place) return debian(place.debian, place.version, 'source');
  return debian(place['debian-binary'], place.version, undefined);
}

function debian(
  name: string,
  version: string | undefined,
  arch: string | undefined,
): Pick<Material, 'uri' | 'purl' | 'version'> {
  const at = version === undefined ? '' : `@${encode(version)}`;
  const purl = `pkg:deb/debian/${encode(name)}${at}${arch === undefined ? '' : `?arch=${arch}`}`;
  return { uri: purl, purl, ...(version === undefined ? {} : { version }) };
}

/** The package URL of a package of ours; there is no type of its own for them. */
export const packageUrl = (of: {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
}): string => `pkg:generic/${encode(of.name)}@${encode(of.version)}?arch=${of.arch}`;

const encode = (text: string): string => encodeURIComponent(text).replaceAll('%3A', ':');
