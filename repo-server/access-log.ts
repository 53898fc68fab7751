/** The access log: one JSON document a line, which leaves nothing of a request unescaped. */
import * as fs from 'node:fs';
import { doing } from './layout.ts';

export interface AccessLine {
  readonly time: string;
  readonly address: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly milliseconds: number;
  /** Name of the token that was used. */
  readonly token?: string;
}

/** Paths may be as long as headers are. */
const LONGEST_PATH = 1024;

export class AccessLog {
  readonly #file: string;
  #stream: fs.WriteStream;

  constructor(file: string) {
    this.#file = file;
    this.#stream = this.#open();
  }

  write(line: AccessLine): void {
    this.#stream.write(`${JSON.stringify({ ...line, path: line.path.slice(0, LONGEST_PATH) })}\n`);
  }

  /** After the file was moved away: goes on in a new one of the same name. */
  reopen(): void {
    const old = this.#stream;
    this.#stream = this.#open();
    old.end();
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#stream.end(() => resolve()));
  }

  #open(): fs.WriteStream {
    const fd = doing(this.#file, () => fs.openSync(this.#file, 'a', 0o640));
    // A disk that is full costs lines of the log, never an answer.
    return fs.createWriteStream(this.#file, { fd }).on('error', () => undefined);
  }
}
