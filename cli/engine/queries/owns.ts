/** Which packages a path belongs to. */
import { IcepkgError } from '#schema/error';
import { resolveInside } from './inside.ts';
import { readStore } from './read-store.ts';

export interface Ownership {
  /** Where the path really is, relative to the root. */
  readonly path: string;
  readonly packages: readonly string[];
}

/** @throws IcepkgError `not-found` where nobody owns the path */
export function owns(root: string, given: string): Ownership {
  const path = resolveInside(root, given);
  const owners = readStore(root, (store) => store.ownersOf(path));
  if (owners.length === 0) {
    throw new IcepkgError('not-found', `no package owns /${path}`, {
      hint: 'Paths are seen from inside the root, such as /bin/sh',
    });
  }
  return { path, packages: owners.map((one) => one.package) };
}
