/** Decodes packages and puts their files together aside, ready to be renamed into place. */
import type { FilePlan } from '../file-plan/operations.ts';
import type { FetchedPackage, OnProgress } from '../model.ts';
import type { Area } from '../transaction/layout.ts';

export interface StageRequest {
  /** Absolute and free of symlinks. */
  readonly root: string;
  readonly areas: readonly Area[];
  readonly plan: FilePlan;
  readonly packages: readonly Pick<FetchedPackage, 'file' | 'headerSize' | 'manifest'>[];
  readonly onProgress: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

export interface StageOutcome {
  /** Path to what could not be set there, in words; to be kept in the rows. */
  readonly deviations: ReadonlyMap<string, string>;
  readonly notices: readonly string[];
}

/** @throws IcepkgError `package-corrupt` naming package and path */
export async function stageFiles(request: StageRequest): Promise<StageOutcome> {
  await Promise.resolve();
  throw new Error(`cannot stage below ${request.root} yet`);
}
