/** Which services of the installed packages start with the image. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { nearest } from '#schema/nearest';
import { definitionOf, enabledLinkOf, enabledTargetOf } from '#engine/declared/services';
import type { Definition } from './definition.ts';

/** Makes and deletes the links below `etc/service`. @throws IcepkgError `not-found` for a service that no package brings */
export function applyServices(root: string, { enable, disable }: Definition): void {
  for (const name of [...enable, ...disable]) {
    if (fs.existsSync(path.join(root, definitionOf(name)))) continue;
    const known = fs.readdirSync(ensured(path.join(root, 'etc/sv')));
    const guess = nearest(name, known);
    throw new IcepkgError('not-found', `no package of the image brings the service ${name}`, {
      hint: guess === undefined ? `There are: ${known.join(', ') || 'none'}` : `Did you mean ${guess}?`,
    });
  }
  for (const name of disable) fs.rmSync(path.join(root, enabledLinkOf(name)), { force: true });
  for (const name of enable) {
    const link = path.join(root, enabledLinkOf(name));
    fs.rmSync(link, { force: true });
    fs.symlinkSync(enabledTargetOf(name), link);
  }
}

function ensured(folder: string): string {
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}
