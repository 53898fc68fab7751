/** Builds on workers: puts a job for each recipe into the queue and waits for the answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { IcepkgError } from '#schema/error';
import type { BuildRequest } from '../build.ts';
import { refuseRecipe } from '../lint/lint.ts';
import { buildOrder } from '../order.ts';
import { defaultRecipeRoots, findRecipe } from '../recipe.ts';
import { checkOptions } from '../resolve-recipe.ts';
import { connect, loadBullmq, MOST_DEATHS, QUEUE_NAME } from './broker.ts';
import {
  decodeAnswer,
  decodeStep,
  packRecipes,
  type BuildAnswer,
  type BuildJob,
  type BuildStep,
} from './job.ts';

export interface SubmitRequest extends Pick<
  BuildRequest,
  'recipes' | 'arch' | 'roots' | 'options' | 'codec' | 'check'
> {
  readonly queue: string;
  readonly onStep: (step: BuildStep) => void;
  readonly signal?: AbortSignal;
}

export interface QueuedBuild {
  readonly recipe: string;
  readonly answer: BuildAnswer;
}

/** Answers are kept for a day, for whoever lost the connection meanwhile. */
const KEPT = { age: 86_400 };
const ATTEMPTS = 3;
const INTERVAL = 500;

/**
 * Lets workers build the recipes, each with what it is built with.
 * @returns the answers in the order of the recipes
 * @throws IcepkgError `network-failed`, `not-found`, `usage`, `lint-failed`, `cancelled`
 */
export async function buildOnQueue(request: SubmitRequest): Promise<QueuedBuild[]> {
  const jobs = jobsOf(request);
  const connection = await connect(request.queue);
  const { Queue } = await loadBullmq();
  const queue = new Queue(QUEUE_NAME, { connection });
  try {
    const options = {
      attempts: ATTEMPTS,
      backoff: { type: 'exponential', delay: 1000 },
      removeOnComplete: KEPT,
      removeOnFail: KEPT,
    };
    const added = await queue.addBulk(jobs.map((data) => ({ name: data.recipe, data, opts: options })));
    const seen = new Map<string, string>();
    return await Promise.all(
      added.map(async ({ id = '', name }) => ({ recipe: name, answer: await answerOf(id) })),
    );

    /** Looked up rather than listened for: no event is missed while the connection is down. */
    async function answerOf(id: string): Promise<BuildAnswer> {
      for (;;) {
        const job = await queue.getJob(id);
        if (job === undefined) throw lost(id);
        const step = decodeStep(job.progress);
        const text = JSON.stringify(step);
        if (step !== undefined && seen.get(id) !== text) request.onStep(step);
        seen.set(id, text);
        if (job.finishedOn !== undefined && job.failedReason) throw failed(job.name, job.failedReason);
        if (job.finishedOn !== undefined) return decodeAnswer(job.returnvalue);
        await sleep(INTERVAL, undefined, request.signal && { signal: request.signal }).catch(
          (cause: unknown) => {
            throw new IcepkgError('cancelled', 'cancelled; what is in the queue is built all the same', {
              cause,
            });
          },
        );
      }
    }
  } finally {
    await queue.close();
    connection.disconnect();
  }
}

function jobsOf({
  recipes,
  arch,
  roots = defaultRecipeRoots(),
  options = {},
  codec,
  check,
}: SubmitRequest): BuildJob[] {
  const named = recipes.map((name) => findRecipe(name, roots));
  checkOptions(options, named);
  return named.map((loaded): BuildJob => {
    const nodes = buildOrder([loaded], arch, roots, options);
    for (const node of nodes) refuseRecipe(node.loaded);
    return {
      format: 1,
      recipe: loaded.recipe.name,
      arch,
      options: { ...options },
      codec,
      check,
      files: packRecipes(nodes),
    };
  });
}

const lost = (id: string): IcepkgError =>
  new IcepkgError('not-found', `the queue has no job ${id} any more`, { hint: 'Build again' });

const failed = (recipe: string, reason: string): IcepkgError =>
  new IcepkgError('build-failed', `${recipe}: no worker could finish it: ${reason}`, {
    hint: /stalled/.test(reason)
      ? `More than ${MOST_DEATHS} workers died over it: look at their logs`
      : 'Look at the log of the worker, then build again',
  });
