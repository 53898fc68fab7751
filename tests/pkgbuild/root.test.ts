/**
 * bash in a root that holds nothing but our packages, for both architectures: loader, library and shell, four recipes
 * deep. It builds them, so it runs with `ICEPKG_ALL_RECIPES=1` (`npm run test:recipes`).
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildRecipes } from '#pkgbuild/build';
import { collectionRequest } from '../support/build-request.ts';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-root-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe.runIf(process.env['ICEPKG_ALL_RECIPES'] === '1').each(['x86_64', 'aarch64'] as const)(
  'on %s',
  (arch) => {
    test('bash, busybox and less start', { timeout: 1_200_000 }, async () => {
      const root = path.join(folder, arch);
      fs.mkdirSync(root);
      const built = await buildRecipes(
        collectionRequest(['base-files', 'busybox', 'bash', 'less'], arch, path.join(folder, 'packages')),
      );
      const files = built.flatMap(({ packages }) =>
        packages.filter(({ role }) => role !== 'dev' && role !== 'doc'),
      );
      for (const { file } of files)
        execFileSync('tar', ['--exclude=.icepkg', '-C', root, '-xf', path.join(folder, 'packages', file)]);
      const start =
        arch === 'aarch64'
          ? ['qemu-aarch64-static', '-L', root, path.join(root, 'bin/bash')]
          : ['bwrap', '--unshare-all', '--bind', root, '/', '--dev', '/dev', '--proc', '/proc', '/bin/bash'];
      const [program = '', ...args] = start;
      const say = (script: string): string =>
        execFileSync(program, [...args, '-c', script], { encoding: 'utf8' });
      expect(say('echo "${BASH_VERSINFO[0]} $((6 * 7)) $HOSTTYPE"')).toBe(`5 42 ${arch}\n`);
      if (arch === 'x86_64')
        expect(say('sh -c "busybox echo from sh" && less --version | head -n 1')).toMatch(
          /^from sh\nless 590/,
        );
    });
  },
);
