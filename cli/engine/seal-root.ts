/** Makes the state of a composed root the same for everybody who composes it. */
import { openStore } from './store/store.ts';

/**
 * Forgets what depends on who composed a root and where: owners that an ordinary user could not set, which whoever makes an
 * image of the root sets instead, and how paths were before the first transaction. That one cannot be rolled back then.
 */
export function sealRoot(root: string): void {
  const store = openStore(root, { mode: 'write' });
  try {
    // Whoever composes has no use for a root that outlives a power cut half made.
    store.database.pragma('synchronous = OFF');
    store.database.transaction(() => {
      store.database.exec(`
        UPDATE files SET deviation = NULL;
        UPDATE history SET undoable = 0;
        DELETE FROM undo;
        DELETE FROM states;
      `);
    })();
    store.database.exec('VACUUM');
  } finally {
    store.close();
  }
}
