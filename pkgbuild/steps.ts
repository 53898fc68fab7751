/** The shell that a build runs, phase by phase, from a recipe. */
import * as path from 'node:path';
import type { Recipe } from './recipe-schema.ts';
import { BUILD_ROOT } from './toolchain.ts';

/** Where sources and the recipe's own files are shown inside the sandbox. */
export const DISTFILES = `${BUILD_ROOT}/distfiles`;
export const RECIPE_FOLDER = `${BUILD_ROOT}/recipe`;
const SOURCE_FOLDER = `${BUILD_ROOT}/src`;

export interface Phase {
  readonly name: 'unpack' | 'patch' | 'prepare' | 'build' | 'check' | 'install';
  readonly script: string;
}

const ARCHIVE = /\.(?:tar(?:\.[a-z0-9]+)?|t[gx]z|tbz2?)$/;

/** Phases in the order they run; what a recipe does not have is left out. */
export function phasesOf(recipe: Recipe, check: boolean): Phase[] {
  const phases: Phase[] = [{ name: 'unpack', script: unpack(recipe) }];
  const patches = recipe.patches ?? [];
  if (patches.length > 0) {
    const lines = patches.map(
      (patch) => `patch -p1 --no-backup-if-mismatch -i ${quote(`${RECIPE_FOLDER}/${patch}`)}`,
    );
    phases.push({ name: 'patch', script: lines.join('\n') });
  }
  for (const name of ['prepare', 'build', 'check', 'install'] as const) {
    const script = recipe[name];
    if (script !== undefined && (name !== 'check' || check)) phases.push({ name, script });
  }
  return phases;
}

/** Archives are unpacked inside the sandbox, because they come from outside like all else. */
function unpack(recipe: Recipe): string {
  const lines: string[] = [];
  for (const source of recipe.sources) {
    const into = quote(source.into === undefined ? SOURCE_FOLDER : `${SOURCE_FOLDER}/${source.into}`);
    lines.push(`mkdir -p ${into}`);
    if ('path' in source) {
      const from = `${RECIPE_FOLDER}/${source.path}`;
      lines.push(
        `if [ -d ${quote(from)} ]; then cp -R ${quote(`${from}/.`)} ${into}; else cp ${quote(from)} ${into}; fi`,
      );
    } else if (source.extract !== false && ARCHIVE.test(source.file))
      lines.push(
        `tar --no-same-owner --strip-components=1 -C ${into} -xf ${quote(`${DISTFILES}/${source.file}`)}`,
      );
    else lines.push(`cp ${quote(`${DISTFILES}/${source.file}`)} ${into}`);
  }
  return [...lines, `chmod -R u+rwX ${SOURCE_FOLDER}`].join('\n');
}

/** Strips programs of what running does not need and archives of debug symbols, with fixed archive members. */
export function stripScript(programs: readonly string[], archives: readonly string[]): string {
  const lines = ['cd "$DESTDIR"'];
  for (const file of programs)
    lines.push(`"$STRIP" --strip-unneeded -R .comment -R .note ${quote(path.posix.join('.', file))}`);
  for (const file of archives) lines.push(`"$STRIP" -D --strip-debug ${quote(path.posix.join('.', file))}`);
  return lines.join('\n');
}

/** A word for the shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
