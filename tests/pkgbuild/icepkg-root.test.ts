/**
 * icepkg in a root that holds nothing but packages: it runs there, on glibc beside musl, and installs a package. It builds
 * them, so it runs with `ICEPKG_ALL_RECIPES=1` (`npm run test:recipes`).
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildRecipes } from '#pkgbuild/build';
import { parseRecipe } from '#pkgbuild/recipe';
import { collectionRequest } from '../support/build-request.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const RECIPES = ['busybox', 'glibc', 'libgcc', 'libstdc++', 'nodejs', 'icepkg-modules', 'icepkg', 'lua'];
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-self-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

interface NpmSource {
  readonly npm: string;
  readonly version: string;
  readonly into?: string | undefined;
}

function npmSources(name: string): NpmSource[] {
  const file = path.join(top, 'recipes', name, 'recipe.yaml');
  const recipe = parseRecipe(fs.readFileSync(file, 'utf8'), file);
  return recipe.sources.flatMap((source) => ('npm' in source ? [source] : []));
}

const fields = (file: string): Record<'packages' | 'dependencies', Record<string, unknown>> =>
  JSON.parse(fs.readFileSync(path.join(top, file), 'utf8')) as ReturnType<typeof fields>;

test('the recipes have the versions that package-lock.json has', () => {
  const packages = fields('package-lock.json').packages as Record<string, { version: string }>;
  const sources = ['icepkg', 'icepkg-modules', 'icepkg-fastify'].flatMap(npmSources);
  const locked = (name: string, folder = ''): string | undefined =>
    [`node_modules/zstd-napi/node_modules/${name}`, folder, `node_modules/${name}`]
      .map((place) => packages[place]?.version)
      .find((version) => version !== undefined);
  expect(sources.map(({ npm, version }) => [npm, version])).toEqual(
    sources.map(({ npm, into }) => [npm, locked(npm, into)]),
  );
});

test('the recipe of icepkg has what is bundled, and others have what is not', () => {
  const external = JSON.parse(fs.readFileSync(path.join(top, 'cli/bin/external.json'), 'utf8')) as string[];
  const bundled = new Set(npmSources('icepkg').map(({ npm }) => npm));
  const beside = new Set(['icepkg-modules', 'icepkg-fastify'].flatMap(npmSources).map(({ npm }) => npm));
  const needed = Object.keys(fields('package.json').dependencies);
  const isExternal = (name: string): boolean => external.includes(name);
  expect(needed.filter((name) => !isExternal(name) && !bundled.has(name))).toEqual([]);
  // Build workers and publishers are no devices: where these are not installed, the command says how to get them.
  expect(needed.filter((name) => isExternal(name) && !beside.has(name))).toEqual(['bullmq', 'ioredis', 'pg']);
});

const icepkg = (...args: string[]): string =>
  execFileSync(
    process.execPath,
    ['--conditions=source', '--import', 'tsx', path.join(top, 'cli/bin/icepkg.js'), ...args],
    { cwd: top, encoding: 'utf8' },
  );

/** Runs icepkg inside the root, which sees the packages as `/packages`. */
function inside(root: string, arch: string, ...args: string[]): string {
  const bwrap = ['bwrap', '--unshare-all', '--bind', root, '/', '--dev', '/dev', '--proc', '/proc'];
  bwrap.push('--ro-bind', path.join(folder, 'packages'), '/mnt');
  if (arch === 'aarch64') bwrap.push('--ro-bind', '/usr/bin/qemu-aarch64-static', '/opt/qemu', '/opt/qemu');
  const [program = '', ...words] = [...bwrap, '/usr/bin/node', '/usr/bin/icepkg', ...args];
  return execFileSync(program, words, { encoding: 'utf8' });
}

describe.runIf(process.env['ICEPKG_ALL_RECIPES'] === '1').each(['x86_64', 'aarch64'] as const)(
  'on %s',
  (arch) => {
    test('icepkg runs and installs', { timeout: 3_600_000 }, async () => {
      const output = path.join(folder, 'packages');
      const built = await buildRecipes(collectionRequest(RECIPES, arch, output));
      const files = built.flatMap(({ packages }) => packages.filter(({ role }) => role === 'main'));
      const paths = files.filter(({ name }) => name !== 'lua').map(({ file }) => path.join(output, file));
      const root = path.join(folder, arch);
      icepkg('init', '--root', root, '--arch', arch);
      icepkg('install', '--root', root, '--yes', '--allow-untrusted', ...paths);
      // Places for what the test shows to the root.
      for (const place of ['mnt', 'opt', 'dev', 'proc', 'tmp'])
        fs.mkdirSync(path.join(root, place), { recursive: true });
      fs.writeFileSync(path.join(root, 'opt/qemu'), '');
      expect(inside(root, arch, '--version')).toBe('icepkg 0.1.0\n');
      const lua = files.find(({ name }) => name === 'lua')?.file ?? '';
      // Under qemu-user no program starts another one.
      const words = [
        'install',
        `/mnt/${lua}`,
        '--yes',
        '--allow-untrusted',
        ...(arch === 'aarch64' ? ['--no-sync'] : []),
      ];
      inside(root, arch, ...words);
      expect(fs.existsSync(path.join(root, 'usr/bin/lua'))).toBe(true);
      inside(root, arch, 'verify');
    });
  },
);
