/**
 * Runs the public conformance suite of The Update Framework against the client: `npm run test:tuf-conformance -- FOLDER`,
 * where FOLDER is a checkout of the suite. Whatever follows the folder goes to pytest.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleClient } from './bundle.ts';

const python = process.env['PYTHON'] ?? 'python3';
const NEEDED = ['pytest', 'tuf.api.metadata', 'securesystemslib.signer'];

/** What keeps the suite from running, a line each. */
function missingFor(suite: string): string[] {
  const runs = (program: string, ...words: string[]): boolean => spawnSync(program, words).status === 0;
  if (!existsSync(join(suite, 'tuf_conformance/conftest.py')))
    return [`${suite} is no checkout of the suite: it has no tuf_conformance/conftest.py`];
  if (!runs(python, '-c', '')) return [`${python} is missing (PYTHON names another)`];
  const modules = NEEDED.filter((name) => !runs(python, '-c', `import ${name}`));
  const missing = modules.map(
    (name) => `${python} has no module ${name}: install what the suite's pyproject.toml names`,
  );
  return runs('faketime', '2030-01-01', 'true')
    ? missing
    : [...missing, "faketime is missing (Debian's package faketime)"];
}

async function main([folder, ...words]: readonly string[]): Promise<number> {
  if (folder === undefined) {
    console.error('usage: npm run test:tuf-conformance -- FOLDER [ARGUMENTS-OF-PYTEST...]');
    return 2;
  }
  const suite = resolve(folder);
  process.env['PYTHONPATH'] = [suite, process.env['PYTHONPATH']].filter(Boolean).join(':');
  const missing = missingFor(suite);
  for (const line of missing) console.error(line);
  if (missing.length > 0) return 2;
  const client = await bundleClient();
  try {
    const pytest = ['-m', 'pytest', '-q', 'tuf_conformance', '--entrypoint', client, ...words];
    return spawnSync(python, pytest, { cwd: suite, stdio: 'inherit' }).status ?? 1;
  } finally {
    rmSync(client, { force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
