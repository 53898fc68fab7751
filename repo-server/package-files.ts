/** Package files as a person names them: one by one, or the folder that holds them. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';

const ENDING = '.icepkg';

/**
 * Puts the packages in a folder, without those in folders of its own, in the place of its name.
 * @throws IcepkgError `not-found` for a folder that holds none
 */
export const packageFiles = (names: readonly string[]): string[] =>
  names.flatMap((name) =>
    fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true ? packagesIn(name) : [name],
  );

function packagesIn(folder: string): string[] {
  const found = fs.readdirSync(folder).filter((name) => name.endsWith(ENDING));
  if (found.length > 0) return found.sort().map((name) => join(folder, name));
  throw new IcepkgError('not-found', `${folder}: no packages here`, {
    hint: `Name package files, or a folder in which they lie: files called NAME${ENDING}`,
  });
}
