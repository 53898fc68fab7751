/** Writes files of a repository one after the other, and remembers which. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { doing, readIfAny, writeDurably } from './layout.ts';

export interface FileToWrite {
  /** In the repository. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export class Writer {
  readonly repository: string;
  readonly written: string[] = [];
  readonly #onWrite: (path: string) => void;

  /** @param onWrite called before each file is written, with its path in the repository */
  constructor(repository: string, onWrite: (path: string) => void = () => undefined) {
    this.repository = repository;
    this.#onWrite = onWrite;
  }

  write({ path, bytes }: FileToWrite): void {
    this.#onWrite(path);
    writeDurably(join(this.repository, path), bytes);
    this.written.push(path);
  }

  /** Moves a file that lies whole and durable beside its place there; the folder is the caller's to flush. */
  place(path: string, aside: string): void {
    this.#onWrite(path);
    doing(path, () => renameSync(aside, join(this.repository, path)));
    this.written.push(path);
  }

  /** Leaves a file that is named by its digest and whole as it is. */
  writeNew(file: FileToWrite): void {
    const there = readIfAny(join(this.repository, file.path));
    if (there === undefined || Buffer.compare(there, file.bytes) !== 0) this.write(file);
  }
}
