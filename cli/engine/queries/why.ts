/** Which chain of dependencies leads from world to a package. */
import { IcepkgError } from '#schema/error';
import { readStore } from './read-store.ts';
import { dependencyGraph } from './graph.ts';

export interface WhyResult {
  readonly package: string;
  /** Each from the package up to what was asked for; one line a step. */
  readonly paths: readonly (readonly string[])[];
}

/** @throws IcepkgError `not-found` where nothing installed is or provides `wanted` */
export function why(root: string, wanted: string): WhyResult {
  return readStore(root, (store) => {
    const installed = store.installedPackages();
    const graph = dependencyGraph(installed, store.world());
    const names = graph.providers(wanted);
    if (names.length === 0) {
      throw new IcepkgError('not-found', `${wanted} is not installed`, {
        hint: `See what repositories offer: icepkg search ${wanted}`,
      });
    }
    return { package: wanted, paths: names.map((name) => graph.pathToWorld(name)) };
  });
}
