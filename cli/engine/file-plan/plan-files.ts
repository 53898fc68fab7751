/** Works out what becomes of every path, and finds every conflict, before anything is written. */
import type { FilePlan, FilePlanRequest } from './operations.ts';

/** @throws IcepkgError `file-conflict` naming both sides of every conflict */
export function planFiles(request: FilePlanRequest): FilePlan {
  throw new Error(`cannot plan ${request.packages.length} packages yet`);
}
