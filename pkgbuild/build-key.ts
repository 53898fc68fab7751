/** The name of a build in the cache: a digest of everything that can change its result. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { canonicalJson } from '#schema/canonical-json';
import { sha256 } from '#schema/digest';
import { IcepkgError, isErrno } from '#schema/error';
import { nearest } from '#schema/nearest';
import type { BuildNode } from './order.ts';
import { namedFiles } from './recipe-files.ts';
import { sha256File } from './sources/cache.ts';
import { placed } from './sources/place.ts';
import { resolveSources, sumOf, withoutPlaces, type ResolvedSource } from './sources/resolve.ts';
import { toolchainId } from './toolchain.ts';
import { walkTree } from './tree.ts';

/** Raised when the builder itself comes to make something else of the same input. */
const BUILDER_REVISION = 3;

/** What the command line adds to the recipe. */
export interface KeyOptions {
  readonly codec: string;
  readonly epoch: number;
  /** Names and versions of the packages of the machine whose programs the build sees. */
  readonly host: readonly string[];
}

/** Everything that can change the result of a build; its digest is the key. */
export interface KeyDocument {
  readonly builder: number;
  readonly arch: string;
  /** The recipe as it is built, in JSON. */
  readonly recipe: string;
  /** A line with a digest for each file beside the recipe that takes part. */
  readonly files: readonly string[];
  /** The packages in the root of the build, a line with the digest of each. */
  readonly root: readonly string[];
  readonly toolchain: string;
  readonly codec: string;
  readonly epoch: number;
  readonly host: readonly string[];
}

/** The name of the build in the cache. */
export const keyOfDocument = (document: KeyDocument): string => sha256(canonicalJson(document));

/** @param root the packages in the root of the build, a line with the digest of each */
export async function keyDocument(
  node: BuildNode,
  root: readonly string[],
  options: KeyOptions,
): Promise<KeyDocument> {
  // What is done after the build does not change it.
  const { test: _test, testDepends: _depends, update: _update, ...recipe } = node.recipe;
  const sources = resolved(node);
  return {
    builder: BUILDER_REVISION,
    arch: node.arch,
    // Fetched sources are in the recipe by their sha256; the places they come from do not matter.
    recipe: JSON.stringify({
      ...recipe,
      sources: sources.map(withoutPlaces),
    }),
    files: namedFiles(node).map((file) => fingerprint(node, file)),
    root: [...root],
    toolchain: await toolchainId(node.toolArch),
    codec: options.codec,
    epoch: options.epoch,
    host: [...options.host],
  };
}

function resolved({ recipe, arch, loaded }: BuildNode): ResolvedSource[] {
  try {
    return resolveSources(recipe.sources, arch);
  } catch (error) {
    throw placed(
      error,
      loaded,
      (one) => typeof one !== 'string' && 'deb' in one && sumOf(one, arch) === undefined,
    );
  }
}

/** Digest of a file, or of a folder's paths, modes and contents. */
export function fingerprint({ folder, loaded }: BuildNode, relative: string): string {
  const target = path.join(folder, relative);
  try {
    if (!fs.statSync(target).isDirectory())
      return `${relative} ${fs.statSync(target).mode & 0o111} ${sha256File(target)}`;
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR')) throw cause;
    const guess = nearest(relative, filesBelow(folder));
    const missing = new IcepkgError('source-failed', `there is no file ${relative} beside the recipe`, {
      cause,
      hint: guess === undefined ? `Put it at ${target}, or take the line out` : `Did you mean ${guess}?`,
    });
    throw placed(missing, loaded, (one) =>
      typeof one === 'string' ? one === relative : 'path' in one && one.path === relative,
    );
  }
  const lines = walkTree(target).map((entry) =>
    [
      entry.path,
      entry.type,
      entry.mode & 0o111,
      entry.target ?? (entry.type === 'file' ? sha256File(path.join(target, entry.path)) : ''),
    ].join(' '),
  );
  return sha256(lines.join('\n'));
}

const filesBelow = (folder: string): string[] =>
  fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
