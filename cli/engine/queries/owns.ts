/** Which packages a path belongs to. */
import { IcepkgError } from '#schema/error';
import { resolveInside } from './inside.ts';
import { readStore } from './read-store.ts';

export interface Ownership {
  /** Where the path really is, relative to the root. */
  readonly path: string;
  readonly packages: readonly string[];
}

/** Of each path; without packages where nobody owns it. */
export function owns(root: string, paths: readonly string[]): readonly Ownership[] {
  return readStore(root, (store) =>
    paths.map((given) => {
      const path = resolveInside(root, given);
      return { path, packages: store.ownersOf(path).map((one) => one.package) };
    }),
  );
}

export const unownedError = (paths: readonly Ownership[]): IcepkgError =>
  new IcepkgError('not-found', `no package owns ${paths.map(({ path }) => `/${path}`).join(', ')}`, {
    hint: 'Paths are seen from inside the root, such as /bin/sh',
    data: { paths },
  });
