/** Every example of the manual and of the README's tour, typed one after the other as after a quickstart. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodePrivateKey } from '#schema/keys';
import { makeDepot, type Depot } from '../support/repository.ts';
import { icepkg, program } from './icepkg.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(
    { name: 'base-files', arch: 'noarch', files: { 'etc/profile': 'PATH=/usr/bin\n' } },
    {
      name: 'zlib',
      description: 'Compression library',
      provides: ['so:libz.so.1'],
      files: { 'usr/lib/libz.so.1': 'code' },
    },
    { name: 'xz', description: 'Compressor', depends: ['so:libz.so.1'], files: { 'usr/bin/xz': 'code' } },
  );
});
afterAll(() => depot.dispose());

/** The commands of a page, without blocks of other languages. */
function examples(page: string): string {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block).join('');
}

test('the examples of the manual and of the tour work as they stand', () => {
  const at = (path: string): string => join(depot.folder, path);
  mkdirSync(at('quickstart/bin'), { recursive: true });
  renameSync(depot.repository, at('quickstart/repo'));
  const trust = at('quickstart/repo/channels/stable/metadata/1.root.json');
  const words = program().map((word) => `'${word}'`);
  const launcher = `#!/bin/sh\nexec '${process.execPath}' ${words.join(' ')} "$@"\n`;
  writeFileSync(at('quickstart/bin/icepkg'), launcher, { mode: 0o755 });
  writeFileSync(at('quickstart/packager.key'), encodePrivateKey(depot.key), { mode: 0o600 });
  const machine = at('quickstart/x86_64');
  const repository = `main=${at('quickstart/repo')}`;
  expect(
    icepkg(['init', '--root', machine, '--arch', 'x86_64', '--repository', repository, '--trust', trust])
      .status,
  ).toBe(0);
  expect(icepkg(['install', 'xz', 'zlib', 'base-files', '--root', machine, '--yes']).status).toBe(0);

  const tour = examples('README.md').replace(/^npm .*\n/gm, '');
  const script = `set -eux\n${tour}${examples('docs/manual.md')}`;
  expect(script.split('\n').length).toBeGreaterThan(60);
  const { status, stderr } = spawnSync('sh', ['-c', script], {
    cwd: depot.folder,
    encoding: 'utf8',
    input: '',
  });
  expect(`${stderr.split('\n').slice(-12).join('\n')}\nexit status ${status}`).toMatch(/exit status 0$/);
  expect(readFileSync(at('device/etc/hello.conf'), 'utf8')).toBe('whom=you\n');
});
