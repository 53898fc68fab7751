/** Finds, for files of a new package, the files of the old one that they came from. */
import type { RegularFile } from '#schema/manifest';

/** A file of the old package, and its place in the manifest. */
export interface OldFile {
  readonly place: number;
  readonly file: RegularFile;
}

/**
 * Returns a function that gives for a file the one of the same path, else one whose path differs in numbers only, as
 * in `libz.so.1.2.13` and `libz.so.1.3.1`: of those the one whose size is nearest.
 */
export function matchFiles(
  old: ReadonlyMap<number, RegularFile>,
): (file: RegularFile) => OldFile | undefined {
  const byPath = new Map<string, OldFile>();
  const byShape = new Map<string, OldFile[]>();
  for (const [place, file] of old) {
    byPath.set(file.path, { place, file });
    const shape = shapeOf(file.path);
    const alike = byShape.get(shape);
    if (alike === undefined) byShape.set(shape, [{ place, file }]);
    else alike.push({ place, file });
  }
  return (file) => byPath.get(file.path) ?? nearest(byShape.get(shapeOf(file.path)) ?? [], file.size);
}

/** A path without the numbers in it. */
const shapeOf = (path: string): string => path.replace(/\d+(?:[.-]\d+)*/g, '#');

function nearest(files: readonly OldFile[], size: number): OldFile | undefined {
  let best: OldFile | undefined;
  for (const one of files)
    if (best === undefined || Math.abs(one.file.size - size) < Math.abs(best.file.size - size)) best = one;
  return best;
}
