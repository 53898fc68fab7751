/** What a mirror copies: remembered in it, so that it is repeated as it was, and so that what it leaves out is not missed. */
import { join } from 'node:path';
import * as v from 'valibot';
import { openGlobs } from '#engine/file-plan/glob';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import type { PackageRecord } from '#schema/index-shard';
import { closureOf } from './closure.ts';
import { PRIVATE_FOLDER, readIfAny, writeDurably } from './layout.ts';
import type { IndexTargets } from './served.ts';

const SETTINGS_FILE = `${PRIVATE_FOLDER}/mirror.json`;

const SettingsSchema = v.strictObject({
  format: v.literal(1),
  from: v.string(),
  channels: v.pipe(v.array(v.string()), v.minLength(1)),
  /** Machines whose index and packages are copied; all where absent. */
  arches: v.optional(v.array(v.picklist(['x86_64', 'aarch64']))),
  /** Names of packages, with `*` and `?`; all where absent. */
  packages: v.optional(v.array(v.string())),
  /** Also what those packages need. */
  closure: v.optional(v.boolean()),
  /** Whether patches come along; they do unless it is false. */
  patches: v.optional(v.boolean()),
  /** How many snapshots come along that a channel served before, of each channel; none where absent. */
  snapshots: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
});
export type MirrorSettings = v.InferOutput<typeof SettingsSchema>;

/** `undefined` where the repository is no mirror. */
export function readMirrorSettings(repository: string): MirrorSettings | undefined {
  const file = join(repository, SETTINGS_FILE);
  const bytes = readIfAny(file);
  return bytes === undefined ? undefined : decode(SettingsSchema, parseJson(bytes, file), file);
}

export const writeMirrorSettings = (repository: string, settings: MirrorSettings): void =>
  writeDurably(join(repository, SETTINGS_FILE), canonicalJson(settings));

/** Those of an index that a mirror copies. */
export function mirroredShards(targets: IndexTargets, settings: MirrorSettings | undefined): IndexTargets {
  const arches = settings?.arches;
  if (arches === undefined) return targets;
  const wanted = Object.entries(targets).filter(([path]) =>
    arches.some((arch) => path.startsWith(`index/${arch}/`)),
  );
  return Object.fromEntries(wanted);
}

/** Those of the records that a mirror copies. */
export function mirroredPackages(
  records: readonly PackageRecord[],
  { packages, closure }: Pick<MirrorSettings, 'packages' | 'closure'>,
): readonly PackageRecord[] {
  if (packages === undefined) return records;
  const isWanted = openGlobs(packages);
  const named = records.filter(({ name }) => isWanted(name));
  return closure === true ? [...closureOf(records, named)] : named;
}
