/** Opens the database that says what is installed. */
import type { StoreReader } from './model.ts';

export interface Store extends StoreReader {
  close(): void;
}

export interface OpenOptions {
  readonly mode: 'read' | 'write';
}

/**
 * Opens `ROOT/var/lib/ice-pkg/state.sqlite`. Mode `write` takes the root's lock until `close`.
 * @throws IcepkgError `store-corrupt`, `store-newer`, `root-read-only`, `root-locked`, `root-invalid`
 */
export function openStore(root: string, options: OpenOptions): Store {
  throw new Error(`cannot open ${root} for ${options.mode}`);
}
