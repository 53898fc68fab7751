/** How often one address may ask: a bucket of requests that fills at a steady rate. Time comes as an argument. */

/** Addresses that are remembered; beyond it the longest idle ones are forgotten. */
const MOST_ADDRESSES = 10_000;

export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  /** @param burst how many may come at once after a pause */
  constructor(perSecond: number, burst = Math.max(1, perSecond * 10)) {
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** Takes one. @returns the seconds to wait where there is none, else 0 */
  take(address: string, nowMs: number): number {
    const before = this.#buckets.get(address) ?? { left: this.#burst, at: nowMs };
    const filled = before.left + (Math.max(0, nowMs - before.at) / 1000) * this.#perSecond;
    const left = Math.min(this.#burst, filled);
    // Put back last: the map's order is that of use.
    this.#buckets.delete(address);
    this.#buckets.set(address, { left: left >= 1 ? left - 1 : left, at: nowMs });
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size > MOST_ADDRESSES && oldest !== undefined) this.#buckets.delete(oldest);
    return left >= 1 ? 0 : Math.ceil((1 - left) / this.#perSecond);
  }
}
