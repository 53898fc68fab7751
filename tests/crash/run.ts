/**
 * Publishes, collects, mirrors and serves with the real program, kills it at a random moment, again and again, and looks
 * each time at everything: that no state is torn, that no package is lost, and that the next command goes on.
 *
 *   npm run test:crash -- --kills 100 --seed 1
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { encodePrivateKey, encodePublicKey } from '#schema/keys';
import { loadIndexes } from '#engine/client/load-indexes';
import type { EngineContext } from '#engine/context';
import { addPackages, removePackages } from '#repo-server/add';
import { createToken } from '#repo-server/tokens';
import { publish } from '#repo-server/publish';
import { verifyRepository } from '#repo-server/verify';
import { makeDepot, type Depot } from '../support/repository.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    program: { type: 'string', default: resolve(import.meta.dirname, '../../cli/bin/icepkg.js') },
  },
});

/** Numbers between 0 and 1 that a seed repeats (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
const random = randomOf(Number(values.seed));

interface Bench {
  readonly depot: Depot;
  readonly key: string;
  readonly trust: string;
  readonly mirror: string;
  readonly token: string;
  readonly client: EngineContext;
  readonly mirrorClient: EngineContext;
  /** Packages that must be offered, by `NAME-VERSION`. */
  readonly published: Set<string>;
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const start = (...words: readonly string[]): ChildProcess =>
  spawn(process.execPath, [values.program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });

/** How long each kind of run takes that nobody kills, in milliseconds. */
const durations = new Map<string, number>();

/** Runs the program and kills it somewhere on its way; true where it was killed before its end. */
async function killed(kind: string, ...words: readonly string[]): Promise<boolean> {
  const typical = durations.get(kind) ?? 0;
  const started = performance.now();
  const child = start(...words);
  let errors = '';
  child.stderr?.on('data', (part: Buffer) => (errors += part.toString()));
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  if (typical > 0)
    void sleep(random() * typical, undefined, { ref: false }).then(() => child.kill('SIGKILL'));
  const [status, signal] = await ended;
  if (signal !== null) return true;
  check(status === 0, `${kind} ended with ${status}: ${errors}`);
  durations.set(kind, performance.now() - started);
  return false;
}

const offered = async (context: EngineContext): Promise<string[]> =>
  (await loadIndexes(context, { refresh: 'force' }))
    .map(({ record }) => `${record.name}-${record.version}`)
    .sort();

async function checkWhole(folder: string): Promise<void> {
  const { problems } = await verifyRepository(folder);
  check(problems.length === 0, `${folder}: ${problems.join('; ')}`);
}

const unchanged = (found: readonly string[], before: Iterable<string>): boolean =>
  isDeepStrictEqual(found, [...before].sort());

/** Adds, kills a publish, and sees the old state or the new one; the next publish makes it the new one. */
async function killPublish(bench: Bench, round: number): Promise<boolean> {
  const { depot, published } = bench;
  const name = `p${round}`;
  await addPackages(depot.repository, await depot.pack({ name, files: { [`usr/${name}`]: name } }));
  const was = await killed('publish', 'repo', 'publish', depot.repository, '--key', bench.key, '--quiet');
  await checkWhole(depot.repository);
  const found = await offered(bench.client);
  const after = [...published, `${name}-1.0.0-r0`];
  check(unchanged(found, published) || unchanged(found, after), `after a publish: ${found.join(' ')}`);
  await publish(depot.repository, { keys: [depot.key] });
  published.add(`${name}-1.0.0-r0`);
  check(unchanged(await offered(bench.client), published), 'the next publish lost something');
  return was;
}

/** Takes a package away so that something can be collected. */
async function killCollect(bench: Bench): Promise<boolean> {
  const { depot, published } = bench;
  const [oldest = ''] = published;
  if (published.size > 3) {
    await removePackages(depot.repository, [oldest]);
    await publish(depot.repository, { keys: [depot.key] });
    published.delete(oldest);
  }
  const words = [
    'repo',
    'gc',
    depot.repository,
    '--keep',
    '1',
    '--keep-days',
    '0',
    '--grace',
    '0',
    '--quiet',
  ];
  const was = await killed('gc', ...words);
  await checkWhole(depot.repository);
  check(unchanged(await offered(bench.client), published), 'a collection lost something');
  return was;
}

const mirrorOnce = ({ depot, mirror, trust }: Pick<Bench, 'depot' | 'mirror' | 'trust'>): Promise<boolean> =>
  killed('mirror', 'repo', 'mirror', depot.repository, mirror, '--trust', trust, '--quiet');

/** Clients of the mirror see the state before or the one that is mirrored. */
async function killMirror(bench: Bench): Promise<boolean> {
  const { mirror } = bench;
  const before = await offered(bench.mirrorClient);
  const was = await mirrorOnce(bench);
  await checkWhole(mirror);
  const found = await offered(bench.mirrorClient);
  check(unchanged(found, before) || unchanged(found, bench.published), `the mirror has ${found.join(' ')}`);
  return was;
}

/** Uploads to a server that is killed meanwhile: what it confirmed is there, and what it did not is there or not. */
async function killServe(bench: Bench, round: number): Promise<boolean> {
  const { depot, published } = bench;
  const name = `u${round}`;
  const [file = ''] = await depot.pack({ name, files: { [`usr/${name}`]: name.repeat(50_000) } });
  const child = start('repo', 'serve', depot.repository, '--port', '0', '--key', bench.key, '--json');
  const ended = once(child, 'close');
  const output = child.stdout;
  check(output !== null, 'no output');
  const [line] = (await once(createInterface(output), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  const typical = durations.get('serve') ?? 0;
  if (typical > 0) void sleep(random() * typical).then(() => child.kill('SIGKILL'));
  const started = performance.now();
  const confirmed = await upload(url, bench.token, file);
  if (confirmed) durations.set('serve', performance.now() - started);
  child.kill('SIGKILL');
  await ended;
  await checkWhole(depot.repository);
  const found = await offered(bench.client);
  const after = [...published, `${name}-1.0.0-r0`];
  check(
    unchanged(found, after) || (!confirmed && unchanged(found, published)),
    `after an upload (${confirmed ? 'confirmed' : 'not confirmed'}): ${found.join(' ')}`,
  );
  // What was taken in and not published yet is in the next publish.
  await publish(depot.repository, { keys: [depot.key] });
  const later = await offered(bench.client);
  check(unchanged(later, after) || unchanged(later, published), 'an upload took something away');
  for (const one of later) published.add(one);
  return !confirmed;
}

/** Uploads and publishes; false where the server went away meanwhile. */
async function upload(url: string, token: string, file: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' };
  try {
    for (const [path, body] of [['packages', readFileSync(file)], ['publish']] as const) {
      const answer = await fetch(new URL(`/api/v1/${path}`, url), {
        method: 'POST',
        headers,
        ...(body && { body }),
      });
      check(answer.ok, `${path}: ${answer.status} ${await answer.text()}`);
    }
    return true;
  } catch (error) {
    // That is how fetch tells that the connection ended.
    if (error instanceof TypeError) return false;
    throw error;
  }
}

async function makeBench(): Promise<Bench> {
  const depot = await makeDepot();
  const key = join(depot.folder, 'publisher.key');
  const trust = depot.trustedRoot;
  writeFileSync(key, encodePrivateKey(depot.key));
  await depot.publish({ name: 'first' });
  const uploadKeys = join(depot.repository, '.icepkg/upload-keys');
  mkdirSync(uploadKeys, { recursive: true });
  writeFileSync(join(uploadKeys, 'packager.pub'), encodePublicKey(depot.key.public));
  const scopes = ['upload:stable', 'publish:stable'];
  const { token } = await createToken(depot.repository, { name: 'crash', scopes });
  const mirror = join(depot.folder, 'mirror');
  const bench = {
    depot,
    key,
    trust,
    mirror,
    token,
    client: depot.root(),
    published: new Set(['first-1.0.0-r0']),
  };
  await mirrorOnce({ depot, mirror, trust });
  const mirrorClient = depot.root({ mirror });
  return { ...bench, mirrorClient };
}

const bench = await makeBench();
const tally = new Map<string, { kills: number; runs: number }>();
const operations = { publish: killPublish, gc: killCollect, mirror: killMirror, serve: killServe } as const;
console.log(`seed ${values.seed}`);
try {
  for (let kills = 0, round = 0; kills < Number(values.kills); round++) {
    for (const [kind, operation] of Object.entries(operations)) {
      const was = await operation(bench, round).catch((cause: unknown) => {
        throw new Error(`${kind}, round ${round}, seed ${values.seed}`, { cause });
      });
      const known = tally.get(kind) ?? { kills: 0, runs: 0 };
      tally.set(kind, { kills: known.kills + Number(was), runs: known.runs + 1 });
      kills += Number(was);
    }
  }
  for (const [kind, { kills, runs }] of tally) console.log(`${kind}: killed in ${kills} of ${runs} runs`);
  console.log('no torn state, no lost package');
} finally {
  rmSync(bench.depot.folder, { recursive: true, force: true });
}
