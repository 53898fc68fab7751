/** Carries a scenario out through the whole engine, in a root of its own, and tells what became of it. */
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { dirname, join } from 'node:path';
import { readHeader } from '#schema/container/read';
import { writePackage, type PackageEntry } from '#schema/container/write';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { recordOf } from '#schema/record';
import { changeWorld, type ChangeOutcome, type ChangeRequest } from '#engine/change-world';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { recoverRoot } from '#engine/recover';
import type { Candidate, World } from '#engine/model';
import { verify } from '#engine/queries/verify';
import {
  holdRequest,
  installRequest,
  reinstallRequest,
  removeRequest,
  upgradeRequest,
  worldRequest,
} from '#engine/requests';
import { rollback } from '#engine/rollback';
import { unhold } from '#engine/world';
import {
  items,
  numbered,
  type Edit,
  type FileSpec,
  type PackageSpec,
  type Scenario,
} from './read-scenario.ts';
import { ownText, stateOf, type State } from './root-state.ts';

export interface Result {
  readonly before: State;
  readonly after: State;
  readonly error: IcepkgError | undefined;
  readonly notices: readonly string[];
  /** Paths that are not as their packages say, though nobody but the packages touched them. */
  readonly wrong: readonly string[];
  /** After the change was taken back. */
  readonly undone: State | undefined;
}

export interface Bench {
  /** @param stopAt at which step the command is killed; it is recovered then */
  carryOut(scenario: Scenario, stopAt?: number): Promise<Result>;
  dispose(): void;
}

interface Packed {
  readonly record: PackageRecord;
  readonly file: string;
}

/** Packs every package once, however many scenarios hold it. */
export function openBench(): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-scenarios-'));
  const packages = join(folder, 'packages');
  mkdirSync(packages);
  const known = new Map<string, Promise<Packed>>();
  const packed = async (spec: PackageSpec): Promise<Packed> => {
    const key = JSON.stringify(spec);
    const found = known.get(key) ?? pack(spec, packages, known.size);
    known.set(key, found);
    return found;
  };
  let roots = 0;
  return {
    carryOut: async (scenario, stopAt) => {
      const root = join(folder, `root-${++roots}`);
      try {
        return await carryOut(scenario, { root, packages, packed }, stopAt);
      } finally {
        removeTree(root);
      }
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function pack(spec: PackageSpec, folder: string, number: number): Promise<Packed> {
  const output = join(folder, `${number}.packing`);
  const { name, version, arch, priority, lists } = spec;
  await writePackage({
    metadata: {
      name,
      version,
      arch,
      ...lists,
      ...(priority === undefined ? {} : { providerPriority: priority }),
    },
    entries: entriesOf(spec),
    output,
    codec: 'zstd',
    level: 1,
  });
  const header = readHeader(output, output);
  const digest = sha256(readFileSync(output));
  const location = { path: `${name}-${version}.${arch}.icepkg`, size: statSync(output).size, sha256: digest };
  const file = join(folder, `${digest}.icepkg`);
  renameSync(output, file);
  return { record: recordOf(header, location), file };
}

function entriesOf({ name, version, files }: PackageSpec): PackageEntry[] {
  const entries = new Map<string, PackageEntry>();
  for (const { path, type, text, mode, config } of files) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const above = path.slice(0, slash);
      if (!entries.has(above)) entries.set(above, { type: 'directory', path: above, mode: 0o755 });
    }
    if (type === 'directory') entries.set(path, { type, path, mode: mode ?? 0o755 });
    else if (type === 'symlink' || type === 'hardlink') entries.set(path, { type, path, target: text ?? '' });
    else {
      const content = Buffer.from(text ?? ownText(name, version));
      entries.set(path, { type, path, mode: mode ?? 0o644, content, ...(config ? { config } : {}) });
    }
  }
  return [...entries.values()];
}

/** An ordinary user's own directories may be closed to them. */
function removeTree(root: string): void {
  try {
    rmSync(root, { recursive: true, force: true });
  } catch {
    execFileSync('chmod', ['-R', 'u+rwx', root]);
    rmSync(root, { recursive: true, force: true });
  }
}

interface Place {
  readonly root: string;
  /** Taken for the cache of downloads, so that no repository is asked. */
  readonly packages: string;
  readonly packed: (spec: PackageSpec) => Promise<Packed>;
}

async function carryOut(scenario: Scenario, place: Place, stopAt = Infinity): Promise<Result> {
  const { root } = place;
  initRoot(root, { arch: 'x86_64' });
  for (const file of scenario.before) putFile(root, file);
  const context = contextOf(scenario, place);
  if (scenario.installed.length > 0) await installFirst(scenario, context, place);
  const run = async (
    command: readonly string[],
    more: Partial<EngineContext> = {},
  ): Promise<ChangeOutcome> =>
    command[0] === 'rollback'
      ? rollback({ ...context, ...more }, QUIETLY)
      : changeWorld({ ...context, ...more }, await requestOf(scenario, command, { ...place, context }));
  for (const { disk, command } of scenario.steps.slice(0, -1)) {
    edit(root, disk);
    await run(command);
  }
  const { disk = [], command = [] } = scenario.steps.at(-1) ?? {};
  edit(root, disk);
  const before = stateOf(root);
  let error: IcepkgError | undefined;
  let outcome: ChangeOutcome | undefined;
  let steps = 0;
  const onStep = (): void => {
    steps += 1;
    // Whatever still runs is stopped too, as a kill would.
    if (steps >= stopAt) throw new Error('killed');
  };
  try {
    outcome = await run(command, { onStep });
  } catch (caught) {
    if (steps >= stopAt) recoverRoot(context);
    else if (caught instanceof IcepkgError) error = caught;
    else throw caught;
  }
  const after = stateOf(root);
  const edits = scenario.steps.flatMap((step) => step.disk);
  const touched = edits.map((one) => ('deleted' in one ? one.deleted : one.path));
  const isTouched = (path: string): boolean => touched.some((at) => path === at || path.startsWith(`${at}/`));
  const wrong = verify(root, []).problems.filter(({ path }) => !isTouched(path));
  let undone: State | undefined;
  if (outcome?.transaction !== undefined || (steps >= stopAt && !isDeepStrictEqual(before, after))) {
    await rollback(context, { dryRun: false, confirm: () => true });
    undone = stateOf(root);
  }
  return {
    before,
    after,
    error,
    notices: outcome?.notices ?? [],
    wrong: wrong.map(({ path, problem }) => `${path}: ${problem}`),
    undone,
  };
}

function contextOf(
  { repositories, keep, skip, keepOrphans }: Scenario,
  { root, packages }: Place,
): EngineContext {
  const context = openContext({ root, sync: false, offline: true, packageCache: packages });
  const configured = [...new Set(['main', ...repositories.keys()])].map((name) => ({
    name,
    channel: 'stable',
    mirrors: [packages],
    trust: `etc/icepkg/trust/${name}.root.json`,
    enabled: true,
    pinnedOnly: false,
  }));
  return {
    ...context,
    config: {
      ...context.config,
      autoremove: !keepOrphans,
      repositories: configured,
      files: { keep, skip },
    },
  };
}

/** What needed the packages that nobody asked for, until it went. */
const LEAVER = 'leaver';

async function installFirst(scenario: Scenario, context: EngineContext, place: Place): Promise<void> {
  const { installed, holds, pins, keepOrphans } = scenario;
  const all = installed.flat();
  const { world = namesOf(all) } = scenario;
  const become = async (request: Partial<ChangeRequest>, depends: readonly string[]): Promise<void> => {
    const edit = (): World => ({ depends, holds, pins });
    await changeWorld(context, { ...worldRequest('first', edit), recommends: false, ...QUIETLY, ...request });
  };
  const offered: PackageSpec[] = [];
  for (const specs of installed.slice(0, -1)) {
    offered.push(...specs);
    await become({ candidates: await candidatesOf('main', offered, place) }, namesOf(offered));
  }
  const orphans = keepOrphans ? namesOf(all).filter((name) => !world.includes(name)) : [];
  const needed = orphans.length === 0 ? [] : [leaver(orphans)];
  const candidates = await candidatesOf('main', [...all, ...needed], place);
  await become({ candidates }, [...world, ...namesOf(needed)]);
  if (needed.length > 0) await become({ candidates: [], keepOrphans: true }, world);
  const wanted = all.map(({ name, version }) => ownText(name, version)).sort();
  const there = stateOf(context.root).packages.map((text) => text.replace(' (needed)', ''));
  if (wanted.join() !== there.join()) throw new Error(`installed are ${there.join()}, not ${wanted.join()}`);
}

const namesOf = (specs: readonly PackageSpec[]): string[] => specs.map(({ name }) => name);

const leaver = (depends: string[]): PackageSpec => ({
  name: LEAVER,
  version: '1.0.0-r0',
  arch: 'noarch',
  priority: undefined,
  lists: { depends },
  files: [],
});

const QUIETLY = { dryRun: false, confirm: () => true } as const;

const candidatesOf = async (
  repository: string,
  specs: readonly PackageSpec[],
  { packed }: Place,
): Promise<Candidate[]> => {
  const found: Candidate[] = [];
  for (const spec of specs)
    found.push({ record: (await packed(spec)).record, source: { kind: 'repository', repository } });
  return found;
};

async function requestOf(
  scenario: Scenario,
  command: readonly string[],
  place: Place & { readonly context: EngineContext },
): Promise<ChangeRequest> {
  const candidates: Candidate[] = [];
  for (const [name, specs] of scenario.repositories)
    candidates.push(...(await candidatesOf(name, specs, place)));
  const [verb = '', ...rest] = command;
  const flags = rest.filter((word) => word.startsWith('--'));
  const names: string[] = [];
  for (const word of rest.filter((one) => !one.startsWith('--'))) {
    const local = scenario.local.filter(({ name }) => word === `./${name}`);
    if (local.length === 0) names.push(word);
    for (const spec of local) names.push((await place.packed(spec)).file);
  }
  return {
    ...verbRequest(place.context, verb, names),
    candidates,
    allowUntrusted: true,
    overwrite: flags.flatMap((flag) => /^--overwrite=(.*)$/.exec(flag)?.[1] ?? []),
    preferAvailable: flags.includes('--available'),
    ...(flags.includes('--no-recommends') ? { recommends: false } : {}),
    ...(flags.includes('--keep-dependencies') ? { keepOrphans: true } : {}),
    dryRun: flags.includes('--dry-run'),
    confirm: () => true,
  };
}

function verbRequest(
  context: EngineContext,
  verb: string,
  names: readonly string[],
): Pick<ChangeRequest, 'description' | 'edit' | 'upgrade' | 'keepOrphans'> {
  switch (verb) {
    case 'install':
      return installRequest(names);
    case 'remove':
      return removeRequest(context.root, names);
    case 'upgrade':
      return upgradeRequest(context, names);
    case 'reinstall':
      return reinstallRequest(context.root, names);
    case 'autoremove':
      return { ...worldRequest('autoremove', (world) => world), keepOrphans: false };
    case 'hold':
      return holdRequest(context.root, names);
    case 'unhold':
      return worldRequest('unhold', (world) => unhold(world, names));
    default:
      throw new Error(`not a command of a scenario: ${verb}`);
  }
}

function edit(root: string, edits: readonly Edit[]): void {
  for (const one of edits) {
    if ('deleted' in one) rmSync(join(root, one.deleted), { recursive: true, force: true });
    else putFile(root, one);
  }
}

function putFile(root: string, { path, type, text, mode }: FileSpec): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  if (type !== 'directory' || lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === false)
    rmSync(file, { recursive: true, force: true });
  if (type === 'symlink') symlinkSync(text ?? '', file);
  else if (type === 'hardlink') linkSync(join(root, text ?? ''), file);
  else if (type === 'directory') mkdirSync(file, { recursive: true });
  else writeFileSync(file, text ?? 'mine');
  if (type === 'file' || type === 'directory') chmodSync(file, mode ?? (type === 'file' ? 0o644 : 0o755));
}

/** A line of what is expected as a sorted list. */
export const listed = (value: string, separator: string): readonly string[] =>
  items(value, separator)
    .flatMap(numbered)
    .map((one) => one.replaceAll('"', ''))
    .sort();
