/** What the kernel is told. */
import type { Definition } from './definition.ts';
import { derivedUuid, mbrId } from './disk.ts';

/** What a live system, whose root is on an ISO of that label, is told. */
export const liveCommandLine = (definition: Definition, label: string): string =>
  words(definition, [`root=live:${label}`]);

/** Where the root is on the disk, and what board and system add. */
export function kernelCommandLine(definition: Definition, key: string): string {
  const root = definition.partitions.find(({ type }) => type === 'root');
  if (root === undefined) return words(definition, []);
  return words(definition, [
    `root=PARTUUID=${partitionId(definition, key, root.name)}`,
    ...(root.filesystem === undefined ? [] : [`rootfstype=${root.filesystem}`]),
    root.filesystem === 'ext4' ? 'rw' : 'ro',
  ]);
}

function words({ hardware, cmdline }: Definition, root: readonly string[]): string {
  const { console: terminal } = hardware;
  return [...(terminal === undefined ? [] : [`console=${terminal}`]), ...root, ...cmdline].join(' ');
}

/** As the kernel names it: a UUID, or the disk's id with the number of the partition. */
function partitionId({ partitions, hardware }: Definition, key: string, name: string): string {
  if (hardware.table === 'gpt') return derivedUuid(key, 'partition', name);
  const number = partitions.findIndex((partition) => partition.name === name) + 1;
  return `${mbrId(derivedUuid(key, 'disk'))}-${String(number).padStart(2, '0')}`;
}
