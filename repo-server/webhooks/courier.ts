/** Delivers what waits for the webhooks of served repositories, as long as they are served. */
import { IcepkgError } from '#schema/error';
import { deliverDue, type DeliveryOutcome } from './deliver.ts';
import { waitingFor } from './outbox.ts';
import { readWebhooks } from './settings.ts';

const EVERY_MS = 1000;

export interface CourierOptions {
  readonly repositories: () => readonly { readonly root: string; readonly name: string }[];
  readonly onOutcome: (repository: string, outcome: DeliveryOutcome, count: number) => void;
  readonly onError: (error: unknown) => void;
}

export class Courier {
  readonly #options: CourierOptions;
  readonly #stop = new AbortController();
  /** Repositories that are being delivered for, and what was last wrong with the settings of each. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
    this.#timer.unref();
  }

  /** What is under way is told again after the next start. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await Promise.all(this.#busy.values());
  }

  /** How many events wait, by repository. */
  waiting(): readonly { readonly repository: string; readonly events: number }[] {
    return this.#options.repositories().flatMap(({ root, name }) => {
      try {
        const webhooks = readWebhooks(root);
        const events = webhooks.reduce((sum, webhook) => sum + waitingFor(root, webhook).length, 0);
        return webhooks.length === 0 ? [] : [{ repository: name, events }];
      } catch (error) {
        if (error instanceof IcepkgError) return [];
        throw error;
      }
    });
  }

  #look(): void {
    for (const { root, name } of this.#options.repositories()) {
      if (this.#busy.has(root)) continue;
      const run = this.#deliver(root, name).finally(() => this.#busy.delete(root));
      this.#busy.set(root, run);
    }
  }

  async #deliver(root: string, name: string): Promise<void> {
    const { onOutcome, onError } = this.#options;
    try {
      await deliverDue(root, {
        signal: this.#stop.signal,
        onOutcome: (outcome, count) => onOutcome(name, outcome, count),
        onProblem: (problem) => onError(new IcepkgError('network-failed', problem)),
      });
      this.#told.delete(root);
    } catch (error) {
      // Said once, not every second.
      const message = error instanceof Error ? error.message : String(error);
      if (this.#told.get(root) !== message) onError(error);
      this.#told.set(root, message);
    }
  }
}
