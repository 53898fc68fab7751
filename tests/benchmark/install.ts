/**
 * Installs 100 chained packages (6,000 files, 96 MB) with icepkg and with pacman, interleaved, on the same
 * content and codec, into fresh roots. Prints medians, the ratio of each pair and peak memory.
 *
 * Usage: npm run benchmark:install -- [--runs 5] [--codec zstd|xz] [--directory /dev/shm/icepkg-benchmark]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    codec: { type: 'string', default: 'zstd' },
    directory: { type: 'string', default: join(tmpdir(), 'icepkg-benchmark') },
  },
});
const PACKAGES = 100;
const FILES = 60;
const FILE_BYTES = 16_000;
const runs = Number(values.runs);
const codec = values.codec === 'xz' ? 'xz' : 'zstd';
const work = resolve(values.directory, codec);
const icepkg = [process.execPath, resolve(import.meta.dirname, '../../cli/bin/icepkg.js')] as const;

/** Text with the redundancy of real binaries: words from a seeded stream, about 3:1 compressible. */
function content(seed: string): Buffer {
  const out = Buffer.alloc(FILE_BYTES);
  let block = createHash('sha256').update(seed).digest();
  for (let at = 0; at < FILE_BYTES; at += 48) {
    block = createHash('sha256').update(block).digest();
    block.copy(out, at, 0, 16);
    out.write('install the package into', at + 16, 'latin1');
  }
  return out;
}

const name = (index: number): string => `chain${String(index).padStart(3, '0')}`;
const run = (command: readonly string[], cwd = work): string =>
  execFileSync(command[0] ?? '', command.slice(1), {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

function buildPackages(): void {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'pacman-repo'), { recursive: true });
  run([...icepkg, 'key', 'generate', 'bench']);
  const built: string[] = [];
  for (let p = 0; p < PACKAGES; p++) {
    const tree = join(work, 'trees', name(p));
    for (let f = 0; f < FILES; f++) {
      const directory = join(tree, 'usr/share', name(p), `part${f % 6}`);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, `file${f}`), content(`${p}/${f}`));
    }
    const depends = p + 1 < PACKAGES ? [name(p + 1)] : [];
    const manifest = join(work, `${name(p)}.json`);
    writeFileSync(
      manifest,
      JSON.stringify({ name: name(p), version: '1.0.0-r0', arch: 'x86_64', license: 'CC0-1.0', depends }),
    );
    run([
      ...icepkg,
      'pack',
      tree,
      '--manifest',
      manifest,
      '--codec',
      codec,
      '--output',
      'ice',
      '--key',
      'bench.key',
    ]);
    built.push(join('ice', `${name(p)}-1.0.0-r0.x86_64.icepkg`));
    packPacman(tree, p, depends);
  }
  run([...icepkg, 'repo', 'init', 'repo', '--key', 'bench.key']);
  run([...icepkg, 'repo', 'add', 'repo', ...built]);
  run([...icepkg, 'repo', 'publish', 'repo', '--key', 'bench.key']);
  run([
    'sh',
    '-c',
    `repo-add -q pacman-repo/bench.db.tar.gz pacman-repo/*.pkg.tar.${codec === 'zstd' ? 'zst' : 'xz'} >/dev/null`,
  ]);
}

function packPacman(tree: string, index: number, depends: readonly string[]): void {
  const info = [
    `pkgname = ${name(index)}`,
    `pkgbase = ${name(index)}`,
    'pkgver = 1.0.0-1',
    'pkgdesc = benchmark',
    'builddate = 0',
    'packager = benchmark',
    `size = ${FILES * FILE_BYTES}`,
    'arch = x86_64',
    ...depends.map((d) => `depend = ${d}`),
  ];
  writeFileSync(join(tree, '.PKGINFO'), `${info.join('\n')}\n`);
  const archive = `pacman-repo/${name(index)}-1.0.0-1-x86_64.pkg.tar.${codec === 'zstd' ? 'zst' : 'xz'}`;
  const compress = codec === 'zstd' ? '-I "zstd -11 -q"' : '-J';
  run([
    'sh',
    '-c',
    `tar -C trees/${name(index)} --numeric-owner --owner=0 --group=0 ${compress} -cf ${archive} .PKGINFO usr`,
  ]);
  rmSync(join(tree, '.PKGINFO'));
}

interface Sample {
  readonly seconds: number;
  readonly megabytes: number;
}

/** Whole-process wall time and peak resident memory, by `/usr/bin/time`. */
function measure(command: readonly string[], sync: boolean): Sample {
  const report = join(work, 'time.txt');
  const line = sync ? ['sh', '-c', '"$@" && sync -f .', 'sh', ...command] : command;
  const started = process.hrtime.bigint();
  const result = spawnSync('/usr/bin/time', ['-f', '%M', '-o', report, ...line], {
    cwd: work,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (result.status !== 0) throw new Error(`${command.join(' ')}\n${String(result.stderr)}`);
  return { seconds, megabytes: Number(readFileSync(report, 'utf8').trim().split('\n').at(-1)) / 1024 };
}

function freshIcepkgRoot(): void {
  rmSync(join(work, 'root-ice'), { recursive: true, force: true });
  run([...icepkg, 'init', '--root', 'root-ice', '--arch', 'x86_64']);
  run([
    ...icepkg,
    'repo',
    'attach',
    'bench',
    join(work, 'repo'),
    '--root',
    'root-ice',
    '--trusted-root',
    'repo/channels/stable/metadata/root.json',
  ]);
  run([...icepkg, 'update', '--root', 'root-ice']);
}

function freshPacmanRoot(): void {
  rmSync(join(work, 'root-pac'), { recursive: true, force: true });
  mkdirSync(join(work, 'root-pac/var/lib/pacman'), { recursive: true });
  const config = `[options]\nArchitecture = x86_64\nSigLevel = Never\n[bench]\nServer = file://${join(work, 'pacman-repo')}\n`;
  writeFileSync(join(work, 'pacman.conf'), config);
  run([
    'pacman',
    '--config',
    'pacman.conf',
    '-r',
    'root-pac',
    '--cachedir',
    join(work, 'pacman-repo'),
    '-Syq',
  ]);
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;

function compare(sync: boolean): void {
  const ice: Sample[] = [];
  const pac: Sample[] = [];
  for (let i = 0; i <= runs; i++) {
    freshIcepkgRoot();
    const a = measure(
      [...icepkg, 'install', name(0), '--root', 'root-ice', '--yes', ...(sync ? [] : ['--no-sync'])],
      false,
    );
    freshPacmanRoot();
    const b = measure(
      [
        'pacman',
        '--config',
        'pacman.conf',
        '-r',
        'root-pac',
        '--cachedir',
        join(work, 'pacman-repo'),
        '--noconfirm',
        '--noscriptlet',
        '-S',
        name(0),
      ],
      sync,
    );
    // The first pair warms the caches.
    if (i > 0) {
      ice.push(a);
      pac.push(b);
    }
  }
  if (!existsSync(join(work, `root-ice/usr/share/${name(99)}/part0/file0`)))
    throw new Error('icepkg installed nothing');
  const row = (label: string, samples: readonly Sample[]): string =>
    `  ${label.padEnd(8)} ${median(samples.map((s) => s.seconds)).toFixed(2)} s  ${median(samples.map((s) => s.megabytes)).toFixed(0)} MB peak`;
  const ratio = median(ice.map((s, i) => s.seconds / (pac[i]?.seconds ?? NaN)));
  console.log(
    `${codec}, ${sync ? 'with' : 'without'} a final sync, ${runs} pairs\n${row('icepkg', ice)}\n${row('pacman', pac)}\n  ratio icepkg/pacman ${ratio.toFixed(2)}`,
  );
}

buildPackages();
compare(false);
compare(true);
