/**
 * An index of 60,000 packages, shaped after Debian's: what publishing, following and using it costs, with the real
 * program and server, beside apt with the same packages. docs/benchmarks.md says more.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { writePackage, type PackageMetadata } from '#schema/container/write';
import { addPackages } from '#repo-server/add';
import { initRepository, sameKeys } from '#repo-server/init';
import { generateKeyFiles, readKeyFile } from '#repo-server/key-files';
import { publish } from '#repo-server/publish';
import { debianPackages, type ShapedPackage } from './debian-packages.ts';

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: '60000' },
    runs: { type: 'string', default: '3' },
    parts: { type: 'string', default: 'icepkg,apt' },
    directory: { type: 'string', default: join(tmpdir(), 'icepkg-benchmark-index') },
    program: { type: 'string', default: resolve(import.meta.dirname, '../../cli/bin/icepkg.js') },
  },
});
const work = resolve(values.directory);
const runs = Number(values.runs);
const repository = join(work, 'repository');
const key = join(work, 'key');
const CHANGED = 50;
const REQUESTED = 250;

interface Sample {
  readonly seconds: number;
  /** Of all threads, user and system: what remains comparable on a machine that is busy. */
  readonly processor: number;
  readonly megabytes: number;
  readonly output: string;
}

/** Wall time, processor time and peak resident memory of one command. */
function measure(command: readonly string[]): Sample {
  const report = join(work, 'time.txt');
  const started = process.hrtime.bigint();
  const result = spawnSync('/usr/bin/time', ['-f', '%U %S %M', '-o', report, ...command], {
    cwd: work,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (result.status !== 0)
    throw new Error(`${command.slice(0, 8).join(' ')}\n${result.stderr.slice(0, 3000)}`);
  const [user = NaN, system = NaN, kilobytes = NaN] = readFileSync(report, 'utf8').split(' ').map(Number);
  return { seconds, processor: user + system, megabytes: kilobytes / 1000, output: result.stdout };
}

const icepkg = (...words: readonly string[]): readonly string[] => [
  process.execPath,
  values.program,
  ...words,
];

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[(numbers.length - 1) >> 1] ?? NaN;

/** Prints a line for something that was done `times` times, with medians. */
function report(label: string, samples: readonly Sample[], more = ''): void {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick));
  const figures = [
    `${of(({ seconds }) => seconds).toFixed(2)} s`,
    `processor ${of(({ processor }) => processor).toFixed(2)} s`,
    `${of(({ megabytes }) => megabytes).toFixed(0)} MB`,
  ];
  console.log(`${label.padEnd(44)} ${figures.join(', ')}${more === '' ? '' : `, ${more}`}`);
}

const repeated = (command: readonly string[]): Sample[] =>
  Array.from({ length: runs }, () => measure(command));

async function pack(metadata: PackageMetadata): Promise<string> {
  const folder = ['usr', 'usr/share', 'usr/share/doc', `usr/share/doc/${metadata.name}`];
  const output = join(work, 'packed', `${metadata.name}-${metadata.version}.${metadata.arch}.icepkg`);
  if (existsSync(output)) return output;
  await writePackage({
    metadata,
    entries: [
      ...folder.map((path) => ({ type: 'directory' as const, path, mode: 0o755 })),
      {
        type: 'file',
        path: `${folder.at(-1) ?? ''}/README`,
        mode: 0o644,
        content: Buffer.from(`${metadata.description ?? ''}\n`),
      },
    ],
    output,
    codec: 'zstd',
    level: 1,
  });
  return output;
}

/** Kept from one run of the benchmark to the next. */
async function prepare(packages: readonly ShapedPackage[]): Promise<void> {
  if (existsSync(join(work, 'prepared'))) return;
  rmSync(repository, { recursive: true, force: true });
  mkdirSync(join(work, 'packed'), { recursive: true });
  console.log(`making ${packages.length} packages`);
  const files: string[] = [];
  for (const { metadata } of packages) files.push(await pack(metadata));
  for (const file of [`${key}.key`, `${key}.pub`]) rmSync(file, { force: true });
  const made = readKeyFile(generateKeyFiles(key).privateKey);
  const { trustedRoot } = await initRepository(repository, {
    name: 'scale',
    roles: sameKeys([made.public]),
    keys: [made],
  });
  console.log('adding and publishing them');
  await addPackages(repository, files);
  await publish(repository, { keys: [made] });
  writeFileSync(join(work, 'prepared'), trustedRoot);
}

interface Server {
  readonly url: string;
  /** Requests since the last call, and the bytes of their answers. */
  readonly traffic: () => string;
  readonly stop: () => Promise<void>;
}

async function serve(): Promise<Server> {
  const log = join(work, 'access.log');
  rmSync(log, { force: true });
  const [program = '', ...words] = icepkg(
    'repo',
    'serve',
    repository,
    '--port',
    '0',
    '--access-log',
    log,
    '--json',
  );
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  let seen = 0;
  const traffic = (): string => {
    // The log is written as answers end, which may be just after the client did.
    execFileSync('sleep', ['0.3']);
    const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').filter(Boolean) : [];
    const fresh = lines.slice(seen).map((one) => JSON.parse(one) as { bytes: number });
    seen = lines.length;
    return `${fresh.length} requests, ${fresh.reduce((sum, { bytes }) => sum + bytes, 0)} bytes`;
  };
  return { url, traffic, stop: async () => void (child.kill(), await once(child, 'exit')) };
}

function makeRoot(name: string, url: string): string {
  const root = join(work, name);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  measure(icepkg('init', '--root', root, '--arch', 'x86_64', '--quiet'));
  const trust = readFileSync(join(work, 'prepared'), 'utf8');
  measure(icepkg('repo', 'attach', 'scale', url, '--trust', trust, '--root', root, '--quiet'));
  return root;
}

/** Packages to ask for together: no package of the sample conflicts with anything. */
function requestedNames(packages: readonly ShapedPackage[]): string[] {
  const digest = (name: string): string => createHash('sha256').update(name).digest('hex');
  return packages
    .filter(
      ({ section, stanza }) =>
        /^(?:utils|text|math|science|games)$/.test(section) && stanza['Conflicts'] === undefined,
    )
    .map(({ metadata }) => metadata.name)
    .sort((a, b) => (digest(a) < digest(b) ? -1 : 1))
    .slice(0, REQUESTED);
}

/** Raises the release of packages, adds and publishes them. */
async function publishNews(packages: readonly ShapedPackage[], round: number): Promise<[Sample, Sample]> {
  const files: string[] = [];
  for (const { metadata } of packages) {
    const version = metadata.version.replace(
      /-r(\d+)$/,
      (_, release: string) => `-r${Number(release) + round}`,
    );
    files.push(await pack({ ...metadata, version }));
  }
  const added = measure(icepkg('repo', 'add', repository, ...files, '--quiet'));
  return [added, measure(icepkg('repo', 'publish', repository, '--key', `${key}.key`, '--quiet'))];
}

function compareApt(packages: readonly ShapedPackage[]): void {
  const folder = join(work, 'apt');
  rmSync(folder, { recursive: true, force: true });
  for (const path of ['repo', 'state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(folder, path), { recursive: true });
  const text = packages
    .map(({ stanza }) =>
      Object.entries(stanza)
        .map(([field, value]) => `${field}: ${value}\n`)
        .join(''),
    )
    .join('\n');
  writeFileSync(join(folder, 'repo/Packages'), text);
  execFileSync('xz', ['-k', join(folder, 'repo/Packages')]);
  rmSync(join(folder, 'repo/Packages'));
  writeFileSync(join(folder, 'sources.list'), `deb [trusted=yes arch=amd64] file:${folder}/repo ./\n`);
  writeFileSync(join(folder, 'status'), '');
  const options = [
    `Dir::State=${folder}/state`,
    `Dir::State::status=${folder}/status`,
    `Dir::Cache=${folder}/cache`,
    // Images of containers turn these off.
    'Dir::Cache::pkgcache=pkgcache.bin',
    'Dir::Cache::srcpkgcache=srcpkgcache.bin',
    `Dir::Etc::SourceList=${folder}/sources.list`,
    'Dir::Etc::SourceParts=/dev/null',
    'APT::Architecture=amd64',
    'APT::Architectures=amd64',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  const cold = measure(['apt-get', ...options, 'update']);
  report(
    'apt-get update (cold, a folder)',
    [cold],
    `${statSync(join(folder, 'repo/Packages.xz')).size} bytes`,
  );
  report('apt-get update (nothing new)', repeated(['apt-get', ...options, 'update']));
  report('apt-cache search compression', repeated(['apt-cache', ...options, 'search', 'compression']));
  report('apt-cache show bash', repeated(['apt-cache', ...options, 'show', 'bash']));
}

const planned = (samples: readonly Sample[], line: RegExp): number =>
  samples[0]?.output.match(line)?.length ?? 0;

async function followAndUse(packages: readonly ShapedPackage[], server: Server): Promise<void> {
  const names = requestedNames(packages);
  server.traffic();
  const root = makeRoot('root', server.url);
  const update = icepkg('update', '--root', root, '--quiet');
  report('update (cold)', [measure(update)], server.traffic());
  report('update (nothing new)', [measure(update)], server.traffic());
  report('search compression', repeated(icepkg('search', 'compression', '--root', root)));
  report('info bash', repeated(icepkg('info', 'bash', '--root', root)));
  const install = icepkg('install', ...names, '--root', root, '--dry-run', '--json');
  const solved = repeated(install);
  report(
    `install --dry-run (${names.length} names)`,
    solved,
    `${planned(solved, /"action": ?"install"/g)} packages`,
  );
  measure(icepkg('install', ...names, '--root', root, '--yes', '--quiet', '--no-sync'));
  server.traffic();
  const news = packages.filter(({ metadata }) => names.includes(metadata.name)).slice(0, CHANGED);
  const first = Number(Date.now().toString().slice(3, -3));
  const added: Sample[] = [];
  const published: Sample[] = [];
  for (let round = 0; round < runs; round++) {
    const [add, publishing] = await publishNews(news, first + round);
    added.push(add);
    published.push(publishing);
    report(`update (after ${CHANGED} packages were published)`, [measure(update)], server.traffic());
  }
  report('upgrade --dry-run', repeated(icepkg('upgrade', '--root', root, '--dry-run', '--json')));
  report(`repo add (${CHANGED} packages)`, added);
  report(`repo publish (${CHANGED} packages)`, published);
}

const packages = debianPackages(Number(values.packages));
if (values.parts.includes('icepkg')) {
  await prepare(packages);
  const server = await serve();
  try {
    await followAndUse(packages, server);
  } finally {
    await server.stop();
  }
  report('repo status', repeated(icepkg('repo', 'status', repository)));
  report('repo gc --dry-run', repeated(icepkg('repo', 'gc', repository, '--dry-run')));
  report('repo verify', [measure(icepkg('repo', 'verify', repository))]);
}
if (values.parts.includes('apt')) compareApt(packages);
