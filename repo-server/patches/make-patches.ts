/** Makes many patches at once: compressing what resembles an old version takes a second and more for each mebibyte. */
import { availableParallelism, totalmem } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { IcepkgError } from '#schema/error';
import { openPatchMaker, type PatchRequest } from './make-patch.ts';

/** Whether there is a patch now, or what kept it from being made. */
export type PatchOutcome = { readonly made: boolean } | { readonly problem: string };

/** What one thread may take. */
const BYTES_A_THREAD = 512 * 1024 * 1024;
const MOST_THREADS = 16;
/** Modules with types do not load in a worker by themselves: from sources everything is done in one thread. */
const SOURCE = import.meta.url.endsWith('.ts');

/** Outcomes in the order of the requests. */
export async function makePatches(requests: readonly PatchRequest[]): Promise<readonly PatchOutcome[]> {
  const threads = Math.min(
    requests.length,
    availableParallelism(),
    Math.max(1, Math.floor(totalmem() / BYTES_A_THREAD)),
    MOST_THREADS,
  );
  const outcomes: PatchOutcome[] = [];
  let next = 0;
  const work = async (make: (request: PatchRequest) => Promise<PatchOutcome>): Promise<void> => {
    for (let index = next++; index < requests.length; index = next++) {
      const request = requests[index];
      if (request !== undefined) outcomes[index] = await make(request);
    }
  };
  if (SOURCE) await work(openPatchAttempts());
  else await Promise.all(Array.from({ length: threads }, async () => inThread(work)));
  return outcomes;
}

async function inThread(
  work: (make: (request: PatchRequest) => Promise<PatchOutcome>) => Promise<void>,
): Promise<void> {
  const { Worker } = await import('node:worker_threads');
  const worker = new Worker(new URL(import.meta.resolve('#repo-server/patches/worker')), { execArgv: [] });
  try {
    await work(async (request) => ask(worker, request));
  } finally {
    await worker.terminate();
  }
}

const ask = (worker: Worker, request: PatchRequest): Promise<PatchOutcome> =>
  new Promise((resolve, reject) => {
    worker.removeAllListeners();
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('a thread that makes patches ended early')));
    worker.postMessage(request, []);
  });

/** A package that cannot be read has no patches; that is told and keeps nobody from publishing others. */
export function openPatchAttempts(): (request: PatchRequest) => Promise<PatchOutcome> {
  const makePatch = openPatchMaker();
  return async (request) => {
    try {
      return { made: await makePatch(request) };
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      return { problem: error.message };
    }
  };
}
