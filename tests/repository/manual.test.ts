/** Every example of the pages on running a repository, typed one after the other in an empty folder. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { program } from '../cli/icepkg.ts';

test.each(['repositories.md', 'keys.md'])('the examples of %s work as they stand', (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-examples-'));
  try {
    const words = program().map((word) => `'${word}'`);
    mkdirSync(join(folder, '.bin'));
    writeFileSync(
      join(folder, '.bin/icepkg'),
      `#!/bin/sh\nexec '${process.execPath}' ${words.join(' ')} "$@"\n`,
      {
        mode: 0o755,
      },
    );
    const page = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
    const script = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block).join('');
    const { status, stderr } = spawnSync('sh', ['-c', `set -eux\n${script}`], {
      cwd: folder,
      encoding: 'utf8',
      input: '',
      env: { ...process.env, PATH: `${join(folder, '.bin')}:${process.env['PATH'] ?? ''}` },
    });
    expect(`${stderr.split('\n').slice(-12).join('\n')}\nexit status ${status}`).toMatch(/exit status 0$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
