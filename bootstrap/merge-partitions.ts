/** Puts the partitions that a board, a system and an image file ask for into one list. */
import type { Partition } from './definition-schema.ts';

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
  const merged = new Map<string, Partition>();
  for (const partition of [...(board ?? []), ...(board?.length === 0 ? [] : below), ...image])
    merged.set(partition.name, { ...merged.get(partition.name), ...partition });
  return [...merged.values()];
}
