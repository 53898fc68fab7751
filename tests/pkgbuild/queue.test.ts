/** Builds by workers, over a real Redis server on loopback. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadIndexes } from '#engine/client/load-indexes';
import { buildOnQueue, type QueuedBuild } from '#pkgbuild/queue/submit';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { createToken } from '#repo-server/tokens';
import { encodePrivateKey, encodePublicKey } from '#schema/keys';
import { program } from '../cli/icepkg.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedis) console.warn('tests of build workers are left out: install redis-server');
const withRedis = test.skipIf(!hasRedis);

let depot: Depot;
let repository: RepositoryServer;
let queue: string;
let children: ChildProcess[];
beforeEach(async () => {
  if (!hasRedis) return;
  children = [];
  depot = await makeDepot();
  fs.mkdirSync(path.join(depot.repository, '.icepkg/upload-keys'));
  fs.writeFileSync(
    path.join(depot.repository, '.icepkg/upload-keys/packager.pub'),
    encodePublicKey(depot.key.public),
  );
  fs.writeFileSync(path.join(depot.folder, 'packager.key'), encodePrivateKey(depot.key));
  await depot.publish({ name: 'first' });
  const { token } = await createToken(depot.repository, {
    name: 'worker',
    scopes: ['upload:stable', 'publish:stable'],
  });
  fs.writeFileSync(path.join(depot.folder, 'token'), `${token}\n`);
  repository = await serve(depot.repository, { keys: [depot.key] });
  queue = await startRedis();
});
afterEach(async () => {
  if (!hasRedis) return;
  for (const child of children.filter(
    ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
  )) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await repository.close();
  depot.dispose();
});

async function startRedis(): Promise<string> {
  const finder = createServer().listen(0, '127.0.0.1');
  await once(finder, 'listening');
  const { port } = finder.address() as AddressInfo;
  finder.close();
  const options = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', depot.folder];
  const redis = spawn('redis-server', ['--port', String(port), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(redis);
  for await (const line of createInterface(redis.stdout)) if (/Ready to accept connections/.test(line)) break;
  return `redis://127.0.0.1:${port}`;
}

/** Declares a recipe that needs no compiler. */
function recipe(name: string, install: string, more = ''): void {
  const home = path.join(depot.folder, 'recipes', name);
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(
    path.join(home, 'recipe.yaml'),
    `name: ${name}\nversion: "1.0.0"\nlicense: MIT\narch: noarch\nsources: [{path: text}]\n${more}install: |\n  ${install}\n`,
  );
  fs.writeFileSync(path.join(home, 'text'), `${name}\n`);
}
const INSTALL = 'install -Dm644 text "$DESTDIR/usr/share/$PACKAGE_NAME"';

/** A worker in a process of its own, once it waits for jobs. */
async function startWorker(name: string): Promise<ChildProcess> {
  const words = ['worker', '--queue', queue, '--name', name, '--lease', '5', '--publish'];
  const flags = ['--repository', repository.url, '--token', path.join(depot.folder, 'token')];
  const places = ['--key', path.join(depot.folder, 'packager.key'), '--cache', path.join(depot.folder, name)];
  const child = spawn(process.execPath, program(...words, ...flags, ...places), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for await (const line of createInterface(child.stdout)) if (line.includes('waits for jobs')) break;
  return child;
}

interface Submitted {
  readonly steps: string[];
  readonly built: Promise<QueuedBuild[]>;
}

function submit(...recipes: readonly string[]): Submitted {
  const steps: string[] = [];
  const built = buildOnQueue({
    queue,
    recipes,
    arch: 'x86_64',
    roots: [path.join(depot.folder, 'recipes')],
    codec: 'zstd',
    check: true,
    onStep: ({ worker, recipe: name, phase }) => steps.push(`${worker}: ${name} ${phase}`),
  });
  return { steps, built };
}

const offered = async (): Promise<string[]> =>
  (await loadIndexes(depot.root(), { refresh: 'force' })).map(({ record }) => record.name).sort();

withRedis('a worker builds what is asked for, with what that needs, and publishes it', async () => {
  recipe('tool', INSTALL.replace('$PACKAGE_NAME', 'tool'));
  recipe('hello', INSTALL.replace('$PACKAGE_NAME', 'hello'), 'buildDepends: [tool]\n');
  const worker = await startWorker('one');
  const { built, steps } = submit('hello');
  expect(await built).toMatchObject([
    {
      recipe: 'hello',
      answer: {
        state: 'built',
        worker: 'one',
        packages: [{ file: 'tool-1.0.0-r0.noarch.icepkg' }, { file: 'hello-1.0.0-r0.noarch.icepkg' }],
      },
    },
  ]);
  expect(steps.length).toBeGreaterThan(0);
  expect(await offered()).toEqual(['first', 'hello', 'tool']);
  const page = await (await fetch(`${repository.url}/package/hello`)).text();
  expect(page).toMatch(/Built by <code>urn:icepkg:builder<\/code>, signed with key/);
  worker.kill('SIGTERM');
  expect(await once(worker, 'exit')).toEqual([0, null]);
});

withRedis('a worker that is killed loses no job: another one finishes it', async () => {
  recipe('slow', `sleep 4; ${INSTALL.replace('$PACKAGE_NAME', 'slow')}`);
  recipe('next', INSTALL.replace('$PACKAGE_NAME', 'next'));
  const first = await startWorker('first');
  const { built, steps } = submit('slow', 'next');
  while (!steps.some((step) => step.startsWith('first: slow'))) await sleep(50);
  first.kill('SIGKILL');
  await once(first, 'exit');
  await startWorker('second');
  expect(await built).toMatchObject([
    { recipe: 'slow', answer: { state: 'built', worker: 'second' } },
    { recipe: 'next', answer: { state: 'built', worker: 'second' } },
  ]);
  expect(await offered()).toEqual(['first', 'next', 'slow']);
});

withRedis('a build that fails ends the command with the end of its log, and others go on', async () => {
  recipe('broken', 'echo so it goes; exit 3');
  recipe('fine', INSTALL.replace('$PACKAGE_NAME', 'fine'));
  await startWorker('one');
  const words = ['build', 'broken', 'fine', '--queue', queue, '--arch', 'x86_64'];
  const child = spawn(process.execPath, program(...words, '--recipes', path.join(depot.folder, 'recipes')), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (part: Buffer) => (output.stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (output.stderr += part.toString()));
  expect(await once(child, 'close')).toEqual([17, null]);
  expect(output.stderr).toMatch(/broken failed on one: broken [^]*so it goes/);
  expect(output.stderr).toMatch(/1 of 2 recipes failed: broken/);
  expect(output.stdout).toContain('fine-1.0.0-r0.noarch.icepkg');
  expect(await offered()).toEqual(['fine', 'first']);
});

withRedis('a queue that does not answer, and what is none, are named', async () => {
  recipe('hello', INSTALL);
  queue = 'redis://user:secret@127.0.0.1:1';
  await expect(submit('hello').built).rejects.toMatchObject({
    code: 'network-failed',
    message: 'the queue at redis://127.0.0.1:1 does not answer',
  });
  queue = 'redis://user:sec/r@et@127.0.0.1:1';
  await expect(submit('hello').built).rejects.toThrow(/^(?!.*(?:sec|et@))/);
  queue = 'http://user:secret@127.0.0.1:1';
  await expect(submit('hello').built).rejects.toMatchObject({
    code: 'usage',
    message: expect.not.stringContaining('secret'),
  });
});

withRedis('what a symlink beside a recipe leads to outside of its folder is not sent away', async () => {
  recipe('hello', INSTALL);
  fs.symlinkSync(path.join(depot.folder, 'token'), path.join(depot.folder, 'recipes/hello/notes'));
  await expect(submit('hello').built).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('hello takes notes'),
  });
});
