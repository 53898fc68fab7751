/** The files beside a recipe that take part in its build: what `$RECIPE` shows is what the digest of the build covers. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { BuildNode } from './order.ts';
import type { SandboxMount } from './sandbox.ts';
import { RECIPE_FOLDER, resolveSources } from './sources/resolve.ts';

/** Local sources and patches, relative to the recipe's folder. */
export function namedFiles({ recipe, arch }: BuildNode): string[] {
  const local = resolveSources(recipe.sources, arch).flatMap((source) =>
    source.kind === 'local' ? [source.path] : [],
  );
  return [...local, ...(recipe.patches ?? [])];
}

/** Copies what the recipe names of its folder into the workspace. @returns the mount that shows it */
export function showRecipeFiles(node: BuildNode, workspace: string): SandboxMount {
  const shown = path.join(workspace, path.basename(RECIPE_FOLDER));
  fs.rmSync(shown, { recursive: true, force: true });
  fs.mkdirSync(shown);
  for (const name of namedFiles(node)) {
    // What lies outside is shown by itself.
    if (name.startsWith('../')) continue;
    const to = path.join(shown, name);
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.cpSync(fs.realpathSync(path.join(node.folder, name)), to, { recursive: true, verbatimSymlinks: true });
  }
  return { from: shown, to: RECIPE_FOLDER };
}
