/** What lies in the folder of an overlay. */
import { walkTree, type TreeEntry } from '#pkgbuild/tree';

export type OverlayEntry = TreeEntry;

const STICKY = 0o1000;

/** Whether a group may write depends on the umask of who checked the overlay out, and counts for nothing. */
export function walkOverlay(folder: string): OverlayEntry[] {
  const entries = [...walkTree(folder, { holder: folder, code: 'format-invalid', nodes: false })];
  return entries.map((entry) =>
    (entry.mode & STICKY) === 0 ? Object.assign({}, entry, { mode: entry.mode & ~0o022 }) : entry,
  );
}
