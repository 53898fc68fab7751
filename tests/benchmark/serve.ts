/**
 * Package files served by icepkg and by nginx from the same tree, asked by wrk, taking turns; then the same of icepkg while
 * slow clients hold connections open. Prints medians and the ratio of each pair. docs/benchmarks.md says more.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { generateKey } from '#schema/keys';
import { initRepository, sameKeys } from '#repo-server/init';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '64' },
    slow: { type: 'string', default: '2000' },
    directory: { type: 'string', default: tmpdir() },
    program: { type: 'string', default: resolve(import.meta.dirname, '../../cli/bin/icepkg.js') },
  },
});
const KIB = 1024;
/** Names and sizes of what is asked for, and how many there are of each. */
const CLASSES = [
  { name: 'small', size: 20 * KIB, files: 200 },
  { name: 'medium', size: 1024 * KIB, files: 40 },
  { name: 'large', size: 32 * 1024 * KIB, files: 4 },
] as const;
type ClassName = (typeof CLASSES)[number]['name'];

interface Result {
  readonly requests: number;
  readonly megabytes: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Processor time of the server, in milliseconds a request. */
  readonly processor: number;
}
interface Server {
  readonly url: string;
  readonly child: ChildProcess;
}

const ENV = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };
const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

async function makeTree(repository: string): Promise<void> {
  const key = generateKey();
  await initRepository(repository, { name: 'bench', roles: sameKeys([key.public]), keys: [key] });
  mkdirSync(join(repository, 'packages/x86_64'), { recursive: true });
  for (const { name, size, files } of CLASSES)
    for (let index = 0; index < files; index++)
      writeFileSync(join(repository, pathOf(name, index)), randomFillSync(Buffer.alloc(size)));
}

const pathOf = (name: string, index: number): string =>
  `packages/x86_64/${name}-1.0.${index}-r0.x86_64.icepkg`;

function writeScript(work: string, { name, files }: (typeof CLASSES)[number]): void {
  const paths = Array.from({ length: files }, (_, index) => `"/${pathOf(name, index)}"`);
  writeFileSync(
    join(work, `${name}.lua`),
    `local paths = { ${paths.join(', ')} }\nlocal at = 0\nfunction request()\n  at = at % #paths + 1\n  return wrk.format("GET", paths[at])\nend\n`,
  );
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}

async function started(child: ChildProcess, port: number): Promise<Server> {
  const url = `http://127.0.0.1:${port}`;
  while (
    !(await fetch(`${url}/repository.json`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error('a server ended');
    await new Promise((done) => setTimeout(done, 100));
  }
  return { url, child };
}

async function startIcepkg(repository: string): Promise<Server> {
  const port = await freePort();
  const words = [values.program, 'repo', 'serve', repository, '--port', String(port)];
  return started(spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] }), port);
}

/** As many workers as processors; two open files for each client, as icepkg. */
async function startNginx(repository: string, work: string): Promise<Server> {
  const port = await freePort();
  const manual = readFileSync(join(import.meta.dirname, '../../docs/mirror-operators.md'), 'utf8');
  const server = (/```nginx\n(.*?)```/s.exec(manual)?.[1] ?? '')
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace('root /srv/packages;', `root ${repository};`);
  const config = [
    process.getuid?.() === 0 ? 'user root;' : '',
    `pid ${work}/pid; error_log stderr; daemon off; worker_processes auto;`,
    'events { worker_connections 4096; }',
    `http { access_log off; sendfile on; tcp_nopush on; ${server} }`,
  ];
  writeFileSync(join(work, 'nginx.conf'), config.join('\n'));
  const words = ['-p', work, '-c', join(work, 'nginx.conf'), '-e', 'stderr'];
  return started(spawn('nginx', words, { env: ENV, stdio: ['ignore', 'ignore', 'inherit'] }), port);
}

function wrk({ url, child }: Server, work: string, name: ClassName): Result {
  const before = processorTime(child.pid ?? 0);
  const words = [
    '-t',
    '2',
    '-c',
    values.connections,
    '-d',
    `${values.seconds}s`,
    '--timeout',
    '30s',
    '--latency',
  ];
  const text = execFileSync('wrk', [...words, '-s', join(work, `${name}.lua`), url], { encoding: 'utf8' });
  const number = (pattern: RegExp): readonly [number, string] => {
    const [, value = 'NaN', unit = ''] = pattern.exec(text) ?? [];
    return [Number(value), unit];
  };
  const [answered] = number(/(\d+) requests in/);
  const [latency, unit] = number(/99%\s+([\d.]+)(us|ms|s|m)\b/);
  const [rate, size] = number(/Transfer\/sec:\s+([\d.]+)([KMG]?B)/);
  if (/Non-2xx|Socket errors/.test(text))
    console.log(`  ${/.*(?:Non-2xx|Socket errors).*/.exec(text)?.[0] ?? ''}`);
  return {
    requests: number(/Requests\/sec:\s+([\d.]+)/)[0],
    megabytes: rate * ({ B: 1e-6, KB: KIB / 1e6, MB: KIB ** 2 / 1e6, GB: KIB ** 3 / 1e6 }[size] ?? 1),
    processor: (processorTime(child.pid ?? 0) - before) / answered,
    p99: latency * ({ us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit] ?? 1),
  };
}

/** Of a process and its children, user and system, in milliseconds; the kernel counts in hundredths of a second. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) * 10;
  return childrenOf(pid).reduce((sum, child) => sum + processorTime(child), own);
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

/** Peak memory of a process and its children, in MB. */
function memory(pid: number): number {
  const own = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return childrenOf(pid).reduce((sum, child) => sum + memory(child), Number(own) / 1000);
}

/** Clients that ask for a large file and take next to nothing of it. */
async function holdOpen(url: string, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index++) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    await new Promise<void>((done) => {
      socket.once('close', () => done());
      socket.once('data', () => {
        socket.pause();
        done();
      });
      socket.write(`GET /${pathOf('large', index % 4)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
    sockets.push(socket);
  }
  return sockets;
}

const stop = async ({ child }: Server): Promise<void> => {
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
};

const row = (cells: readonly (string | number)[]): void =>
  console.log(cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(2) : cell).padEnd(14)).join(''));

async function compare(repository: string, work: string): Promise<void> {
  row(['files', 'server', 'requests/s', 'MB/s', 'p99 ms', 'CPU ms', 'peak MB']);
  for (const { name } of CLASSES) {
    const [icepkg, nginx] = [await startIcepkg(repository), await startNginx(repository, work)];
    for (const server of [icepkg, nginx]) wrk(server, work, name);
    const pairs: (readonly [Result, Result])[] = [];
    for (let pair = 0; pair < Number(values.pairs); pair++)
      pairs.push([wrk(icepkg, work, name), wrk(nginx, work, name)]);
    const memories = [icepkg, nginx].map(({ child }) => memory(child.pid ?? 0));
    for (const [at, server] of (['icepkg', 'nginx'] as const).entries()) {
      const of = (key: keyof Result): number => median(pairs.map((pair) => pair[at as 0 | 1][key]));
      row([name, server, of('requests'), of('megabytes'), of('p99'), of('processor'), memories[at] ?? 0]);
    }
    const ratio = (key: keyof Result): number => median(pairs.map(([own, other]) => own[key] / other[key]));
    row([
      name,
      'ratio',
      ratio('requests'),
      ratio('megabytes'),
      ratio('p99'),
      ratio('processor'),
      (memories[0] ?? 0) / (memories[1] ?? 1),
    ]);
    await Promise.all([stop(icepkg), stop(nginx)]);
  }
}

async function withSlowClients(repository: string, work: string): Promise<void> {
  const server = await startIcepkg(repository);
  wrk(server, work, 'small');
  const before = wrk(server, work, 'small');
  const slow = await holdOpen(server.url, Number(values.slow));
  const during = wrk(server, work, 'small');
  const held = slow.filter((socket) => !socket.destroyed).length;
  console.log(`\n${held} of ${values.slow} slow clients were held open`);
  row(['small', 'without', before.requests, before.megabytes, before.p99, before.processor]);
  row([
    'small',
    'with',
    during.requests,
    during.megabytes,
    during.p99,
    during.processor,
    memory(server.child.pid ?? 0),
  ]);
  for (const socket of slow) socket.destroy();
  await stop(server);
}

for (const tool of ['wrk', 'nginx'])
  if (spawnSync(tool, ['-v'], { env: ENV }).error !== undefined) throw new Error(`${tool} is not installed`);
const work = mkdtempSync(join(values.directory, 'icepkg-serve-'));
try {
  const repository = join(work, 'repository');
  await makeTree(repository);
  for (const of of CLASSES) writeScript(work, of);
  console.log(
    `${readdirSync(join(repository, 'packages/x86_64')).length} files; load ${readFileSync('/proc/loadavg', 'utf8').trim()}`,
  );
  await compare(repository, work);
  await withSlowClients(repository, work);
  console.log(`load ${readFileSync('/proc/loadavg', 'utf8').trim()}`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
