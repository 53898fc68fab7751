/** The difference between what is installed and what was solved, in the order in which it is carried out. */
import { compareVersions, parseVersion } from '#schema/version';
import type { MachineArch } from '#schema/fields';
import type { Action, Candidate, Change, InstalledPackage, Plan, World } from './model.ts';
import { installOrder, removalOrder } from './plan-order.ts';
import { capabilityName, dependenciesOf } from './solver/universe.ts';
import { provides } from './solver/reasons.ts';
import type { Selected } from './solver/solve.ts';

export interface PlanInput {
  readonly arch: MachineArch;
  readonly installed: readonly InstalledPackage[];
  readonly selection: readonly Selected[];
  readonly worldBefore: World;
  readonly worldAfter: World;
  /** Names to install again though nothing changed. */
  readonly reinstall: ReadonlySet<string>;
}

/** Removals first, then the rest; each in the order in which `plan-order.ts` puts them. */
export function makePlan(input: PlanInput): Plan {
  const selected = new Map(input.selection.map((one) => [one.candidate.record.name, one]));
  const installed = new Map(input.installed.map((one) => [one.record.name, one]));
  const removals = removalOrder(input.installed.filter(({ record }) => !selected.has(record.name))).map(
    (from) => removal(from, input),
  );
  const candidates = input.selection.map(({ candidate }) => candidate);
  const others = installOrder(candidates, input.worldAfter).flatMap((candidate) => {
    const one = selected.get(candidate.record.name);
    return one === undefined
      ? []
      : (change(one, installed.get(candidate.record.name), input.reinstall) ?? []);
  });
  const changes = [...removals, ...others];
  let downloadSize = 0;
  let sizeDifference = 0;
  for (const { from, to } of changes) {
    if (to?.source.kind === 'repository') downloadSize += to.record.package.size;
    sizeDifference += (to?.record.installedSize ?? 0) - (from?.record.installedSize ?? 0);
  }
  const { arch, worldBefore, worldAfter } = input;
  return { arch, changes, worldBefore, worldAfter, downloadSize, sizeDifference };
}

function removal(from: InstalledPackage, input: PlanInput): Change {
  const { name } = from.record;
  const rival = input.selection.find(({ candidate }) =>
    dependenciesOf(candidate.record.depends).some(
      (dependency) => dependency.kind === 'conflicts' && provides(asCandidate(from), dependency.with),
    ),
  );
  const there = new Set(input.installed.map((one) => one.record.name));
  const successor = input.selection.find(
    ({ candidate }) => !there.has(candidate.record.name) && succeeds(candidate, from),
  );
  const asked =
    from.requested &&
    !input.worldAfter.depends.some((text) => input.worldBefore.depends.includes(text) && text === name);
  const reason =
    successor !== undefined
      ? `replaced by ${successor.candidate.record.name}`
      : rival !== undefined
        ? `conflicts with ${rival.candidate.record.name}`
        : asked
          ? 'requested'
          : 'no longer needed';
  return {
    action: 'remove',
    name,
    arch: from.record.arch,
    oldVersion: from.record.version,
    newVersion: undefined,
    repository: from.repository,
    reason,
    from,
    to: undefined,
  };
}

const succeeds = ({ record }: Candidate, from: InstalledPackage): boolean =>
  (record.provides ?? []).some((text) => capabilityName(text) === from.record.name) ||
  dependenciesOf(record.replaces).some(
    (dependency) =>
      dependency.kind === 'needs' && dependency.anyOf.some((one) => provides(asCandidate(from), one)),
  );

const asCandidate = ({ record }: InstalledPackage): Candidate => ({ record, source: { kind: 'installed' } });

function change(
  { candidate, reason }: Selected,
  from: InstalledPackage | undefined,
  reinstall: ReadonlySet<string>,
): Change | undefined {
  const { record, source } = candidate;
  const action = actionOf(candidate, from, reinstall);
  if (action === undefined) return undefined;
  return {
    action,
    name: record.name,
    arch: record.arch,
    oldVersion: from?.record.version,
    newVersion: record.version,
    repository: source.kind === 'repository' ? source.repository : undefined,
    reason,
    from,
    to: candidate,
  };
}

function actionOf(
  { record, source }: Candidate,
  from: InstalledPackage | undefined,
  reinstall: ReadonlySet<string>,
): Action | undefined {
  if (from === undefined) return 'install';
  if (source.kind === 'installed') return undefined;
  const old = parseVersion(from.record.version);
  const now = parseVersion(record.version);
  const order = old === undefined || now === undefined ? 0 : compareVersions(now, old);
  if (order !== 0) return order > 0 ? 'upgrade' : 'downgrade';
  const same = from.record.manifest.sha256 === record.manifest.sha256;
  return same && !reinstall.has(record.name) ? undefined : 'reinstall';
}
