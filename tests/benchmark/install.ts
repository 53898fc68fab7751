/**
 * Installs 100 chained packages (6,000 files, 96 MB) with icepkg and with pacman, taking turns, with the same content
 * and codec, into fresh roots. Prints medians, the ratio of each pair and peak memory. docs/benchmarks.md says more.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writePackage, type PackageEntry } from '#schema/container/write';
import { generateKey } from '#schema/keys';
import { attachRepository } from '#engine/config-attach';
import { initRoot } from '#engine/init-root';
import { addPackages } from '#repo-server/add';
import { initRepository, sameKeys } from '#repo-server/init';
import { publish } from '#repo-server/publish';
import { chainFiles, PACKAGES, packageName } from './chain.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    codec: { type: 'string', default: 'zstd,xz' },
    sync: { type: 'string', default: 'no,yes' },
    directory: { type: 'string', default: join(tmpdir(), 'icepkg-benchmark') },
    program: { type: 'string', default: resolve(import.meta.dirname, '../../cli/bin/icepkg.js') },
  },
});
const runs = Number(values.runs);
/** The same level for both sides. */
const CODECS = {
  zstd: { level: 11, suffix: 'zst', compress: 'zstd -11 -q' },
  xz: { level: 6, suffix: 'xz', compress: 'xz -6' },
} as const;
type CodecName = keyof typeof CODECS;

interface Setting {
  readonly work: string;
  readonly codec: CodecName;
}

const run = (cwd: string, command: readonly string[]): string =>
  execFileSync(command[0] ?? '', command.slice(1), {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

/** Both repositories are kept from one run of the benchmark to the next. */
async function prepare({ work, codec }: Setting): Promise<void> {
  const done = join(work, 'prepared');
  if (existsSync(done)) return;
  rmSync(work, { recursive: true, force: true });
  for (const folder of ['packed', 'pacman-repo', 'trees']) mkdirSync(join(work, folder), { recursive: true });
  console.log(`making the ${codec} packages`);
  const key = generateKey();
  const packed: string[] = [];
  for (let index = 0; index < PACKAGES; index++) {
    const depends = index + 1 < PACKAGES ? [packageName(index + 1)] : [];
    const entries = new Map<string, PackageEntry>();
    for (const { path, content } of chainFiles(index)) {
      for (let above = dirname(path); above !== '.'; above = dirname(above))
        entries.set(above, { type: 'directory', path: above, mode: 0o755 });
      entries.set(path, { type: 'file', path, mode: 0o644, content });
      mkdirSync(join(work, 'trees', packageName(index), dirname(path)), { recursive: true });
      writeFileSync(join(work, 'trees', packageName(index), path), content);
    }
    const output = join(work, 'packed', `${packageName(index)}-1.0.0-r0.x86_64.icepkg`);
    const metadata = { name: packageName(index), version: '1.0.0-r0', arch: 'x86_64', depends } as const;
    const { level } = CODECS[codec];
    await writePackage({ metadata, entries: [...entries.values()], output, codec, level, keys: [key] });
    packed.push(output);
    packForPacman({ work, codec }, index, depends);
  }
  const { trustedRoot } = await initRepository(join(work, 'repo'), {
    name: 'bench',
    roles: sameKeys([key.public]),
    keys: [key],
  });
  await addPackages(join(work, 'repo'), packed);
  await publish(join(work, 'repo'), { keys: [key] });
  run(work, [
    'tar',
    '-C',
    'database',
    '-czf',
    'pacman-repo/bench.db',
    ...readdirSync(join(work, 'database')),
  ]);
  for (const folder of ['packed', 'trees', 'database']) rmSync(join(work, folder), { recursive: true });
  writeFileSync(done, trustedRoot);
}

function packForPacman({ work, codec }: Setting, index: number, depends: readonly string[]): void {
  const name = packageName(index);
  const { compress, suffix } = CODECS[codec];
  const info = [
    `pkgname = ${name}`,
    `pkgbase = ${name}`,
    'pkgver = 1.0.0-1',
    'pkgdesc = benchmark',
    'builddate = 1',
    'packager = benchmark',
    'size = 960000',
    'arch = x86_64',
    ...depends.map((depend) => `depend = ${depend}`),
  ];
  writeFileSync(join(work, 'trees', name, '.PKGINFO'), `${info.join('\n')}\n`);
  const tar = ['tar', '--numeric-owner', '--owner=0', '--group=0', '-I', compress];
  const file = `${name}-1.0.0-1-x86_64.pkg.tar.${suffix}`;
  const archive = join(work, 'pacman-repo', file);
  run(join(work, 'trees', name), [...tar, '-cf', archive, '.PKGINFO', 'usr']);
  const bytes = readFileSync(archive);
  const fields = {
    FILENAME: [file],
    NAME: [name],
    VERSION: ['1.0.0-1'],
    CSIZE: [bytes.length],
    ISIZE: [960_000],
    SHA256SUM: [createHash('sha256').update(bytes).digest('hex')],
    ARCH: ['x86_64'],
    ...(depends.length === 0 ? {} : { DEPENDS: depends }),
  };
  const lines = Object.entries(fields).map(([field, content]) => `%${field}%\n${content.join('\n')}\n`);
  mkdirSync(join(work, 'database', `${name}-1.0.0-1`), { recursive: true });
  writeFileSync(join(work, 'database', `${name}-1.0.0-1`, 'desc'), lines.join('\n'));
}

interface Sample {
  readonly seconds: number;
  /** Of all threads, user and system: what remains comparable on a machine that is busy. */
  readonly processor: number;
  readonly megabytes: number;
}

/** Wall time, processor time and peak resident memory of one command, by `/usr/bin/time`. */
function measure(work: string, command: readonly string[]): Sample {
  const report = join(work, 'time.txt');
  const started = process.hrtime.bigint();
  const result = spawnSync('/usr/bin/time', ['-f', '%U %S %M', '-o', report, ...command], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (result.status !== 0) throw new Error(`${command.join(' ')}\n${result.stderr.slice(0, 2000)}`);
  const [user = NaN, system = NaN, kilobytes = NaN] = readFileSync(report, 'utf8').split(' ').map(Number);
  return { seconds, processor: user + system, megabytes: kilobytes / 1000 };
}

function icepkg({ work }: Setting, sync: boolean): Sample {
  const root = join(work, 'root-icepkg');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  initRoot(root, { arch: 'x86_64' });
  const trustedRoot = readFileSync(join(work, 'prepared'), 'utf8');
  attachRepository(root, { name: 'bench', mirrors: [join(work, 'repo')], trustedRoot });
  const node = [process.execPath, values.program];
  run(work, [...node, 'update', '--root', root, '--quiet']);
  const flags = ['--root', root, '--yes', '--quiet', ...(sync ? [] : ['--no-sync'])];
  return measure(work, [...node, 'install', packageName(0), ...flags]);
}

/** pacman flushes nothing itself: `sync -f` follows where a final flush is compared. */
function pacman({ work }: Setting, sync: boolean): Sample {
  const root = join(work, 'root-pacman');
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, 'var/lib/pacman'), { recursive: true });
  const repository = join(work, 'pacman-repo');
  const config = `[options]\nArchitecture = x86_64\nSigLevel = Never\n[bench]\nServer = file://${repository}\n`;
  writeFileSync(join(work, 'pacman.conf'), config);
  const flags = ['--config', 'pacman.conf', '-r', root, '--cachedir', repository, '--noconfirm'];
  run(work, ['pacman', ...flags, '-Syq']);
  const command = ['pacman', ...flags, '--noscriptlet', '-Sq', packageName(0)];
  return measure(work, sync ? ['sh', '-c', `${command.join(' ')} && sync -f ${root}`] : command);
}

/** Digest of every path, mode and content below `usr`. */
function digestTree(top: string): string {
  const digest = createHash('sha256');
  for (const path of readdirSync(top, { recursive: true, encoding: 'utf8' }).sort()) {
    const stats = lstatSync(join(top, path));
    digest.update(`${path}\0${stats.mode}\0`);
    if (stats.isFile()) digest.update(readFileSync(join(top, path)));
  }
  return digest.digest('hex');
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? NaN)) / 2;
}

function compare(setting: Setting, sync: boolean): void {
  const ours: Sample[] = [];
  const theirs: Sample[] = [];
  for (let round = 0; round <= runs; round++) {
    const pair = [icepkg(setting, sync), pacman(setting, sync)] as const;
    if (round === 0) {
      // The first pair warms the caches, and shows that both install the same.
      const trees = ['root-icepkg', 'root-pacman'].map((root) => digestTree(join(setting.work, root, 'usr')));
      if (trees[0] !== trees[1]) throw new Error('icepkg and pacman installed different trees');
      continue;
    }
    ours.push(pair[0]);
    theirs.push(pair[1]);
  }
  const row = (label: string, samples: readonly Sample[]): string => {
    const seconds = samples.map((sample) => sample.seconds);
    const range = `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`;
    const processor = median(samples.map((sample) => sample.processor)).toFixed(2);
    const peak = median(samples.map((sample) => sample.megabytes)).toFixed(0);
    return `  ${label}  ${median(seconds).toFixed(2)} s (${range}), processor ${processor} s, ${peak} MB`;
  };
  const ratio = median(ours.map(({ seconds }, index) => seconds / (theirs[index]?.seconds ?? NaN)));
  console.log(
    [
      `${setting.codec}, ${sync ? 'with' : 'without'} a final sync, ${runs} pairs`,
      row('icepkg', ours),
      row('pacman', theirs),
      `  ratio   ${ratio.toFixed(2)}`,
    ].join('\n'),
  );
}

console.log(`${availableParallelism()} cores, node ${process.version}`);
for (const codec of values.codec.split(',')) {
  if (codec !== 'zstd' && codec !== 'xz') throw new Error(`no codec is called ${codec}`);
  const setting: Setting = { work: resolve(values.directory, codec), codec };
  await prepare(setting);
  for (const sync of values.sync.split(',')) compare(setting, sync === 'yes');
}
