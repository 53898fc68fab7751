/** Edits of the world: pure functions from what was asked for to what is asked for now. */
import { parseDependency, type Dependency } from '#schema/dependency';
import { IcepkgError } from '#schema/error';
import { isPackageName } from '#schema/fields';
import type { World } from './model.ts';

/** @throws IcepkgError `usage` where the text is no dependency */
export function checkDependency(text: string): Dependency {
  const dependency = parseDependency(text);
  if (dependency !== undefined) return dependency;
  throw new IcepkgError(
    'usage',
    `${text === '' ? 'an empty word' : text} is neither a package nor a dependency`,
    {
      hint: 'Write a name, a name with a range such as "zlib@^1.3", a capability such as cmd:awk, or the path of an .icepkg file',
    },
  );
}

/** @throws IcepkgError `usage` for what is no name of a package, such as one with a range */
export function checkName(text: string): void {
  if (isPackageName(text)) return;
  const name = text.slice(0, Math.max(0, text.indexOf('@')));
  throw new IcepkgError('usage', `${text === '' ? 'an empty word' : text} is no name of a package`, {
    hint: isPackageName(name)
      ? `Give the name alone: ${name}; a version is asked for by icepkg install "${name}@RANGE"`
      : 'Give the name of a package, as icepkg list shows it',
  });
}

function namesOf(text: string): readonly string[] {
  const dependency = parseDependency(text);
  if (dependency === undefined) return [text];
  return dependency.kind === 'conflicts'
    ? [`!${dependency.with.name}`]
    : dependency.anyOf.map((one) => one.name);
}

/** Adds dependencies; one for the same name is replaced. */
export function addToWorld(world: World, texts: readonly string[]): World {
  let depends = world.depends;
  for (const text of texts) {
    const key = namesOf(checkDependency(text).text).join('|');
    const index = depends.findIndex((one) => namesOf(one).join('|') === key);
    depends = index === -1 ? [...depends, text] : depends.with(index, text);
  }
  return { ...world, depends };
}

const asksFor = (text: string, name: string): boolean => text === name || namesOf(text).includes(name);

export const isAskedFor = ({ depends, holds }: World, name: string): boolean =>
  holds.includes(name) || depends.some((text) => asksFor(text, name));

/**
 * Takes every dependency on `names` out, with their pins.
 * @throws IcepkgError `not-found` naming what nobody asked for, `unsolvable` naming what is held
 */
export function removeFromWorld(world: World, names: readonly string[]): World {
  let { depends } = world;
  for (const name of new Set(names)) {
    if (world.holds.includes(name)) {
      throw new IcepkgError('unsolvable', `${name} is held, so it is not removed`, {
        hint: `Release it first: icepkg unhold ${name}`,
      });
    }
    const left = depends.filter((text) => !asksFor(text, name));
    if (left.length === depends.length) {
      throw new IcepkgError('not-found', `${name} was not asked for, so it cannot be taken back`, {
        hint: `See what asks for it: icepkg why ${name}; all that was asked for: icepkg world`,
      });
    }
    depends = left;
  }
  const pins = Object.fromEntries(Object.entries(world.pins).filter(([name]) => !names.includes(name)));
  return { ...world, depends, pins };
}

export const hold = (world: World, names: readonly string[]): World => ({
  ...world,
  holds: [...new Set([...world.holds, ...names])].sort(),
});

/** @throws IcepkgError `usage` for what is no name, `not-found` naming what is not held */
export function unhold(world: World, names: readonly string[]): World {
  names.forEach(checkName);
  const missing = names.find((name) => !world.holds.includes(name));
  if (missing !== undefined) throw notSet(missing, 'held');
  return { ...world, holds: world.holds.filter((name) => !names.includes(name)) };
}

export const pin = (world: World, name: string, source: string): World => ({
  ...world,
  pins: { ...world.pins, [name]: source },
});

/** Pins by repository alone: `main/beta` is the repository `main` where that follows the channel `beta`. */
export function pinsByRepository(
  pins: World['pins'],
  repositories: readonly { readonly name: string; readonly channel: string }[],
): World['pins'] {
  const named = new Map(repositories.map(({ name, channel }) => [`${name}/${channel}`, name]));
  return Object.fromEntries(
    Object.entries(pins).map(([name, source]) => [name, named.get(source) ?? source]),
  );
}

/** @throws IcepkgError `usage` for what is no name, `not-found` naming what is not pinned */
export function unpin(world: World, names: readonly string[]): World {
  names.forEach(checkName);
  const missing = names.find((name) => !(name in world.pins));
  if (missing !== undefined) throw notSet(missing, 'pinned');
  return {
    ...world,
    pins: Object.fromEntries(Object.entries(world.pins).filter(([name]) => !names.includes(name))),
  };
}

function notSet(name: string, what: string): IcepkgError {
  return new IcepkgError('not-found', `${name} is not ${what}`, {
    hint: 'See holds and pins: icepkg world',
  });
}
