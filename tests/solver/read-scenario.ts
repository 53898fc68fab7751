/**
 * Scenarios as plain text (`scenarios/*.txt`). A scenario:
 *
 *     == its title
 *     main: app 1 needs lib@>=2; lib 1; lib 2      what a repository offers
 *     edge (pinned only): app 3                    one that is asked only for what is pinned to it
 *     installed: app 1; other 1 needs lib          as the repository has it unless said otherwise
 *     world: app !other                            asked for before; also `holds:` and `pins: app=edge`
 *     $ install lib                                install, remove, upgrade, reinstall, pin, unpin, hold, keep
 *     install lib 2: requested                     the plan, or `no:` sentences and `try:` the hint
 *
 * `1` stands for `1.0.0-r0`, and so on. After name and version: needs, provides, recommends, replaces, when
 * (installIf), priority, arch, and `rebuilt` for the same version with other content.
 */
import { createHash } from 'node:crypto';
import type { Candidate, InstalledPackage, World } from '#engine/model';
import { makePlan } from '#engine/plan';
import { solve, type SolveRequest } from '#engine/solver/solve';
import { addToWorld, hold, pin, removeFromWorld, unhold, unpin } from '#engine/world';
import type { PackageRecord } from '#schema/index-shard';

export interface Scenario {
  readonly title: string;
  readonly given: readonly string[];
  readonly expected: readonly string[];
}

export function readScenarios(text: string): readonly Scenario[] {
  return text
    .split(/^== /m)
    .slice(1)
    .map((part) => {
      const [title = '', ...lines] = part.split('\n').map((line) => line.trim());
      const content = lines.filter((line) => line !== '' && !line.startsWith('#'));
      const action = content.findLastIndex((line) => line.startsWith('$'));
      return { title, given: content.slice(0, action + 1), expected: content.slice(action + 1) };
    });
}

const long = (version: string): string => {
  const [upstream = '', release = '0'] = version.split('-r');
  return `${[...upstream.split('.'), '0', '0'].slice(0, 3).join('.')}-r${release}`;
};
const short = (text: string): string =>
  text.replaceAll(/\d+\.\d+\.\d+-r\d+/g, (version) =>
    version.replace(/-r0$/, '').replace(/^(\d+(?:\.[1-9]\d*)?)(?:\.0){1,2}(?=-|$)/, '$1'),
  );

/** `mta@=1` is `mta@=1.0.0`. */
const fullCapability = (text: string): string =>
  text.replace(/@=(\d+(?:\.\d+)?)$/, (_, version: string) => `@=${long(version).replace('-r0', '')}`);

const FIELDS: Readonly<Record<string, keyof PackageRecord>> = {
  needs: 'depends',
  provides: 'provides',
  recommends: 'recommends',
  replaces: 'replaces',
  when: 'installIf',
};

/** `app 1 needs lib@>=2, !other provides mta priority 3` */
function readPackage(text: string): PackageRecord {
  const [head = '', ...clauses] = text
    .trim()
    .split(/ (?=(?:needs|provides|recommends|replaces|when|priority|arch|rebuilt)\b)/);
  const [name = '', version = ''] = head.split(' ');
  const record: Omit<PackageRecord, 'manifest' | 'package'> = {
    name,
    version: long(version),
    arch: 'x86_64',
    installedSize: 1,
    fileCount: 1,
  };
  let content = `${name} ${version}`;
  for (const clause of clauses) {
    const [word = '', ...rest] = clause.split(' ');
    const value = rest.join(' ');
    const field = FIELDS[word];
    if (field !== undefined) Object.assign(record, { [field]: value.split(', ').map(fullCapability) });
    else if (word === 'priority') Object.assign(record, { providerPriority: Number(value) });
    else if (word === 'arch') Object.assign(record, { arch: value });
    else content += ' rebuilt';
  }
  const sha256 = createHash('sha256').update(content).digest('hex');
  return {
    ...record,
    manifest: { size: 1, sha256 },
    package: { path: `packages/${name}`, size: 1, sha256, headerSize: 1 },
  };
}

interface State {
  readonly candidates: Candidate[];
  readonly pinnedOnly: string[];
  readonly installed: InstalledPackage[];
  world: World;
}

const words = (text: string): readonly string[] =>
  text.match(/"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', '')) ?? [];

function readState(lines: readonly string[]): State {
  const state: State = {
    candidates: [],
    pinnedOnly: [],
    installed: [],
    world: { depends: [], holds: [], pins: {} },
  };
  const asked = words(lines.find((text) => text.startsWith('world: '))?.slice(7) ?? '');
  for (const text of lines) {
    const [, key = '', only, value = ''] = /^([a-z0-9]+)( \(pinned only\))?: ?(.*)$/.exec(text) ?? [];
    if (key === 'world') state.world = { ...state.world, depends: words(value) };
    else if (key === 'holds') state.world = { ...state.world, holds: words(value) };
    else if (key === 'pins') {
      const pins = Object.fromEntries(words(value).map((one) => one.split('=')));
      state.world = { ...state.world, pins };
    } else if (key === 'installed') state.installed.push(...readInstalled(value, state.candidates, asked));
    else if (key === '') throw new Error(`not a line of a scenario: ${text}`);
    else {
      if (only !== undefined) state.pinnedOnly.push(key);
      for (const one of value.split(';').filter((each) => each.trim() !== ''))
        state.candidates.push({ record: readPackage(one), source: { kind: 'repository', repository: key } });
    }
  }
  return state;
}

const readInstalled = (
  value: string,
  candidates: readonly Candidate[],
  asked: readonly string[],
): InstalledPackage[] =>
  value.split(';').map((text) => {
    const read = readPackage(text);
    const offered = candidates.find(({ record }) => record.manifest.sha256 === read.manifest.sha256);
    return {
      record: text.trim().split(' ').length === 2 ? (offered?.record ?? read) : read,
      repository: offered?.source.kind === 'repository' ? offered.source.repository : undefined,
      transaction: 1,
      requested: asked.includes(read.name),
    };
  });

type Request = { world: World; reinstall: readonly string[] } & Pick<
  SolveRequest,
  'upgrade' | 'keepOrphans' | 'recommends' | 'preferAvailable'
>;

function act(command: string, world: World): Request {
  const [verb = '', ...rest] = words(command.slice(1));
  const flags = new Set(rest.filter((word) => word.startsWith('--')));
  const names = rest.filter((word) => !word.startsWith('--'));
  const request: Request = {
    world,
    reinstall: [],
    upgrade: 'none',
    keepOrphans: flags.has('--keep'),
    recommends: !flags.has('--no-recommends'),
    preferAvailable: flags.has('--available'),
  };
  const [first = '', second = ''] = names;
  switch (verb) {
    case 'install':
      return { ...request, world: addToWorld(world, names) };
    case 'remove':
      return { ...request, world: removeFromWorld(world, names) };
    case 'upgrade':
      return { ...request, upgrade: names.length === 0 ? 'all' : names };
    case 'reinstall':
      return { ...request, reinstall: names };
    case 'pin':
      return { ...request, world: pin(world, first, second), upgrade: [first] };
    case 'unpin':
      return { ...request, world: unpin(world, names) };
    case 'hold':
      return { ...request, world: hold(world, names) };
    case 'unhold':
      return { ...request, world: unhold(world, names) };
    default:
      throw new Error(`not a command of a scenario: ${command}`);
  }
}

/** Carries the scenario out; `shuffle` puts every list into another order, which must not matter. */
export function carryOut(
  given: readonly string[],
  shuffle: <T>(list: readonly T[]) => T[] = (list) => [...list],
): readonly string[] {
  const state = readState(given.slice(0, -1));
  const { reinstall, world, ...options } = act(given.at(-1) ?? '', state.world);
  const repositories = new Set(
    state.candidates.map(({ source }) => (source.kind === 'repository' ? source.repository : '')),
  );
  // Only the order of the repositories has a meaning.
  const candidates = [...repositories].flatMap((name) =>
    shuffle(
      state.candidates.filter(({ source }) => source.kind === 'repository' && source.repository === name),
    ),
  );
  const installed = shuffle(state.installed);
  const shuffled: World = { ...world, depends: shuffle(world.depends) };
  const outcome = solve({
    arch: 'x86_64',
    world: shuffled,
    worldBefore: state.world,
    candidates,
    installed,
    pinnedOnly: state.pinnedOnly,
    ...options,
  });
  if (!outcome.solved)
    return [...outcome.explanation.map((text) => `no: ${short(text)}`), `try: ${short(outcome.hint)}`];
  const { changes } = makePlan({
    arch: 'x86_64',
    installed,
    selection: outcome.selection,
    worldBefore: state.world,
    worldAfter: shuffled,
    reinstall: new Set(reinstall),
  });
  if (changes.length === 0) return ['nothing'];
  return changes.map(({ action, name, oldVersion, newVersion, repository, reason }) => {
    const versions = [oldVersion, newVersion].filter(
      (one) => one !== undefined && (action !== 'reinstall' || one !== oldVersion),
    );
    const from = repositories.size > 1 && action !== 'remove' ? ` from ${repository}` : '';
    return short(
      `${action} ${name} ${(action === 'reinstall' ? [newVersion] : versions).join(' -> ')}${from}: ${reason}`,
    );
  });
}
