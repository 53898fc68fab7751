/** The real program, killed at random moments of every kind of change: the root is the old one or the new one. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { verify } from '#engine/queries/verify';
import { recoverRoot } from '#engine/recover';
import { openStore } from '#engine/store/store';
import { program } from '../cli/icepkg.ts';
import { makeDepot, type DeclaredEntry, type Depot } from '../support/repository.ts';
import { removeRoot, snapshot } from './fixture.ts';

/** Raise it to search for longer: `ICEPKG_KILLS=200 npx vitest run tests/transaction/kill-cli.test.ts`. */
const KILLS = Number(process.env['ICEPKG_KILLS'] ?? 6);
const SEED = Number(process.env['ICEPKG_SEED'] ?? 1);
const FILES = 150;

let depot: Depot;
/** What each change starts from. */
const origins = new Map<string, string>();
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(...packages(1));
  const { root } = depot.root();
  // A killed process loses nothing that it wrote, flushed or not.
  writeFileSync(join(root, 'etc/icepkg/icepkg.toml'), 'sync = false\n');
  run(root, 'update');
  origins.set('install', copyOf(root, 'empty'));
  run(root, 'install', 'app', 'tool', '--yes');
  writeFileSync(join(root, 'etc/app.conf'), 'changed by the operator');
  origins.set('remove', copyOf(root, 'first'));
  await depot.publish(...packages(2));
  run(root, 'update');
  origins.set('upgrade', copyOf(root, 'stale'));
  run(root, 'upgrade', '--yes');
  origins.set('rollback', root);
});
afterAll(() => depot.dispose());

/** The second versions change, add, drop and swap the kinds of files, and one file moves between packages. */
function packages(version: 1 | 2) {
  const files = (name: string): Record<string, DeclaredEntry> =>
    Object.fromEntries(
      Array.from({ length: FILES }, (_, i): [string, string] => [
        `usr/share/${name}/${i % 7}/${version === 2 && i % 11 === 0 ? 'moved' : 'file'}-${i}`,
        `${name} ${i % 3 === 0 ? version : 0} ${i}`,
      ]),
    );
  const swaps: readonly Record<string, DeclaredEntry>[] = [
    { 'usr/lib/swap/inside': 'in a directory', 'usr/lib/file': 'a file', 'usr/lib/link': { link: 'file' } },
    { 'usr/lib/swap': { link: 'file' }, 'usr/lib/file/inside': 'in a directory', 'usr/lib/link': 'a file' },
  ];
  return [
    {
      name: 'app',
      version: `${version}.0.0-r0`,
      depends: ['lib'],
      files: {
        ...files('app'),
        ...swaps[version - 1],
        'etc/app.conf': { text: `version = ${version}`, config: true as const },
        ...(version === 1 ? { 'usr/bin/wanders': 'one' } : {}),
      },
    },
    { name: 'lib', version: `${version}.0.0-r0`, files: files('lib') },
    {
      name: 'tool',
      version: `${version}.0.0-r0`,
      files: { ...files('tool'), ...(version === 2 ? { 'usr/bin/wanders': 'two' } : {}) },
    },
  ];
}

const words = (root: string, ...command: readonly string[]): string[] =>
  program(...command, '--root', root, '--quiet');

function run(root: string, ...command: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, words(root, ...command), { encoding: 'utf8' });
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
}

function copyOf(root: string, name: string): string {
  const copy = join(depot.folder, name);
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** Kills the program `delay` milliseconds after it began to write, or after its start. */
async function runAndKill(
  root: string,
  command: readonly string[],
  { from, delay }: { readonly from: 'start' | 'stage'; readonly delay: number },
): Promise<boolean> {
  const child = spawn(process.execPath, words(root, ...command), { stdio: 'ignore' });
  const ended = new Promise<boolean>((resolve) => {
    child.on('exit', (_, signal) => resolve(signal === 'SIGKILL'));
  });
  const stage = join(root, 'var/lib/ice-pkg/stage');
  if (from === 'stage') while (child.exitCode === null && !existsSync(stage)) await setImmediate();
  if (delay > 0) await setTimeout(delay);
  child.kill('SIGKILL');
  return ended;
}

/** Milliseconds of a whole run, and of the part of it that writes. */
async function timesOf(root: string, command: readonly string[]): Promise<Record<'start' | 'stage', number>> {
  const begun = performance.now();
  const child = spawn(process.execPath, words(root, ...command), { stdio: 'ignore' });
  let writes = begun;
  while (child.exitCode === null && child.signalCode === null) {
    if (writes === begun && existsSync(join(root, 'var/lib/ice-pkg/stage'))) writes = performance.now();
    await setImmediate();
  }
  expect(child.exitCode).toBe(0);
  const now = performance.now();
  return { start: now - begun, stage: now - writes };
}

function stateOf(root: string): unknown {
  const store = openStore(root, { mode: 'read' });
  try {
    return {
      tree: Object.entries(snapshot(root)).filter(([path]) => !path.startsWith('var/cache')),
      installed: store.installedPackages(),
      files: store.allFiles(),
      world: store.world(),
    };
  } finally {
    store.close();
  }
}

/** The same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const CHANGES: readonly (readonly [string, readonly string[]])[] = [
  ['install', ['install', 'app', 'tool', '--yes']],
  ['upgrade', ['upgrade', '--yes']],
  ['remove', ['remove', 'app', '--yes']],
  ['rollback', ['rollback', '--yes']],
];

it.each(CHANGES)('%s', async (name, command) => {
  const origin = origins.get(name) ?? '';
  const old = stateOf(origin);
  const finished = copyOf(origin, `${name}-finished`);
  const times = await timesOf(finished, command);
  const fresh = stateOf(finished);
  expect(fresh).not.toEqual(old);
  const next = random(SEED);
  let killed = 0;
  for (let round = 1; round <= KILLS; round++) {
    const root = copyOf(origin, `${name}-${round}`);
    const from = round % 4 === 0 ? 'start' : 'stage';
    const delay = Math.floor(next() * times[from]);
    if (await runAndKill(root, command, { from, delay })) killed += 1;
    const { message } = recoverRoot({ root, sync: false, onProgress: () => undefined });
    const what = `killed ${delay} ms after ${from} (${message ?? 'nothing to recover'})`;
    const found = stateOf(root);
    expect([old, fresh], what).toContainEqual(found);
    expect(verify(root, []).problems, what).toEqual([]);
    if (round === 1) run(root, 'upgrade', '--yes');
    removeRoot(root);
  }
  expect(killed).toBeGreaterThan(0);
});
