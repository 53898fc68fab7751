/** The shell that a build runs, phase by phase, from a recipe. */
import * as path from 'node:path';
import type { ResolvedRecipe } from './resolve-recipe.ts';
import { RECIPE_FOLDER, type ResolvedSource } from './sources/resolve.ts';
import { unpackScript } from './sources/unpack.ts';
import { quote } from './shell.ts';

export interface Phase {
  readonly name: 'unpack' | 'patch' | 'prepare' | 'build' | 'check' | 'install';
  readonly script: string;
}

/** Puts the hunks that did not apply at the end of the log, where the error shows them. */
const SHOW_REJECTED = "{ { set +x; find . -name '*.rej' -exec cat {} +; } 2>&1; exit 1; }";

/** Phases in the order they run; what a recipe does not have is left out. */
export function phasesOf(
  recipe: ResolvedRecipe,
  sources: readonly ResolvedSource[],
  check: boolean,
): Phase[] {
  const phases: Phase[] = [{ name: 'unpack', script: unpackScript(sources) }];
  const patches = recipe.patches ?? [];
  if (patches.length > 0) {
    const lines = patches.map(
      (patch) =>
        `patch -p1 --no-backup-if-mismatch -i ${quote(`${RECIPE_FOLDER}/${patch}`)} || ${SHOW_REJECTED}`,
    );
    phases.push({ name: 'patch', script: lines.join('\n') });
  }
  for (const name of ['prepare', 'build', 'check', 'install'] as const) {
    const script = recipe[name];
    if (script !== undefined && (name !== 'check' || check)) phases.push({ name, script });
  }
  return phases;
}

/** Strips programs of what running does not need and archives of debug symbols, with fixed archive members. */
export function stripScript(programs: readonly string[], archives: readonly string[]): string {
  const lines = ['cd "$DESTDIR"'];
  for (const file of programs)
    lines.push(`"$STRIP" --strip-unneeded -R .comment -R .note ${quote(path.posix.join('.', file))}`);
  for (const file of archives) lines.push(`"$STRIP" -D --strip-debug ${quote(path.posix.join('.', file))}`);
  return lines.join('\n');
}
