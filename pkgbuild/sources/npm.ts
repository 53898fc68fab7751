/** Fetches the tarball of an npm package, with the registry, proxy and credentials that this machine's npm uses. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import { IcepkgError } from '#schema/error';
import { run, type CommandResult } from '../command.ts';

/** Downloads into `scratch` and returns the path of the tarball. Nothing of the package is run. */
export async function fetchFromNpm(
  { npm, version }: { readonly npm: string; readonly version: string },
  scratch: string,
): Promise<string[]> {
  const result = await run(['npm', 'pack', '--ignore-scripts', '--loglevel=error', `${npm}@${version}`], {
    cwd: scratch,
  });
  if (result.status !== 0) throw npmFailed(result, `npm pack ${npm}@${version}`);
  return fs
    .readdirSync(scratch)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => path.join(scratch, name));
}

export interface NpmVersions {
  /** What the registry hands out where nobody names a version. */
  readonly latest: string;
  /** Every one that is no pre-release. */
  readonly all: readonly string[];
}

const ViewSchema = v.object({
  version: v.string(),
  versions: v.union([
    v.array(v.string()),
    v.pipe(
      v.string(),
      v.transform((one) => [one]),
    ),
  ]),
});

/** @throws IcepkgError `source-failed` where the registry does not answer, or has no such package */
export async function npmVersions(name: string): Promise<NpmVersions> {
  const words = ['npm', 'view', name, 'version', 'versions', '--json', '--loglevel=error'];
  const result = await run(words);
  const view = result.status === 0 ? v.safeParse(ViewSchema, parseJson(result.stdout)) : undefined;
  if (view?.success !== true) throw npmFailed(result, `npm view ${name}`);
  const { version, versions } = view.output;
  return { latest: version, all: versions.filter((one) => !one.includes('-')) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function npmFailed({ stderr, status }: CommandResult, what: string): IcepkgError {
  const lines = stderr.split('\n').map((line) => line.replace(/^npm (?:error|ERR!)\s*/, '').trim());
  const why = lines.find((line) => line !== '' && !line.startsWith('code ')) ?? `exit status ${status}`;
  return new IcepkgError('source-failed', `${what} failed: ${why}`);
}
