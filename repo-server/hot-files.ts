/**
 * Small files that never change and are asked for again and again, in memory: one takes no call of the system but the one that
 * sends it. Each is looked at again on the disk once it was not for a second, so what an operator takes away is soon gone here, too.
 */
import * as fs from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { etagOf, fileToSend, type FileToSend } from './http-file.ts';
import type { ServedFile } from './http-path.ts';

const MOST_BYTES = 64 * 1024 * 1024;
const LARGEST_FILE = 2 * 1024 * 1024;
/** What is kept beside the content of a file: its answer's headers and its path. */
const KEPT_BESIDE = 4096;
/** Longer ones have made-up parameters. */
const LONGEST_URL = 512;
const FRESH_MS = 1000;
/** Files that were asked for once: a mirror that takes every file drives out none. */
const MOST_ASKED = 4096;

interface Kept {
  readonly file: FileToSend;
  /** When it was last seen on the disk. */
  seen: number;
}

export class HotFiles {
  /** By the path that was asked for, the longest unused first. */
  readonly #kept = new Map<string, Kept>();
  readonly #asked = new Set<string>();
  #bytes = 0;

  /** What a request is for, where that is in memory. */
  find({ url = '', method }: IncomingMessage): FileToSend | undefined {
    const path = pathOf(url);
    const kept = path === undefined ? undefined : this.#kept.get(path);
    if (kept === undefined || Date.now() - kept.seen > FRESH_MS) return undefined;
    return method === 'GET' || method === 'HEAD' ? kept.file : undefined;
  }

  /**
   * Tells of a file that is about to be sent.
   * @param url address that it was asked for by
   * @returns the file in memory, where it is or should be there
   */
  offer(url: string, served: ServedFile): FileToSend | undefined {
    const path = pathOf(url);
    if (!served.immutable || served.size > LARGEST_FILE || path === undefined) return undefined;
    const kept = this.#kept.get(path);
    const now = Date.now();
    if (kept?.file.validators.etag === etagOf(served)) {
      // Put back last: the map's order is that of use.
      this.#kept.delete(path);
      this.#kept.set(path, { ...kept, seen: now });
      return kept.file;
    }
    this.#drop(path);
    if (!this.#isAskedAgain(path)) return undefined;
    const bytes = Buffer.allocUnsafeSlow(served.size);
    if (fs.readSync(served.fd, bytes, 0, served.size, 0) < served.size) return undefined;
    const file = fileToSend(served, { bytes });
    this.#kept.set(path, { file, seen: now });
    this.#bytes += file.size + KEPT_BESIDE;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#drop(oldest);
    }
    return file;
  }

  /** After what addresses lead to has changed. */
  clear(): void {
    this.#kept.clear();
    this.#asked.clear();
    this.#bytes = 0;
  }

  #drop(path: string): void {
    const kept = this.#kept.get(path);
    if (kept === undefined) return;
    this.#bytes -= kept.file.size + KEPT_BESIDE;
    this.#kept.delete(path);
  }

  #isAskedAgain(path: string): boolean {
    if (this.#asked.delete(path)) return true;
    this.#asked.add(path);
    const [oldest] = this.#asked;
    if (this.#asked.size > MOST_ASKED && oldest !== undefined) this.#asked.delete(oldest);
    return false;
  }
}

/** One for all addresses of a file: parameters lead nowhere else, nor do other spellings. */
function pathOf(url: string): string | undefined {
  if (url.length > LONGEST_URL) return undefined;
  const end = url.indexOf('?');
  const path = end === -1 ? url : url.slice(0, end);
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
