/** Fetches the tarball of an npm package, with the registry, proxy and credentials that this machine's npm uses. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { run } from '../command.ts';

/** Downloads into `scratch` and returns the path of the tarball. Nothing of the package is run. */
export async function fetchFromNpm(
  { npm, version }: { readonly npm: string; readonly version: string },
  scratch: string,
): Promise<string[]> {
  const result = await run(['npm', 'pack', '--ignore-scripts', '--loglevel=error', `${npm}@${version}`], {
    cwd: scratch,
  });
  if (result.status !== 0) {
    const lines = result.stderr.split('\n').map((line) => line.replace(/^npm (?:error|ERR!)\s*/, '').trim());
    const why =
      lines.find((line) => line !== '' && !line.startsWith('code ')) ?? `exit status ${result.status}`;
    throw new IcepkgError('source-failed', `npm pack ${npm}@${version} failed: ${why}`);
  }
  return fs
    .readdirSync(scratch)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => path.join(scratch, name));
}
