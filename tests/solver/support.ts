/** Declares packages and roots for the solver in a line each. */
import type { Candidate, InstalledPackage, World } from '#engine/model';
import { makePlan } from '#engine/plan';
import { solve, type SolveRequest } from '#engine/solver/solve';
import { createHash } from 'node:crypto';
import type { PackageRecord } from '#schema/index-shard';

type Fields = Partial<
  Pick<
    PackageRecord,
    'depends' | 'provides' | 'recommends' | 'replaces' | 'installIf' | 'providerPriority' | 'arch'
  >
>;

/** `pkg('zlib-1.3.1-r0', {depends: [...]})` */
export function pkg(text: string, fields: Fields = {}): PackageRecord {
  const match = /^(.+?)-(\d[^-]*(?:-[^r][^-]*)?-r\d+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) throw new Error(`not a package: ${text}`);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return {
    name: match[1],
    version: match[2],
    arch: 'x86_64',
    ...fields,
    installedSize: 1,
    fileCount: 1,
    manifest: { size: 1, sha256 },
    package: { path: `packages/${text}`, size: 1, sha256, headerSize: 1 },
  };
}

export interface Scenario {
  readonly repositories: Readonly<Record<string, readonly PackageRecord[]>>;
  readonly installed?: readonly PackageRecord[];
  readonly world: readonly string[];
  readonly worldBefore?: readonly string[];
  readonly holds?: readonly string[];
  readonly pins?: Readonly<Record<string, string>>;
  readonly options?: Partial<
    Pick<SolveRequest, 'upgrade' | 'keepOrphans' | 'recommends' | 'preferAvailable'>
  >;
  readonly reinstall?: readonly string[];
}

/** The plan as lines `action name old -> new: reason`, or the sentences of the proof. */
export function outcome(scenario: Scenario): readonly string[] {
  const worldAfter: World = {
    depends: scenario.world,
    holds: scenario.holds ?? [],
    pins: scenario.pins ?? {},
  };
  const worldBefore: World = { ...worldAfter, depends: scenario.worldBefore ?? scenario.world };
  const installed = (scenario.installed ?? []).map((record): InstalledPackage => ({
    record,
    repository: 'main',
    transaction: 1,
    requested: worldBefore.depends.includes(record.name),
  }));
  const result = solve({
    arch: 'x86_64',
    world: worldAfter,
    candidates: Object.entries(scenario.repositories).flatMap(([repository, records]) =>
      records.map((record): Candidate => ({ record, source: { kind: 'repository', repository } })),
    ),
    installed,
    upgrade: 'none',
    keepOrphans: false,
    recommends: true,
    ...scenario.options,
  });
  if (!result.solved) return ['no answer:', ...result.explanation];
  const plan = makePlan({
    arch: 'x86_64',
    installed,
    selection: result.selection,
    worldBefore,
    worldAfter,
    reinstall: new Set(scenario.reinstall),
  });
  return plan.changes.map(
    ({ action, name, oldVersion, newVersion, reason }) =>
      `${action} ${name} ${[oldVersion, newVersion].filter((one) => one !== undefined).join(' -> ')}: ${reason}`,
  );
}
