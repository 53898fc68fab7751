/** What the store keeps of an entry. */
import type { RegularFile } from '#schema/manifest';
import type { FilePlan } from './operations.ts';
import type { OwnedFile } from '../store/model.ts';
import type { Placed } from './places.ts';

export function rowOf(
  { manifest, entry, path }: Placed,
  owner: { readonly uid: number; readonly gid: number },
): OwnedFile {
  const base = { path, package: manifest.name, type: entry.type, ...owner };
  switch (entry.type) {
    case 'file':
      return {
        ...base,
        mode: entry.mode,
        size: entry.size,
        sha256: entry.sha256,
        ...(entry.config === undefined ? {} : { config: entry.config }),
      };
    case 'hardlink': {
      const of = manifest.files.find(
        (file): file is RegularFile => file.type === 'file' && file.path === entry.target,
      );
      return {
        ...base,
        mode: of?.mode ?? 0o644,
        size: of?.size ?? 0,
        target: entry.target,
        ...(of === undefined ? {} : { sha256: of.sha256 }),
      };
    }
    case 'symlink':
      return { ...base, mode: 0o777, size: 0, target: entry.target };
    case 'directory':
    case 'fifo':
    case 'character-device':
    case 'block-device':
      return { ...base, mode: entry.mode, size: 0 };
  }
}

/** The rows with what the staging could not set. */
export function withDeviations(
  owned: FilePlan['owned'],
  deviations: ReadonlyMap<string, string>,
): FilePlan['owned'] {
  if (deviations.size === 0) return owned;
  const marked = (row: OwnedFile): OwnedFile => {
    const deviation = deviations.get(row.path);
    return deviation === undefined ? row : { ...row, deviation };
  };
  return new Map([...owned].map(([name, rows]) => [name, rows.map(marked)]));
}
