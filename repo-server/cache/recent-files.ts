/** The files of a cache in the order of their last use, and which of them make room for others. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '#schema/error';

/** What is asked for often is not marked as used each time; the order on disk is that exact. */
const MARK_EVERY_MS = 60_000;

interface KnownFile {
  readonly size: number;
  markedAt: number;
  /** Answers that read it now, which keeps it. */
  readers: number;
}

/** A file that is to be fetched. */
export interface Coming {
  readonly size: number;
  /** Where a fetch that fails leaves what it has: that counts too, and makes room as files do. */
  readonly part?: string;
  readonly fetch: () => Promise<void>;
}

/** Recency outlasts a restart as the access time of each file. */
export class RecentFiles {
  readonly #root: string;
  readonly #limit: number;
  readonly #onEvict: (bytes: number) => void;
  /** By path, the least recently used first. */
  readonly #files = new Map<string, KnownFile>();
  /** Bytes of what is being fetched. */
  #coming = 0;
  #bytes = 0;

  /** @param limit bytes; only what is read right now, or larger alone, goes beyond it */
  constructor(root: string, limit: number, onEvict: (bytes: number) => void) {
    this.#root = root;
    this.#limit = limit;
    this.#onEvict = onEvict;
    const found = ['packages', 'targets'].flatMap((folder) => filesBelow(root, folder));
    for (const { path, size, usedAt } of found.sort((a, b) => a.usedAt - b.usedAt)) {
      this.#files.set(path, { size, markedAt: usedAt, readers: 0 });
      this.#bytes += size;
    }
    this.#evict(0);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps it until `release`. False where it is not there, also because somebody else removed it. */
  hold(path: string, nowMs: number): boolean {
    const file = join(this.#root, path);
    // A path that is too long for the system is not there either.
    const stat = fs.existsSync(file) ? fs.statSync(file, { throwIfNoEntry: false }) : undefined;
    if (stat?.isFile() !== true) {
      this.#forget(path);
      return false;
    }
    const known = this.#files.get(path) ?? { size: stat.size, markedAt: 0, readers: 0 };
    if (!this.#files.has(path)) this.#bytes += stat.size;
    if (nowMs - known.markedAt > MARK_EVERY_MS) {
      // Not the time of change, which the ETag is made of.
      fs.utimesSync(file, new Date(nowMs), stat.mtime);
      known.markedAt = nowMs;
    }
    known.readers += 1;
    this.#files.delete(path);
    this.#files.set(path, known);
    return true;
  }

  release(path: string): void {
    const known = this.#files.get(path);
    if (known !== undefined) known.readers -= 1;
    this.#evict(0);
  }

  /** Makes room for what `fetch` brings. */
  async making({ size, part, fetch }: Coming): Promise<void> {
    // While it grows it is part of what is coming, and nobody removes it.
    if (part !== undefined) this.#forget(part);
    this.#evict(size);
    this.#coming += size;
    try {
      await fetch();
    } finally {
      this.#coming -= size;
      if (part !== undefined) this.#keepPart(part);
    }
  }

  #keepPart(path: string): void {
    const size = fs.statSync(join(this.#root, path), { throwIfNoEntry: false })?.size;
    if (size === undefined) return;
    this.#files.set(path, { size, markedAt: 0, readers: 0 });
    this.#bytes += size;
    this.#evict(0);
  }

  #evict(wanted: number): void {
    for (const [path, { readers, size }] of this.#files) {
      if (this.#bytes + this.#coming + wanted <= this.#limit) return;
      if (readers > 0) continue;
      // A part has its entity tag beside it.
      for (const ending of ['', '.etag']) fs.rmSync(join(this.#root, path) + ending, { force: true });
      this.#forget(path);
      this.#onEvict(size);
    }
  }

  #forget(path: string): void {
    this.#bytes -= this.#files.get(path)?.size ?? 0;
    this.#files.delete(path);
  }
}

interface FoundFile {
  readonly path: string;
  readonly size: number;
  readonly usedAt: number;
}

function filesBelow(root: string, folder: string): FoundFile[] {
  let entries: fs.Dirent[];
  try {
    entries = fs.readdirSync(join(root, folder), { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return filesBelow(root, path);
    if (!entry.isFile() || entry.name.startsWith('.')) return [];
    const { size, atimeMs } = fs.statSync(join(root, path));
    return [{ path, size, usedAt: atimeMs }];
  });
}
