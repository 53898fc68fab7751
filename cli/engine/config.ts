/** The configuration of a root, `etc/icepkg/icepkg.toml` and `etc/icepkg/repositories.toml`. */
import { join } from 'node:path';
import * as v from 'valibot';
import { IcepkgError } from '#schema/error';
import { PackageNameSchema } from '#schema/fields';
import { readToml } from './config-file.ts';

export const CONFIG_FILE = 'etc/icepkg/icepkg.toml';
export const REPOSITORIES_FILE = 'etc/icepkg/repositories.toml';

const count = (min: number, max: number) =>
  v.pipe(
    v.number('expected a number'),
    v.integer('expected an integer'),
    v.minValue(min, `expected ${min} or more`),
    v.maxValue(max, `expected ${max} or less`),
  );
const flag = v.boolean('expected true or false');

const globs = v.array(
  v.pipe(v.string('expected a string'), v.minLength(1, 'expected a path or a glob such as usr/share/doc/*')),
);

const ConfigSchema = v.strictObject({
  /** Install what packages recommend. */
  recommends: v.optional(flag, true),
  /** Remove what nothing needs any more in the course of every change. */
  autoremove: v.optional(flag, true),
  /** Flush to the device around the commit point. */
  sync: v.optional(flag, true),
  files: v.optional(
    v.strictObject({
      /** Never replaced: the new file lands beside. */
      keep: v.optional(globs, []),
      /** Never put on disk. */
      skip: v.optional(globs, []),
    }),
    {},
  ),
  history: v.optional(v.strictObject({ keep: v.optional(count(1, 10_000), 10) }), {}),
  network: v.optional(
    v.strictObject({
      /** Downloads at a time. */
      parallel: v.optional(count(1, 32), 4),
      /** Attempts per mirror, the first included. */
      attempts: v.optional(count(1, 20), 4),
      /** Seconds until a server must have answered. */
      timeout: v.optional(count(1, 3600), 30),
      /** Bytes a second; a transfer that stays below for `timeout` seconds is given up. */
      minimumRate: v.optional(count(0, 1_000_000_000), 1000),
      /** Seconds an index may be old before a command that needs it asks the mirror again. */
      maxAge: v.optional(count(0, 31_536_000), 0),
      /** Fetch patches instead of packages where that is less. */
      patches: v.optional(flag, true),
      /** Further authorities for https mirrors, in PEM; a path below the root. */
      caFile: v.optional(
        v.pipe(v.string('expected a string'), v.check(isInside, 'expected a path below the root')),
      ),
    }),
    {},
  ),
});

const RepositorySchema = v.strictObject({
  name: PackageNameSchema,
  channel: v.optional(PackageNameSchema, 'stable'),
  /** Stay at what the channel served under this number. */
  snapshot: v.optional(count(1, Number.MAX_SAFE_INTEGER)),
  /** `http://`, `https://` and `file://` addresses or absolute paths of folders, tried in order. */
  mirrors: v.pipe(
    v.array(
      v.pipe(
        v.string('expected a string'),
        v.check(isMirror, 'expected an http://, https:// or file:// address or an absolute path'),
      ),
    ),
    v.minLength(1, 'expected at least one mirror'),
  ),
  /** The trusted root, relative to the root folder; by default `etc/icepkg/trust/NAME.root.json`. */
  trust: v.optional(
    v.pipe(v.string('expected a string'), v.check(isInside, 'expected a path below the root')),
  ),
  enabled: v.optional(flag, true),
  /** Take only packages from it that are pinned to it, and what those need. */
  pinnedOnly: v.optional(flag, false),
});
const RepositoriesSchema = v.strictObject({
  repository: v.optional(
    v.pipe(
      v.array(RepositorySchema),
      v.check((list) => new Set(list.map((r) => r.name)).size === list.length, 'expected each name once'),
    ),
    [],
  ),
});

type NetworkSettings = v.InferOutput<typeof ConfigSchema>['network'];
export interface NetworkConfig extends Required<Omit<NetworkSettings, 'caFile'>> {
  /** Where the file is that the root's configuration names. */
  readonly caFile?: string;
}
export interface RepositoryConfig {
  readonly name: string;
  readonly channel: string;
  /** Number of the snapshot of the channel that is taken; without it the one that the channel serves. */
  readonly snapshot?: number | undefined;
  readonly mirrors: readonly string[];
  /** Path of the trusted root metadata, relative to the root folder. */
  readonly trust: string;
  readonly pinnedOnly: boolean;
  readonly enabled: boolean;
}
export interface Config {
  readonly recommends: boolean;
  readonly autoremove: boolean;
  readonly sync: boolean;
  /** Globs of paths below the root; `!` in front takes back what an earlier one matched. */
  readonly files: { readonly keep: readonly string[]; readonly skip: readonly string[] };
  readonly history: { readonly keep: number };
  readonly network: NetworkConfig;
  /** The enabled repositories in order of preference. */
  readonly repositories: readonly RepositoryConfig[];
}

/** Reads the configuration of a root; absent files mean the defaults. @throws IcepkgError `config-invalid` */
export function loadConfig(root: string): Config {
  const general = readToml(join(root, CONFIG_FILE), CONFIG_FILE, ConfigSchema);
  return {
    recommends: general.recommends,
    autoremove: general.autoremove,
    sync: general.sync,
    files: { keep: general.files.keep ?? [], skip: general.files.skip ?? [] },
    history: { keep: general.history.keep },
    network: networkOf(root, general.network),
    repositories: loadRepositories(root).filter(({ enabled }) => enabled),
  };
}

function networkOf(root: string, { caFile, ...limits }: NetworkSettings): NetworkConfig {
  return caFile === undefined ? limits : { ...limits, caFile: join(root, caFile) };
}

/** The enabled and the disabled repositories of a root, in order. @throws IcepkgError `config-invalid` */
export function loadRepositories(root: string): readonly RepositoryConfig[] {
  const { repository } = readToml(join(root, REPOSITORIES_FILE), REPOSITORIES_FILE, RepositoriesSchema);
  return repository.map(({ name, channel, snapshot, mirrors, trust, enabled, pinnedOnly }) => ({
    name,
    channel,
    snapshot,
    mirrors,
    trust: trust ?? trustFileOf(name),
    enabled,
    pinnedOnly,
  }));
}

/** The way out where no repository is attached. */
export const ATTACH_HINT = `Attach one: icepkg repo attach NAME MIRROR --trust FILE; or edit ${REPOSITORIES_FILE}`;

/** For what makes no sense without one. @throws IcepkgError `not-found` where no repository is enabled */
export function requireRepositories({ repositories }: Config): void {
  if (repositories.length > 0) return;
  throw new IcepkgError('not-found', 'no repository is attached, so there is nothing to look in', {
    hint: ATTACH_HINT,
  });
}

/** Where the trusted root of a repository lies unless the configuration says otherwise. */
export const trustFileOf = (name: string): string => `etc/icepkg/trust/${name}.root.json`;

/** True for what `mirrors` may hold: an address of a kind that is served, or an absolute path. */
export function isMirror(text: string): boolean {
  if (text.startsWith('/')) return true;
  try {
    return ['http:', 'https:', 'file:'].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}

function isInside(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.split('/').includes('..');
}
