/** Files that are being sent, each open once however many clients take it: a slow one costs a connection and no more. */
import { closeSync } from 'node:fs';
import type { ServedFile } from './http-path.ts';

interface Shared {
  readonly fd: number;
  users: number;
}

export class SharedFiles {
  /** By what tells one content from another. */
  readonly #open = new Map<string, Shared>();

  /** Calls `work` with a file that is open meanwhile; takes over the one given. */
  async during(served: ServedFile, work: (fd: number) => Promise<void>): Promise<void> {
    const key = `${served.dev} ${served.ino} ${served.size} ${served.mtimeNs}`;
    const shared = this.#open.get(key) ?? { fd: served.fd, users: 0 };
    if (shared.fd !== served.fd) closeSync(served.fd);
    this.#open.set(key, shared);
    shared.users += 1;
    try {
      await work(shared.fd);
    } finally {
      shared.users -= 1;
      if (shared.users === 0) {
        this.#open.delete(key);
        closeSync(shared.fd);
      }
    }
  }
}
