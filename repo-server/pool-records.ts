/**
 * The records in a pool, as bytes: a repository may have very many, and a change of it needs few. Each is decoded when it is
 * asked for, and written again as it was read.
 */
import { canonicalJson, parseJson } from '#schema/canonical-json';
import type { PackageRecord } from '#schema/index-shard';
import { comparePaths } from '#schema/path';

export class PoolRecords {
  /** Of each path the canonical JSON of its record. */
  readonly #bytes = new Map<string, Uint8Array>();

  static of(records: Iterable<PackageRecord>): PoolRecords {
    const all = new PoolRecords();
    for (const record of records) all.set(record.package.path, record);
    return all;
  }

  /** @param lines one member of an object each, `"PATH":RECORD`, without the comma behind it */
  static fromLines(lines: Iterable<Buffer>): PoolRecords {
    const all = new PoolRecords();
    for (const line of lines) {
      const colon = line.indexOf('":');
      all.#bytes.set(line.toString('utf8', 1, colon), line.subarray(colon + 2));
    }
    return all;
  }

  /** By the package's path in the repository. @throws IcepkgError `format-invalid` */
  get(path: string): PackageRecord | undefined {
    const bytes = this.#bytes.get(path);
    return bytes && (parseJson(bytes, `the record of ${path}`) as PackageRecord);
  }

  has(path: string): boolean {
    return this.#bytes.has(path);
  }

  set(path: string, record: PackageRecord): void {
    this.#bytes.set(path, canonicalJson(record));
  }

  delete(path: string): void {
    this.#bytes.delete(path);
  }

  paths(): Iterable<string> {
    return this.#bytes.keys();
  }

  /** What `fromLines` reads, sorted, in pieces: commas and line feeds stand between the lines. */
  *pieces(): Generator<Uint8Array> {
    let first = true;
    for (const [path, bytes] of [...this.#bytes].sort(([a], [b]) => comparePaths(a, b))) {
      yield Buffer.from(`${first ? '' : ',\n'}${JSON.stringify(path)}:`);
      yield bytes;
      first = false;
    }
  }
}
