/** A plan's lines as the history keeps them. */
import type { Change } from '../model.ts';
import type { RecordedChange } from '../store/model.ts';

export function recordedChanges(changes: readonly Change[]): readonly RecordedChange[] {
  return changes.map(({ action, name, arch, oldVersion, newVersion, repository, reason }) => ({
    action,
    name,
    arch,
    oldVersion,
    newVersion,
    repository,
    reason,
  }));
}
