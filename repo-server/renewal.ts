/** Keeps the timestamps of served repositories good: looks at start and every hour, with the key that the server holds. */
import type { PrivateKey } from '#schema/keys';
import { renewTimestamps } from './renew.ts';

const EVERY_MS = 3_600_000;
const WAIT_SECONDS = 60;

export interface RenewalOptions {
  /** Without any, nothing is renewed. */
  readonly keys: readonly PrivateKey[];
  readonly repositories: () => readonly string[];
  readonly onDone: (outcome: 'renewed' | 'failed') => void;
  readonly onError: (error: unknown) => void;
}

export class Renewal {
  readonly #options: RenewalOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#options.keys.length === 0) return;
    await this.#renewAll();
    this.#timer = setInterval(() => void this.#renewAll(), EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What keeps one repository from being renewed keeps no other. */
  async #renewAll(): Promise<void> {
    const { keys, repositories, onDone, onError } = this.#options;
    for (const repository of repositories()) {
      try {
        const channels = await renewTimestamps(repository, { keys, waitSeconds: WAIT_SECONDS });
        for (const _ of channels) onDone('renewed');
      } catch (error) {
        onDone('failed');
        onError(error);
      }
    }
  }
}
