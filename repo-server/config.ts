/** `repository.json`: what an operator decided about a repository. It names no key; `root.json` does. */
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError } from '#schema/error';
import { CONFIG_FILE, readIfAny, writeDurably } from './layout.ts';
import { RetentionSchema } from './retention.ts';

export const MOST_PATCHED_VERSIONS = 32;

export const ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type RoleName = (typeof ROLES)[number];

const Days = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(36_500));

const PatchedVersionsSchema = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.maxValue(MOST_PATCHED_VERSIONS),
);

export const RepositoryConfigSchema = v.strictObject({
  format: v.literal(1),
  name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_][A-Za-z0-9_+.-]{0,127}$/, 'expected a name')),
  /** How many days each role's metadata is good for once signed. */
  expiryDays: v.strictObject({ root: Days, targets: Days, snapshot: Days, timestamp: Days }),
  /** Which snapshots a collection keeps. */
  retention: v.optional(RetentionSchema),
  /** From how many versions back a publish makes patches; 3 unless said, 0 for none. */
  patches: v.optional(v.strictObject({ versions: PatchedVersionsSchema })),
});
export type RepositoryConfig = v.InferOutput<typeof RepositoryConfigSchema>;
export type ExpiryDays = RepositoryConfig['expiryDays'];

/** A mirror may miss a month of refreshes before clients refuse it; a root lasts two years. */
export const DEFAULT_EXPIRY_DAYS: ExpiryDays = { root: 730, targets: 365, snapshot: 365, timestamp: 30 };

/** @throws IcepkgError `not-found` where the folder is no repository */
export function readRepositoryConfig(repository: string): RepositoryConfig {
  const file = join(repository, CONFIG_FILE);
  const bytes = readIfAny(file);
  if (bytes === undefined) {
    throw new IcepkgError('not-found', `${repository} is no repository: it has no ${CONFIG_FILE}`, {
      hint: `Make one with: icepkg repo init ${repository} --key FILE`,
    });
  }
  return decode(RepositoryConfigSchema, parseJson(bytes, file), file);
}

export function writeRepositoryConfig(repository: string, config: RepositoryConfig): void {
  writeDurably(
    join(repository, CONFIG_FILE),
    canonicalJson(decode(RepositoryConfigSchema, config, CONFIG_FILE)),
  );
}
