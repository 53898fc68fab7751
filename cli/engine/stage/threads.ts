/**
 * Unpacks jobs in the main thread and, where there is enough to do, in worker threads beside it. Each has at most
 * two jobs, so that none waits for the next and memory stays bounded by frames, not by packages.
 */
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { IcepkgError, type ErrorCode } from '#schema/error';
import type { StageJob } from './job.ts';
import { openUnpacker } from './unpack.ts';
import type { Failure, WorkerMessage } from './worker.ts';

/** Content that is worth the start of a thread. */
const WORTH_A_THREAD = 8 * 1024 * 1024;
const MOST_WORKERS = 3;
const JOBS_AHEAD = 2;
/** Modules with types do not load in a worker by themselves: from sources everything is done in one thread. */
const SOURCE = import.meta.url.endsWith('.ts');

export interface Threads {
  /** Unpacks all jobs. @throws what a job throws; no thread writes any more then */
  run(jobs: readonly StageJob[], onBytes: (label: string, bytes: number) => void): Promise<Deviations>;
  /** Ends the threads. */
  close(): Promise<void>;
}

export type Deviations = ReadonlyMap<string, string>;

/**
 * Starts as many threads as are worth it, without waiting for them.
 * @param bytes of content that is going to be unpacked
 */
export async function openThreads(root: string, bytes: number): Promise<Threads> {
  const count = SOURCE
    ? 0
    : Math.min(MOST_WORKERS, availableParallelism() - 1, Math.floor(bytes / WORTH_A_THREAD));
  const helpers = count > 0 ? await startHelpers(root, count) : [];
  return {
    run: (jobs, onBytes) => runJobs({ root, helpers, queue: jobs.toReversed(), onBytes }),
    close: async () => {
      await Promise.all(helpers.map(({ worker }) => worker.terminate()));
    },
  };
}

interface Helper {
  readonly worker: Worker;
  /** Rejects when the thread ends, whenever that is. */
  readonly ended: Promise<never>;
}

async function startHelpers(root: string, count: number): Promise<readonly Helper[]> {
  const { Worker } = await import('node:worker_threads');
  return Array.from({ length: count }, () => {
    const module = new URL(import.meta.resolve('#engine/stage/worker'));
    const worker = new Worker(module, { workerData: root, execArgv: [] });
    const ended = new Promise<never>((_, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('a thread that unpacks ended early')));
    });
    // Asked about only while there are jobs.
    ended.catch(() => undefined);
    return { worker, ended };
  });
}

interface Run {
  readonly root: string;
  readonly helpers: readonly Helper[];
  /** What no thread has yet, the next one last. */
  readonly queue: StageJob[];
  readonly onBytes: (label: string, bytes: number) => void;
}

async function runJobs(run: Run): Promise<Deviations> {
  const failed = new AbortController();
  const threads = [
    ...run.helpers.map(async (helper) => Promise.race([helper.ended, runInWorker(run, helper)])),
    runHere(run, failed.signal),
  ].map(async (thread) =>
    thread.catch((error: unknown) => {
      run.queue.length = 0;
      failed.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(threads);
  failed.signal.throwIfAborted();
  const deviations = new Map<string, string>();
  for (const result of results)
    if (result.status === 'fulfilled') for (const [path, text] of result.value) deviations.set(path, text);
  return deviations;
}

async function runHere({ root, queue, onBytes }: Run, failed: AbortSignal): Promise<Deviations> {
  const unpacker = openUnpacker(root);
  try {
    for (let job = queue.pop(); job !== undefined; job = queue.pop()) {
      for (const bytes of unpacker.run(job)) {
        onBytes(job.label, bytes);
        await setImmediate();
        if (failed.aborted) return unpacker.deviations;
      }
    }
    return unpacker.deviations;
  } finally {
    unpacker.close();
  }
}

/** Resolves once the queue is empty and the worker has done all it was given. */
async function runInWorker({ queue, onBytes }: Run, { worker }: Helper): Promise<Deviations> {
  let deviations: Deviations = new Map();
  let outstanding = 0;
  const feed = (): boolean => {
    for (let job = queue.pop(); job !== undefined; job = queue.pop()) {
      // As text: copying thousands of small objects between threads takes longer.
      worker.postMessage(JSON.stringify(job), []);
      outstanding += 1;
      if (outstanding >= JOBS_AHEAD) break;
    }
    return outstanding > 0;
  };
  if (!feed()) return deviations;
  return new Promise((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      switch (message.kind) {
        case 'bytes':
          try {
            onBytes(message.label, message.bytes);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
          return;
        case 'done':
          outstanding -= 1;
          deviations = message.deviations;
          if (!feed()) resolve(deviations);
          return;
        case 'failed':
          reject(errorOf(message.failure));
      }
    });
  });
}

function errorOf({ user, message, code, hint, stack }: Failure): Error {
  if (user) return new IcepkgError(code as ErrorCode, message, hint === undefined ? {} : { hint });
  return Object.assign(new Error(message), { code, stack });
}
