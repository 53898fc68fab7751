/** Says what changed since a recipe was built last. */
import { isDeepStrictEqual } from 'node:util';
import type { Codec } from '#schema/container/codec';
import type { MachineArch } from '#schema/fields';
import { keyDocument, keyOfDocument, type KeyDocument } from '../build-key.ts';
import { buildFolder, isBuilt } from '../cached-build.ts';
import { BUILD_EPOCH } from '../epoch.ts';
import { declaredVersions, hostPackages, hostVersions } from '../host-commands.ts';
import { keyRecord, lastRecord, readKeyRecord, type KeyRecord } from '../key-record.ts';
import { buildOrder, type BuildNode } from '../order.ts';
import { findRecipe } from '../recipe.ts';
import { buildRoot, packagesOf, reachable, rootLines, type RootPackage } from '../root.ts';

export interface RebuildRequest {
  readonly recipe: string;
  readonly arch: MachineArch;
  readonly roots: readonly string[];
  readonly cacheFolder: string;
  readonly codec: Codec;
}

/** One thing that went into a build and is different now. */
export interface Change {
  /** `recipe field`, `file`, `build dependency`, `programs of the machine`, `toolchain`, `builder` or `option`. */
  readonly kind: string;
  readonly what: string;
  readonly old?: unknown;
  readonly new?: unknown;
  /** Why the build dependency is another one. */
  readonly because?: readonly Change[];
}

export interface RebuildAnswer {
  readonly recipe: string;
  readonly arch: string;
  /** `built`: nothing changed. `new`: it was never built, or nothing is known of how. `changed`: see `changes`. */
  readonly state: 'built' | 'new' | 'changed';
  readonly changes: readonly Change[];
}

/** @throws IcepkgError `not-found` for the recipe or one that it needs */
export async function whyRebuild(request: RebuildRequest): Promise<RebuildAnswer> {
  const { cacheFolder, codec, roots, arch } = request;
  const nodes = buildOrder([findRecipe(request.recipe, roots)], arch, roots);
  const versions = await versionsOf(nodes);
  const records = new Map<string, Candidate>();
  const offers = new Map<BuildNode, readonly RootPackage[]>();
  for (const node of nodes) {
    // What a dependency will give is known once it is built; until then it counts as different.
    const missing = [...reachable(node.buildNodes)].filter((one) => !offers.has(one));
    const root = missing.length === 0 ? buildRoot(node, offers) : [];
    const host = hostVersions(versions, node.recipe.hostDepends ?? []);
    const options = { codec, epoch: BUILD_EPOCH, host };
    const document = await keyDocument(node, rootLines(root), options);
    const key = keyOfDocument(document);
    const folder = buildFolder(cacheFolder, key);
    if (missing.length === 0 && isBuilt(folder)) offers.set(node, packagesOf(node, key, folder));
    const unknown = missing.map(({ recipe }) => recipe.name);
    records.set(node.recipe.name, { ...keyRecord(node, document, root), unknown });
  }
  const last = nodes.at(-1);
  const now = last === undefined ? undefined : records.get(last.recipe.name);
  if (last === undefined || now === undefined) throw new Error(`${request.recipe} is not in its own order`);
  const answer = { recipe: now.name, arch: now.arch };
  if (offers.has(last)) return { ...answer, state: 'built', changes: [] };
  const before = lastRecord(cacheFolder, now.name, now.arch);
  if (before === undefined) return { ...answer, state: 'new', changes: [] };
  const past = (name: string, key: string): KeyRecord | undefined => {
    const record = readKeyRecord(buildFolder(cacheFolder, key));
    return record?.name === name ? record : undefined;
  };
  return {
    ...answer,
    state: 'changed',
    changes: compare(before, now, { past, now: (name) => records.get(name) }),
  };
}

/** What would be built now. */
interface Candidate extends KeyRecord {
  /** Recipes that it may be built with and that have to be built first; as long as there are some, its root is not known. */
  readonly unknown: readonly string[];
}

/** Of the packages of the machine that the recipes declare. */
async function versionsOf(nodes: readonly BuildNode[]): Promise<ReadonlyMap<string, string>> {
  const declared = nodes.map(({ recipe }) => ({ recipe: recipe.name, names: recipe.hostDepends ?? [] }));
  const host = await hostPackages();
  return host.length === 0 ? new Map() : declaredVersions(host, declared);
}

interface Records {
  readonly past: (name: string, key: string) => KeyRecord | undefined;
  readonly now: (name: string) => Candidate | undefined;
}

function compare(before: KeyRecord, after: Candidate, records: Records): Change[] {
  return [
    ...fieldChanges(before.document, after.document),
    ...fileChanges(before.document.files, after.document.files),
    ...dependencyChanges(before, after, records),
    ...valueChanges(before.document, after.document),
  ];
}

function fieldChanges(before: KeyDocument, after: KeyDocument): Change[] {
  const [old, now] = [before, after].map(({ recipe }) => JSON.parse(recipe) as Record<string, unknown>);
  const names = [...new Set([...Object.keys(old ?? {}), ...Object.keys(now ?? {})])];
  return names
    .filter((name) => !isDeepStrictEqual(old?.[name], now?.[name]))
    .map((name) => ({ kind: 'recipe field', what: name, old: old?.[name], new: now?.[name] }));
}

/** Of a folder the digest says only that something in it changed. */
function fileChanges(before: readonly string[], after: readonly string[]): Change[] {
  const gone = before.filter((line) => !after.includes(line));
  const came = after.filter((line) => !before.includes(line));
  const names = new Set([...gone, ...came].map(nameIn));
  return [...names].map((what) => ({ kind: 'file', what }));
}

const nameIn = (line: string): string =>
  /^(.*) \d+ [0-9a-f]{64}$/.exec(line)?.[1] ?? 'a folder beside the recipe';

function dependencyChanges(before: KeyRecord, after: Candidate, records: Records): Change[] {
  const kind = 'build dependency';
  const names = (record: KeyRecord): string[] => record.root.map(({ recipe }) => recipe);
  const linesOf = (record: KeyRecord, name: string): string[] =>
    record.root.flatMap(({ recipe, lines }) => (recipe === name ? lines : []));
  const known = after.unknown.length === 0;
  const changed = before.root.filter(({ recipe }) =>
    known
      ? names(after).includes(recipe) && !isDeepStrictEqual(linesOf(before, recipe), linesOf(after, recipe))
      : after.unknown.includes(recipe),
  );
  // Who is built with another one that changed has changed for no reason of its own.
  const explained = changed.map(({ recipe, key }): Change => {
    const [earlier, current] = [records.past(recipe, key), records.now(recipe)];
    const because = earlier === undefined || current === undefined ? [] : compare(earlier, current, records);
    return { kind, what: recipe, because: because.filter((one) => one.kind !== kind) };
  });
  const roots = explained.filter(({ because }) => (because?.length ?? 0) > 0);
  const only = (these: string[], those: string[]): string[] => these.filter((name) => !those.includes(name));
  return [
    ...only(known ? names(before) : [], names(after)).map((what) => ({
      kind,
      what,
      old: 'used',
      new: 'gone',
    })),
    ...only(known ? names(after) : [], names(before)).map((what) => ({
      kind,
      what,
      old: 'none',
      new: 'used',
    })),
    ...(roots.length > 0 ? roots : explained),
  ];
}

function valueChanges(before: KeyDocument, after: KeyDocument): Change[] {
  const other = (list: readonly string[], than: readonly string[]): string =>
    list.filter((one) => !than.includes(one)).join(', ');
  const machine = isDeepStrictEqual(before.host, after.host)
    ? []
    : [
        {
          kind: 'programs of the machine',
          what: 'versions',
          old: other(before.host, after.host),
          new: other(after.host, before.host),
        },
      ];
  const names = ['toolchain', 'builder', 'codec', 'epoch'] as const;
  const values = names
    .filter((name) => before[name] !== after[name])
    .map((name): Change =>
      name === 'toolchain' || name === 'builder'
        ? { kind: name, what: name }
        : { kind: 'option', what: name, old: before[name], new: after[name] },
    );
  return [...machine, ...values];
}
