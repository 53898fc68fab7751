/** Shows a plan: to people as a table in order, to programs as plain objects. */
import type { Change, Plan, World } from '#engine/model';
import { countText, sizeText } from './size.ts';
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

/** How `icepkg world` would differ: lines that are gone and lines that are new. */
function worldText(before: World, after: World): string {
  const [old, next] = [worldLines(before), worldLines(after)];
  const gone = old.filter((line) => !next.includes(line)).map((line) => `- ${line}`);
  const added = next.filter((line) => !old.includes(line)).map((line) => `+ ${line}`);
  return [...gone, ...added].join('\n');
}

/** The world as text, one wish a line. */
export function worldLines(world: World): string[] {
  return [
    ...world.depends,
    ...world.holds.map((name) => `hold ${name}`),
    ...Object.entries(world.pins).map(([name, source]) => `pin ${name} ${source}`),
  ];
}

export function planText(plan: Plan): string {
  const world = worldText(plan.worldBefore, plan.worldAfter);
  if (plan.changes.length === 0) {
    return world === '' ? 'nothing to do' : `no package changes; asked for now:\n${world}`;
  }
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
  return `${tableText([header, ...rows])}\n${countText(plan.changes.length, 'change')}; downloads ${sizeText(plan.downloadSize)}, ${growth}${world === '' ? '' : `\nasked for now:\n${world}`}`;
}
