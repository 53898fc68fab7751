/** Shows a plan: to people as a table in order, to programs as plain objects. */
import type { Change, Plan } from '#engine/model';
import { sizeText } from './size.ts';
import { tableText } from './table.ts';

/** What `--json` shows of one change. */
export interface ChangeJson {
  readonly action: Change['action'];
  readonly package: string;
  readonly arch: string;
  readonly oldVersion: string | null;
  readonly newVersion: string | null;
  readonly repository: string | null;
  readonly size: number | null;
  readonly reason: string;
}

export function changeJson(change: Change): ChangeJson {
  return {
    action: change.action,
    package: change.name,
    arch: change.arch,
    oldVersion: change.oldVersion ?? null,
    newVersion: change.newVersion ?? null,
    repository: change.repository ?? null,
    size: change.to?.record.package.size ?? null,
    reason: change.reason,
  };
}

function versions(change: Change): string {
  if (change.oldVersion === undefined) return change.newVersion ?? '';
  if (change.newVersion === undefined || change.newVersion === change.oldVersion) return change.oldVersion;
  return `${change.oldVersion} -> ${change.newVersion}`;
}

export function planText(plan: Plan): string {
  if (plan.changes.length === 0) return 'nothing to do';
  const rows = plan.changes.map((change) => [
    change.action,
    change.name,
    versions(change),
    change.repository ?? '',
    change.to === undefined ? '' : sizeText(change.to.record.package.size),
    change.reason,
  ]);
  const header = ['ACTION', 'PACKAGE', 'VERSION', 'REPOSITORY', 'SIZE', 'REASON'];
  const growth =
    plan.sizeDifference < 0
      ? `frees ${sizeText(-plan.sizeDifference)}`
      : `takes ${sizeText(plan.sizeDifference)} more`;
  const count = `${plan.changes.length} change${plan.changes.length === 1 ? '' : 's'}`;
  return `${tableText([header, ...rows])}\n${count}; downloads ${sizeText(plan.downloadSize)}, ${growth}`;
}
