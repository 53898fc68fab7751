/** What a recipe takes over from the Debian packages it repackages, and what it must know of them. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import type { Recipe } from '../recipe-schema.ts';
import { readDeb } from './deb-file.ts';
import { readDebianCopyright } from './debian-copyright.ts';
import { mapDebianVersion } from './debian-version.ts';
import type { FetchedFile, ResolvedSource } from './resolve.ts';

export interface Repackaged {
  /** Configuration files as Debian declares them. */
  readonly configFiles: readonly string[];
  /** One line each, for the log: scripts that are not run. */
  readonly notes: readonly string[];
}

/**
 * Reads the Debian packages among the sources.
 * @param fileOf path of a fetched source
 * @throws IcepkgError `source-failed` where one is not what the recipe says, `build-failed` where the recipe's version is not its version
 */
export function inspectDebs(
  recipe: Recipe,
  sources: readonly ResolvedSource[],
  fileOf: (source: FetchedFile) => string,
): Repackaged {
  const fetched = sources.filter((source) => source.kind !== 'local');
  const installed = fetched.filter((source) => source.kind === 'deb' && source.into === undefined);
  const configFiles: string[] = [];
  const notes: string[] = [];
  for (const source of installed) {
    const control = readDeb(fileOf(source));
    const name = control.fields.get('package') ?? '';
    const version = control.fields.get('version') ?? '';
    configFiles.push(...control.configFiles);
    if (control.scripts.length > 0)
      notes.push(`${name} ${version}: its ${control.scripts.join(', ')} are not run`);
    if (source === installed[0] && installed.length === fetched.length) checkVersion(recipe, name, version);
  }
  return { configFiles, notes };
}

function checkVersion(recipe: Recipe, name: string, debian: string): void {
  const mapped = mapDebianVersion(debian);
  if (mapped === undefined || mapped.version === recipe.version) return;
  throw new IcepkgError(
    'build-failed',
    `${recipe.name} says version ${recipe.version}, but its first source is ${name} ${debian}, which is ${mapped.version}`,
    { hint: `Write version: '${mapped.version}' and upstreamVersion: '${debian}' in the recipe` },
  );
}

const COPYRIGHT = /^copyright-(.+)$/;

/** What the copyright files of Debian packages in the source folder say, one line each, for the log. */
export function licenseNotes(sourceFolder: string): string[] {
  return fs
    .readdirSync(sourceFolder)
    .sort()
    .flatMap((entry) => {
      const name = COPYRIGHT.exec(entry)?.[1];
      const file = path.join(sourceFolder, entry);
      if (name === undefined || !fs.lstatSync(file).isFile()) return [];
      const { expression, unmapped } = readDebianCopyright(fs.readFileSync(file, 'utf8'));
      const left = unmapped.length === 0 ? '' : ` (not in SPDX: ${unmapped.join(', ')})`;
      return [`${name}: licence by its copyright file: ${expression ?? 'prose, read it'}${left}`];
    });
}
