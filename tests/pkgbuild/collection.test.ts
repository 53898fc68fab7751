/**
 * The whole collection: every package goes alone, with what it needs and nothing else, into an empty root, and no
 * program or library in it is for another architecture. It builds all recipes, so it runs with `ICEPKG_ALL_RECIPES=1`
 * (`npm run test:recipes`).
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeWorld } from '#engine/change-world';
import { openContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { worldRequest } from '#engine/requests';
import { addToWorld } from '#engine/world';
import { buildEverything } from '#pkgbuild/build';
import { findRecipe, recipeNames } from '#pkgbuild/recipe';
import { globToRegExp } from '#pkgbuild/tree';
import { readHeader } from '#schema/container/read';
import type { MachineArch } from '#schema/fields';
import { collectionRequest } from '../support/build-request.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const recipes = path.join(top, 'recipes');
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-collection-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Of the ELF header, as `readelf -h` calls it. */
const MACHINE: Record<MachineArch, number> = { x86_64: 62, aarch64: 183 };

function machineOf(file: string): number | undefined {
  const head = Buffer.alloc(20);
  const descriptor = fs.openSync(file, 'r');
  try {
    fs.readSync(descriptor, head, 0, head.length, 0);
  } finally {
    fs.closeSync(descriptor);
  }
  return head.subarray(0, 4).equals(Buffer.from('\x7fELF')) ? head.readUInt16LE(18) : undefined;
}

interface Built {
  readonly recipe: string;
  readonly name: string;
  readonly file: string;
}

async function buildAll(arch: MachineArch, output: string): Promise<Built[]> {
  const outcomes = await buildEverything(
    collectionRequest(
      recipeNames(recipes).filter((name) => isFor(name, arch)),
      arch,
      output,
    ),
  );
  const failed = outcomes.flatMap((outcome) =>
    outcome.state === 'failed' || outcome.state === 'blocked' ? [outcome.recipe] : [],
  );
  expect(failed).toEqual([]);
  return outcomes.flatMap((outcome) =>
    'built' in outcome
      ? outcome.built.packages
          // Programs of the machine that builds come along.
          .filter(({ file }) => file.endsWith(`.${arch}.icepkg`) || file.endsWith('.noarch.icepkg'))
          .map(({ name, file }) => ({ recipe: outcome.built.recipe, name, file: path.join(output, file) }))
      : [],
  );
}

function isFor(name: string, arch: MachineArch): boolean {
  const listed = findRecipe(name, [recipes]).recipe.arch;
  return !Array.isArray(listed) || listed.includes(arch);
}

/** Installs one package into an empty root, choosing what it needs from all others. */
async function installAlone(root: string, arch: MachineArch, name: string, files: string[]): Promise<void> {
  initRoot(root, { arch });
  await changeWorld(openContext({ root, sync: false, offline: true }), {
    ...worldRequest(`install ${name}`, (world) => addToWorld(world, [name])),
    files,
    candidates: [],
    recommends: false,
    allowUntrusted: true,
    dryRun: false,
    confirm: () => true,
  });
}

/** Paths of the package with a program for another machine, but for those that the recipe says are. */
function foreignFiles(root: string, arch: MachineArch, { recipe, file }: Built): string[] {
  const allowed = (findRecipe(recipe, [recipes]).recipe.foreignCode ?? []).map(globToRegExp);
  const { manifest } = readHeader(file, file);
  return manifest.files
    .filter((entry) => entry.type === 'file')
    .map((entry) => entry.path)
    .filter((one) => {
      if (allowed.some((pattern) => pattern.test(one))) return false;
      const machine = machineOf(path.join(root, one));
      return machine !== undefined && machine !== MACHINE[arch];
    });
}

describe.runIf(process.env['ICEPKG_ALL_RECIPES'] === '1').each(['x86_64', 'aarch64'] as const)(
  'on %s',
  (arch) => {
    test('every package installs alone', { timeout: 14_400_000 }, async () => {
      const packages = await buildAll(arch, path.join(folder, arch));
      const files = packages.map(({ file }) => file);
      const faults: string[] = [];
      for (const one of packages) {
        const root = path.join(folder, 'root');
        try {
          await installAlone(root, arch, one.name, files);
          const foreign = foreignFiles(root, arch, one);
          if (foreign.length > 0) faults.push(`${one.name}: for another machine: ${foreign.join(' ')}`);
        } catch (error) {
          faults.push(`${one.name}: ${error instanceof Error ? error.message : String(error)}`);
        }
        fs.rmSync(root, { recursive: true, force: true });
      }
      expect(faults).toEqual([]);
    });
  },
);
