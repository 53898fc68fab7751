/** What differs between two states of a channel. */
import { setImmediate } from 'node:timers/promises';
import type { PackageRecord } from '#schema/index-shard';
import { diffIndexes, type IndexDiff } from '../index-diff.ts';
import { readableRecords, rememberingReader, type IndexTargets, type ReadShard } from '../served.ts';
import type { Library } from './library.ts';

/** One question at a time, with other requests in between: a large index takes seconds to read, and much memory. */
export class Differences {
  readonly #library: Library;
  #last: Promise<unknown> = Promise.resolve();

  constructor(library: Library) {
    this.#library = library;
  }

  between(from: IndexTargets, to: IndexTargets): Promise<IndexDiff> {
    const mine = this.#last.then(() => this.#between(from, to));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #between(from: IndexTargets, to: IndexTargets): Promise<IndexDiff> {
    const read = rememberingReader(this.#library.read);
    const before = await this.#records(from, read);
    return diffIndexes(before, await this.#records(to, read));
  }

  async #records(targets: IndexTargets, read: ReadShard): Promise<ReadonlyMap<string, PackageRecord>> {
    const { root } = this.#library;
    for (const [path, target] of Object.entries(targets)) {
      await setImmediate();
      readableRecords(root, { [path]: target }, () => undefined, read);
    }
    return readableRecords(root, targets, () => undefined, read);
  }
}
