/** What becomes of a configuration file: what the operator changed is never overwritten. */

export interface ConfigDigests {
  /** What the installed package brought, `undefined` where none did. */
  readonly old: string | undefined;
  readonly disk: string;
  readonly new: string;
  /** The operator wants it left alone even where it is as the package brought it. */
  readonly kept: boolean;
}

/** `beside`: the new file lands as `.icepkg-new`. */
export type ConfigDecision = 'keep' | 'replace' | 'beside';

export function decideConfig(digests: ConfigDigests): ConfigDecision {
  if (digests.disk === digests.new || digests.old === digests.new) return 'keep';
  return digests.disk === digests.old && !digests.kept ? 'replace' : 'beside';
}
