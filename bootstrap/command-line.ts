/** What the kernel is told. */
import type { Definition } from './definition.ts';
import { derivedUuid } from './disk.ts';

/** Where the root is, and what board and system add. */
export function kernelCommandLine(definition: Definition, key: string): string {
  const root = definition.partitions.find(({ type }) => type === 'root');
  const { console: terminal } = definition.hardware;
  return [
    ...(terminal === undefined ? [] : [`console=${terminal}`]),
    ...(root === undefined
      ? []
      : [
          `root=PARTUUID=${derivedUuid(key, 'partition', root.name)}`,
          ...(root.filesystem === undefined ? [] : [`rootfstype=${root.filesystem}`]),
          root.filesystem === 'ext4' ? 'rw' : 'ro',
        ]),
    ...definition.cmdline,
  ].join(' ');
}
