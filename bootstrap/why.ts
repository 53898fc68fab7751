/** Why a package, or a file, is in an image. */
import { dependencyGraph, type DependencyGraph } from '#engine/queries/graph';
import { IcepkgError } from '#schema/error';
import type { ImageDescription } from './description.ts';

export interface WhyInImage {
  readonly wanted: string;
  /** Each from what was wanted up to what the definition asked for. */
  readonly paths: readonly (readonly string[])[];
}

/** @throws IcepkgError `not-found` where nothing in the image has that name */
export function whyInImage(description: ImageDescription, wanted: string): WhyInImage {
  const graph = graphOf(description);
  const names = graph.providers(wanted);
  if (names.length > 0) return { wanted, paths: names.map((name) => graph.pathToWorld(name)) };
  const file = wanted.replace(/^\/+/, '');
  const entry = description.entries.find(({ path }) => path === file);
  if (entry === undefined)
    throw new IcepkgError('not-found', `${description.name} has no package or file ${wanted}`, {
      hint: 'Name a package, a capability such as so:libz.so.1, or a path such as /bin/sh',
    });
  const paths =
    entry.packages.length === 0
      ? [[file, 'brought by the definition, or made while the image was composed']]
      : entry.packages.map((name) => [file].concat(graph.pathToWorld(name)));
  return { wanted, paths };
}

export const graphOf = ({ locked, packages }: ImageDescription): DependencyGraph =>
  dependencyGraph(
    locked.map(({ record, repository }) => ({
      record,
      repository,
      transaction: 1,
      requested: packages.includes(record.name),
    })),
    { depends: packages, holds: [], pins: {} },
  );
