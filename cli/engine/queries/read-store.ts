/** Opens the store of a root for one look. */
import type { StoreReader } from '../store/model.ts';
import { openStore } from '../store/store.ts';

export function readStore<T>(root: string, look: (store: StoreReader) => T): T {
  const store = openStore(root, { mode: 'read' });
  try {
    return look(store);
  } finally {
    store.close();
  }
}
