/** What of a recipe is in the tree of a build that failed, so that going on in it after a change does not mix old and new. */
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { fingerprint } from './build-key.ts';
import type { BuildNode } from './order.ts';
import { rootLines, type RootPackage } from './root.ts';
import { resolveSources } from './sources/resolve.ts';
import type { Phase } from './steps.ts';

/** Digests by what they are of: `the file hello.c`, `the phase prepare`. */
export type TakenInputs = Readonly<Record<string, string>>;

const LABELS: Readonly<Partial<Record<Phase['name'], string>>> = {
  unpack: 'the list of sources',
  patch: 'the list of patches',
};

/** @param done phases that have run in the tree */
export function takenInputs(
  node: BuildNode,
  root: readonly RootPackage[],
  done: readonly Phase[],
): TakenInputs {
  const { recipe, arch } = node;
  const taken: Record<string, string> = {};
  for (const source of resolveSources(recipe.sources, arch))
    if (source.kind === 'local') taken[`the file ${source.path}`] = fingerprint(node, source.path);
    else taken[`the source ${source.file}`] = source.sha256;
  for (const patch of recipe.patches ?? []) taken[`the patch ${patch}`] = fingerprint(node, patch);
  for (const { name, script } of done) taken[LABELS[name] ?? `the phase ${name}`] = sha256(script);
  // Steps have looked at these.
  if (done.some(({ name }) => LABELS[name] === undefined)) {
    taken['the version'] = recipe.version;
    taken['the variables under env'] = sha256(JSON.stringify(recipe.env ?? {}));
    taken['the build dependencies'] = sha256(rootLines(root).join('\n'));
  }
  return taken;
}

/** @throws IcepkgError `build-failed` naming what has changed since the tree was made */
export function refuseChanged(name: string, before: TakenInputs, now: TakenInputs): void {
  const changed = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(
    (one) => before[one] !== now[one],
  );
  if (changed.length === 0) return;
  throw new IcepkgError(
    'build-failed',
    `${name} cannot go on where it failed, because the kept tree was made with others: ${changed.join(', ')}`,
    { hint: 'Build it anew: leave out --resume', data: { changed } },
  );
}
