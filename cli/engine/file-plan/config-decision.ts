/** What becomes of a configuration file: what the operator changed is never overwritten. */

export interface ConfigDigests {
  /** What the installed package brought, `undefined` where none did. */
  readonly old: string | undefined;
  readonly disk: string;
  readonly new: string;
}

/** `beside`: the new file lands as `.icepkg-new`. */
export type ConfigDecision = 'keep' | 'replace' | 'beside';

export function decideConfig(digests: ConfigDigests): ConfigDecision {
  if (digests.disk === digests.new) return 'keep';
  if (digests.disk === digests.old) return 'replace';
  return digests.old === digests.new ? 'keep' : 'beside';
}
