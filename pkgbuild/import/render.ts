/** Writes a draft down as the YAML of a recipe. */
import { stringify } from 'yaml';
import type {
  Draft,
  DraftSource,
  DraftStep,
  DraftSteps,
  DraftSubpackage,
  ImportNote,
  OwnerRule,
} from './draft.ts';

/** Stands for a digest that nobody knows yet: a build refuses it and says the right one. */
export const UNKNOWN_SHA256 = '0'.repeat(64);

export function renderRecipe(draft: Draft, notes: readonly ImportNote[], origin: string): string {
  const { text, relations, steps } = draft;
  const list = <T>(values: readonly T[] | undefined): readonly T[] | undefined =>
    values === undefined || values.length === 0 ? undefined : values;
  const sorted = (values: readonly string[] | undefined): readonly string[] | undefined =>
    list(values?.toSorted());
  const fields = {
    name: draft.name,
    version: draft.version,
    release: draft.release === 0 ? undefined : draft.release,
    upstreamVersion: draft.upstreamVersion,
    description: text.description,
    license: draft.license,
    url: text.url,
    maintainer: text.maintainer,
    cpe: text.cpe,
    arch: draft.arch,
    sources: list(draft.sources.map(sourceOf)),
    patches: list(draft.patches),
    hostDepends: list(draft.hostDepends),
    buildDepends: list(draft.buildDepends),
    depends: sorted(relations.depends),
    recommends: sorted(relations.recommends),
    provides: sorted(relations.provides),
    providerPriority: draft.providerPriority,
    replaces: sorted(relations.replaces),
    installIf: list(relations.installIf),
    configFiles: list(draft.configFiles),
    users: list(draft.users),
    groups: list(draft.groups),
    directories: list(draft.directories),
    owners: list(mergedOwners(draft.owners ?? [])),
    scripts: filled(draft.scripts),
    env: Object.keys(draft.env).length === 0 ? undefined : draft.env,
    ...stepsOf(steps),
    subpackages: list(draft.subpackages.map(subpackageOf)),
    strip: draft.strip,
    update: draft.update,
  };
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const body = stringify(known, {
    lineWidth: 0,
    blockQuote: 'literal',
    singleQuote: true,
    aliasDuplicateObjects: false,
  });
  const open = notes.filter(({ kind }) => kind !== 'left').map((note) => `# - ${noteText(note)}`);
  const head = [
    `# Imported from ${printable(origin)}.`,
    ...(open.length === 0 ? [] : ['# To look at before it builds:', ...open]),
  ];
  return `${head.join('\n')}\n${body}`;
}

const filled = <T extends object>(value: T | undefined): T | undefined =>
  value === undefined || Object.keys(value).length === 0 ? undefined : value;

/** One rule for each path; of what is said twice the later one counts. */
function mergedOwners(rules: readonly OwnerRule[]): OwnerRule[] {
  const byPath = new Map<string, OwnerRule>();
  for (const rule of rules) byPath.set(rule.path, { ...byPath.get(rule.path), ...rule });
  return [...byPath.values()];
}

/** Without what is empty. */
const subpackageOf = (subpackage: DraftSubpackage): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(subpackage).filter(
      ([, value]) => typeof value !== 'object' || Object.keys(value as object).length > 0,
    ),
  );

/** A pipeline that does whole phases stands at the top; `go` would add a check that upstream has not. */
function stepsOf(steps: DraftSteps): Readonly<Record<string, unknown>> {
  const phases = Object.entries(steps);
  const first = phases.flatMap(([, list]) => list).find((step) => 'uses' in step);
  const whole = phases.filter(
    ([, list]) => list.length === 1 && list.every((step) => 'uses' in step && step.if === undefined),
  );
  const names = new Set(
    phases.flatMap(([, list]) => list.flatMap((step) => ('uses' in step ? [step.uses] : []))),
  );
  if (first === undefined || !('uses' in first) || first.uses === 'go' || names.size > 1 || whole.length < 2)
    return Object.fromEntries(phases.map(([phase, list]) => [phase, phaseOf(list)]));
  const inputs = Object.assign(
    {},
    ...whole.map(([, list]) => list.map((step) => ('uses' in step ? step.with : {}))[0]),
  );
  const rest = phases.filter((phase) => !whole.includes(phase));
  return {
    uses: first.uses,
    with: Object.keys(inputs as object).length === 0 ? undefined : (inputs as unknown),
    ...Object.fromEntries(rest.map(([phase, list]) => [phase, phaseOf(list)])),
  };
}

function phaseOf(list: readonly DraftStep[]): unknown {
  const [only] = list;
  return list.length === 1 && only !== undefined && 'run' in only && only.if === undefined ? only.run : list;
}

export const noteText = ({ line, field, why }: ImportNote): string =>
  printable(`${line === undefined || line === 0 ? '' : `line ${line}: `}${field}: ${why}`);

const printable = (text: string): string =>
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');

function sourceOf(source: DraftSource): Readonly<Record<string, unknown>> {
  const place = {
    ...(source.into === undefined ? {} : { into: source.into }),
    ...(source.arch === undefined ? {} : { arch: source.arch }),
  };
  if (source.local !== undefined) return { path: source.local, ...place };
  const from =
    source.git === undefined ? { url: source.url } : { git: source.git.url, commit: source.git.commit };
  return {
    file: source.file,
    sha256: source.sha256 ?? UNKNOWN_SHA256,
    from: [from],
    ...(source.extract === undefined ? {} : { extract: source.extract }),
    ...place,
  };
}
