/** How a version is spelled in the names and addresses of its sources. */
import type { Recipe } from '../recipe-schema.ts';

/** Puts the new version where the old one stands. */
export type Respell = (text: string) => string;

/** How a version may be spelled in names: longest first, so that no spelling cuts another. */
export function spellings(recipe: Recipe): string[] {
  const upstream = recipe.upstreamVersion?.replace(/^\d+:/, '').replace(/-[^-]+$/, '');
  const names = [upstream, recipe.version, recipe.version.replace(/(?:\.0)+$/, '')];
  return [...new Set(names.filter((name) => name !== undefined))].toSorted((a, b) => b.length - a.length);
}

/** With dots, underscores or hyphens between the numbers. */
export function speller(recipe: Recipe, version: string): Respell {
  const pairs = spellings(recipe).flatMap((old) =>
    ['.', '_', '-'].map((mark): [string, string] => [
      old.replaceAll('.', mark),
      version.replaceAll('.', mark),
    ]),
  );
  const series = (text: string): string => text.split('.').slice(0, 2).join('.');
  return (text) => {
    const pair = pairs.find(([old]) => text.includes(old));
    if (pair === undefined) return text;
    // A folder of the series: /1.2/demo-1.2.3.tar.gz
    const [old, now] = pair;
    return text.replaceAll(old, now).replaceAll(`/${series(recipe.version)}/`, `/${series(version)}/`);
  };
}
