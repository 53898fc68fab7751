/** A real PostgreSQL server on loopback, of Debian's package, as whoever runs the tests; root lends it another user. */
import { spawn, spawnSync, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Postgres {
  readonly url: string;
  stop(): Promise<void>;
}

const TOP = '/usr/lib/postgresql';
const programs = existsSync(TOP)
  ? readdirSync(TOP)
      .map((version) => join(TOP, version, 'bin'))
      .find((folder) => existsSync(join(folder, 'initdb')))
  : undefined;

/** `npm run test:stores` asks for it; tests/setup.sh leaves Debian's package postgresql to whoever wants this. */
export const wantsPostgres = process.env['ICEPKG_POSTGRES'] === '1';

/** It refuses to run as root. */
const NOBODY = 65534;
const user: SpawnOptions = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

export async function startPostgres(): Promise<Postgres> {
  if (programs === undefined) throw new Error(`no PostgreSQL below ${TOP}: install postgresql`);
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-postgres-'));
  if (user.uid !== undefined) chownSync(folder, NOBODY, NOBODY);
  const program = (name: string): string => join(programs, name);
  const data = join(folder, 'data');
  const options = { ...user, cwd: folder, env: { LC_ALL: 'C' } };
  const words = ['-D', data, '-U', 'publisher', '-A', 'trust', '--no-sync', '-E', 'UTF8'];
  const made = spawnSync(program('initdb'), words, { ...options, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', `port=${port}`, 'fsync=off'];
  const server = spawn(program('postgres'), ['-D', data, ...settings.flatMap((one) => ['-c', one])], {
    ...options,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stop = async (): Promise<void> => {
    const ended = once(server, 'exit');
    // Of the three ways down this one ends open sessions.
    if (server.exitCode === null && server.kill('SIGINT')) await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for await (const line of createInterface(server.stderr))
    if (line.includes('ready to accept connections')) break;
  server.stderr.resume();
  return { url: `postgresql://publisher@127.0.0.1:${port}/postgres`, stop };
}

async function freePort(): Promise<number> {
  const finder = createServer().listen(0, '127.0.0.1');
  await once(finder, 'listening');
  const { port } = finder.address() as AddressInfo;
  finder.close();
  return port;
}
