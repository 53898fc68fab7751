/** Which services of the installed packages start with the image. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { nearest } from '#schema/nearest';
import { definitionOf, enabledLinkOf, enabledTargetOf } from '#engine/declared/services';
import type { Definition } from './definition.ts';
import { placeInRoot } from './root-path.ts';

/** Makes and deletes the links below `etc/service`. @throws IcepkgError `not-found` for a service that no package brings */
export function applyServices(root: string, { enable, disable }: Definition): void {
  for (const name of [...enable, ...disable]) {
    if (fs.existsSync(placeInRoot(root, `${definitionOf(name)}/`))) continue;
    const folder = placeInRoot(root, 'etc/sv/');
    const known = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
    const guess = nearest(name, known);
    throw new IcepkgError('not-found', `no package of the image brings the service ${name}`, {
      hint: guess === undefined ? `There are: ${known.join(', ') || 'none'}` : `Did you mean ${guess}?`,
    });
  }
  for (const name of disable) fs.rmSync(placeInRoot(root, enabledLinkOf(name)), { force: true });
  for (const name of enable) {
    const link = placeInRoot(root, enabledLinkOf(name));
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.rmSync(link, { force: true });
    fs.symlinkSync(enabledTargetOf(name), link);
  }
}
