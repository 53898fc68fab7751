/** Says which recipe brings what a build did not find: a header, a library, a pkg-config file, a command. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { readHeader } from '#schema/container/read';
import { IcepkgError, isErrno } from '#schema/error';
import type { Manifest } from '#schema/manifest';
import { readResult } from './cached-build.ts';
import { newestBuilds, type KeptBuild } from './key-record.ts';
import type { BuildNode } from './order.ts';
import { defaultRecipeRoots, recipeNames } from './recipe.ts';

export interface MissingInput {
  readonly kind: 'header' | 'library' | 'pkg-config' | 'command';
  /** `zlib.h`, `z`, `zlib`. */
  readonly name: string;
}

/** Where to look for who has it. */
export interface Surroundings {
  readonly node: BuildNode;
  readonly cacheFolder: string;
}

const PATTERNS: readonly [MissingInput['kind'], RegExp][] = [
  ['header', /fatal error: ([\w./+-]+): No such file or directory/],
  ['header', /configure: error: .*?(?<![\w/+-])([\w/+-]+\.h)\b/],
  ['library', /cannot find -l([\w.+-]+)/],
  ['pkg-config', /No package '([^']+)' found/],
  ['pkg-config', /Package '?([\w.+-]+)'?,? (?:was not found|required by|not found)/],
  ['pkg-config', /Dependency "?([\w.+-]+)"? (?:not found|found: NO)/],
  ['command', /run: there is no program (\S+) in the root/],
];

/** The first thing that the end of a log misses. */
export function missingInput(tail: readonly string[]): MissingInput | undefined {
  for (const line of tail)
    for (const [kind, pattern] of PATTERNS) {
      const name = pattern.exec(line)?.[1];
      if (name !== undefined) return { kind, name };
    }
  return undefined;
}

/** Hint on how the build comes by it. */
export function missingInputHint(missing: MissingInput, { node, cacheFolder }: Surroundings): string {
  const { kind, name } = missing;
  const what = { header: name, library: `lib${name}`, 'pkg-config': `${name}.pc`, command: name }[kind];
  const field = kind === 'command' ? 'testDepends' : 'buildDepends';
  const nodes = kind === 'command' ? node.testNodes : node.buildNodes;
  const near = new Set(nodes.map(({ recipe }) => recipe.name));
  const names = likely(missing);
  const builds = newestBuilds(cacheFolder).filter((one) => one.name !== node.recipe.name);
  // Most recipes are called like what they bring, and reading all builds takes its time.
  const first = holders(
    missing,
    builds.filter(({ name: recipe }) => names.includes(recipe)),
  );
  const found = first.length > 0 ? first : holders(missing, builds);
  const [best] = found.toSorted((a, b) => a.file.length - b.file.length);
  if (best !== undefined && near.has(best.recipe)) {
    const folder = best.file.slice(0, -name.length - 1);
    return kind === 'header' && folder !== 'usr/include'
      ? `${what} is in the root of the build as $SYSROOT/${best.file}: add -I$SYSROOT/${folder} to CFLAGS`
      : `${what} is in ${best.package}, which is in the root of the build: look at how the step looks for it`;
  }
  if (best !== undefined)
    return `${what} is in ${best.package} of the recipe ${best.recipe}: name ${best.recipe} under ${field}`;
  const guess = recipesAround(node).find((recipe) => names.includes(recipe) && !near.has(recipe));
  return guess === undefined
    ? `Nothing that was built here brings ${what}: name the recipe that does under ${field}, write one, or configure without it`
    : `The recipe ${guess} may bring ${what}: name it under ${field}`;
}

interface Holder {
  readonly recipe: string;
  readonly package: string;
  readonly file: string;
}

const holders = (missing: MissingInput, builds: readonly KeptBuild[]): Holder[] =>
  builds.flatMap(({ name, folder }) =>
    manifestsIn(folder).flatMap((manifest) => {
      const file = fileWith(missing, manifest);
      return file === undefined ? [] : [{ recipe: name, package: manifest.name, file }];
    }),
  );

function fileWith({ kind, name }: MissingInput, { files, provides = [] }: Manifest): string | undefined {
  const paths = files.map((file) => file.path);
  if (kind === 'header')
    return paths
      .filter((file) => file.startsWith('usr/include/') && file.endsWith(`/${name}`))
      .toSorted((a, b) => a.length - b.length)[0];
  if (kind === 'command') return provides.includes(`cmd:${name}`) ? name : undefined;
  if (kind === 'pkg-config')
    return paths.find(
      (file) => /^usr\/(?:lib|share)\/pkgconfig\//.test(file) && file.endsWith(`/${name}.pc`),
    );
  return paths.find((file) =>
    [`lib${name}.so`, `lib${name}.a`].some(
      (one) => /^(?:usr\/)?lib\/[^/]+$/.test(file) && file.endsWith(`/${one}`),
    ),
  );
}

function manifestsIn(folder: string): Manifest[] {
  try {
    return readResult(folder).map(({ file }) => readHeader(path.join(folder, file), file).manifest);
  } catch (error) {
    // Another build may be putting it there, or it was damaged: it is a guess only.
    if (error instanceof IcepkgError || error instanceof SyntaxError || isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

const recipesAround = ({ folder }: BuildNode): string[] =>
  [path.dirname(folder), ...defaultRecipeRoots()].filter((root) => fs.existsSync(root)).flatMap(recipeNames);

/** Names that a recipe for it would have. */
function likely({ name }: MissingInput): string[] {
  const stem = (name.split('/')[0] ?? name).replace(/\.h$/, '');
  return [stem, `lib${stem}`, stem.replace(/^lib/, ''), stem.replace(/[-\d.]+$/, '')];
}
