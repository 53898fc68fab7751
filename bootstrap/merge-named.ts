/** What several layers of a definition say of things that have names. */
import type { ImageUser, Partition } from './definition-schema.ts';

type Partitions = readonly Partition[];

/**
 * The board's come first, in its order. Partitions of one name are one: the fields of the later one win.
 * @param board an empty list says that it has no disk; those of profiles and systems are left out then
 * @param below of profiles and systems
 * @param image of an image file
 */
export function mergePartitions(
  board: Partitions | undefined,
  below: Partitions,
  image: Partitions,
): Partition[] {
  return byName([...(board ?? []), ...(board?.length === 0 ? [] : below), ...image], (a, b) => ({
    ...a,
    ...b,
  }));
}

/** Users of one name are one: the fields of the later one win, its groups and keys come on top. */
export const mergeUsers = (users: readonly ImageUser[]): ImageUser[] =>
  byName(users, (a, b) => ({ ...a, ...b, ...added(a, b, 'groups'), ...added(a, b, 'sshKeys') }));

function byName<T extends { readonly name: string }>(all: readonly T[], merge: (a: T, b: T) => T): T[] {
  const merged = new Map<string, T>();
  for (const one of all) {
    const before = merged.get(one.name);
    merged.set(one.name, before === undefined ? one : merge(before, one));
  }
  return [...merged.values()];
}

function added(a: ImageUser, b: ImageUser, field: 'groups' | 'sshKeys'): Partial<ImageUser> {
  const all = [...(a[field] ?? []), ...(b[field] ?? [])];
  return all.length === 0 ? {} : { [field]: [...new Set(all)] };
}
