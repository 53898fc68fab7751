/** A build worker: takes jobs from the queue, builds them in the ordinary sandbox and uploads the packages. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { buildRecipes, type BuildProgress, type BuildRequest } from '../build.ts';
import { connect, loadBullmq, MOST_DEATHS, QUEUE_NAME } from './broker.ts';
import { decodeJob, unpackRecipes, type BuildAnswer, type BuildJob } from './job.ts';
import { publishUploaded, uploadPackage, type UploadTarget } from './upload.ts';

export interface WorkerRequest extends Pick<BuildRequest, 'cacheFolder' | 'keys' | 'jobs' | 'limits'> {
  readonly queue: string;
  readonly name: string;
  readonly upload: UploadTarget;
  /** Let the repository publish after each job. */
  readonly publish: boolean;
  /** Jobs at the same time. */
  readonly parallel: number;
  /** Seconds after which the job of a worker that is silent goes to another. */
  readonly lease: number;
  readonly onReady: () => void;
  readonly onProgress: (progress: BuildProgress) => void;
  readonly onProblem: (error: Error) => void;
  /** Ends it once the jobs at hand are done. */
  readonly stop: AbortSignal;
}

/** Works until `stop`. @throws IcepkgError `usage`, `network-failed` where the queue does not answer at first */
export async function runWorker(request: WorkerRequest): Promise<void> {
  const { lease, stop } = request;
  const connection = await connect(request.queue);
  const { Worker } = await loadBullmq();
  const worker = new Worker(
    QUEUE_NAME,
    async (job) => {
      const tell = (progress: BuildProgress): void => {
        const { recipe, arch, phase } = progress;
        request.onProgress(progress);
        // Progress is a courtesy: whoever lost the broker for a moment goes on building.
        job.updateProgress({ worker: request.name, recipe, arch, phase }).catch(request.onProblem);
      };
      return build(decodeJob(job.data), { ...request, onProgress: tell });
    },
    {
      connection,
      name: request.name,
      concurrency: request.parallel,
      lockDuration: lease * 1000,
      stalledInterval: lease * 1000,
      maxStalledCount: MOST_DEATHS,
    },
  );
  worker.on('error', request.onProblem);
  worker.on('failed', (_job, error) => request.onProblem(error));
  try {
    await worker.waitUntilReady();
    request.onReady();
    await new Promise<void>((resolve) => {
      if (stop.aborted) resolve();
      else stop.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await worker.close();
    connection.disconnect();
  }
}

async function build(job: BuildJob, request: WorkerRequest): Promise<BuildAnswer> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-worker-'));
  const { name: worker, upload } = request;
  try {
    const recipes = path.join(folder, 'recipes');
    unpackRecipes(job, recipes);
    const output = path.join(folder, 'packages');
    const built = await buildRecipes({
      ...request,
      recipes: [path.join(recipes, job.recipe)],
      roots: [recipes],
      arch: job.arch,
      options: job.options,
      codec: job.codec,
      check: job.check,
      checkReproducible: false,
      parallel: 1,
      output,
    });
    const packages = built.flatMap((one) => one.packages);
    // A job that was begun before and lost its worker brings the same bytes again, which is no change.
    for (const { file } of packages) await uploadPackage(upload, path.join(output, file));
    if (request.publish) await publishUploaded(upload, `${job.recipe} for ${job.arch}`);
    const list = packages.map(({ file, sha256, size }) => ({ file, sha256, size }));
    return { state: 'built', worker, packages: list };
  } catch (error) {
    if (!(error instanceof IcepkgError) || !FINAL.has(error.code)) throw error;
    const { message, hint } = error;
    return { state: 'failed', worker, message, ...(hint === undefined ? {} : { hint }) };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** What building again would not mend. */
const FINAL = new Set([
  'usage',
  'format-invalid',
  'path-unsafe',
  'not-found',
  'lint-failed',
  'build-failed',
  'tool-missing',
]);
