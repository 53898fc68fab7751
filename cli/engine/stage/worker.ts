/** The thread that unpacks beside the main one: takes jobs, tells what is done, ends when the port is closed. */
import { parentPort, workerData } from 'node:worker_threads';
import { IcepkgError } from '#schema/error';
import type { StageJob } from './job.ts';
import { openUnpacker } from './unpack.ts';

/** What a worker tells of a job, in this order: any number of `bytes`, then `done`, or `failed` at any time. */
export type WorkerMessage =
  | { readonly kind: 'bytes'; readonly label: string; readonly bytes: number }
  | { readonly kind: 'done'; readonly deviations: ReadonlyMap<string, string> }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** An error as far as it survives the way between threads. */
export interface Failure {
  readonly user: boolean;
  readonly message: string;
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly stack: string | undefined;
}

const port = parentPort;
if (port === null) throw new Error('this module runs in a worker only');
const unpacker = openUnpacker(String(workerData));
const tell = (message: WorkerMessage): void => port.postMessage(message);

port.on('message', (text: string) => {
  try {
    const job = JSON.parse(text) as StageJob;
    for (const bytes of unpacker.run(job)) tell({ kind: 'bytes', label: job.label, bytes });
    tell({ kind: 'done', deviations: unpacker.deviations });
  } catch (error) {
    tell({ kind: 'failed', failure: failureOf(error) });
  }
});
port.on('close', () => unpacker.close());

function failureOf(error: unknown): Failure {
  const thrown = error instanceof Error ? error : new Error(String(error));
  const code = 'code' in thrown ? String(thrown.code) : undefined;
  const user = thrown instanceof IcepkgError;
  return {
    user,
    message: thrown.message,
    code,
    hint: user ? thrown.hint : undefined,
    stack: thrown.stack,
  };
}
