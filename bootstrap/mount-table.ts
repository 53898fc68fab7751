/** What the device mounts beside its root: `etc/fstab`, from the partitions of the definition. */
import type { Definition } from './definition.ts';
import { derivedUuid } from './disk.ts';

/** FAT has no modes of its own; these are what packages give their files. */
const OPTIONS = { vfat: 'nosuid,nodev,noexec,fmask=0133,dmask=0022', ext4: 'nosuid,nodev' } as const;

/** @returns nothing where the root is all there is */
export function mountTable({ partitions }: Definition, key: string): string {
  // A folder is there once what it lies on is mounted.
  return partitions
    .toSorted((a, b) => (a.mount ?? '').length - (b.mount ?? '').length)
    .flatMap(({ name, type, filesystem, mount }) => {
      if (type === 'root' || mount === undefined) return [];
      if (filesystem !== 'vfat' && filesystem !== 'ext4') return [];
      const uuid = derivedUuid(key, 'filesystem', name);
      const id = filesystem === 'vfat' ? uuid.slice(0, 8).toUpperCase().replace(/^..../, '$&-') : uuid;
      return [`UUID=${id} ${mount} ${filesystem} ${OPTIONS[filesystem]} 0 2\n`];
    })
    .join('');
}
