/**
 * Composes a disk of 73 packages (67 MB, ext4, uncompressed) of a published repository: with an empty cache, again without a
 * change, and with one package more. Prints medians of wall and processor time. docs/benchmarks.md says more.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';

const { values } = parseArgs({
  options: {
    repository: { type: 'string' },
    runs: { type: 'string', default: '5' },
    directory: { type: 'string', default: join(tmpdir(), 'icepkg-benchmark-image') },
    program: { type: 'string', default: resolve(import.meta.dirname, '../../cli/bin/icepkg.js') },
  },
});
if (values.repository === undefined)
  throw new Error('--repository DIR: a published repository of the recipes');
const repository = resolve(values.repository);
const work = resolve(values.directory);
const packages =
  'bash chrony curl dnsmasq dosfstools e2fsprogs ethtool file git htop iproute2 jq kmod less logrotate lua lz4 mosquitto nano nftables openssh sqlite strace tmux util-linux xz zstd';

interface Sample {
  readonly seconds: number;
  /** Of all programs, user and system. */
  readonly processor: number;
}

/** Both definitions have one name, so that they share what is kept of an image. */
function define(folder: string, more: readonly string[]): string {
  mkdirSync(join(work, folder), { recursive: true });
  const file = join(work, folder, 'many.yaml');
  const partitions = [{ name: 'root', type: 'root', filesystem: 'ext4', free: '64M' }];
  const all = [...packages.split(' '), ...more];
  writeFileSync(file, stringify({ system: 'golinux', board: 'qemu-x86_64', packages: all, partitions }));
  return file;
}

function build(definition: string): Sample {
  const trust = join(repository, 'channels/stable/metadata/1.root.json');
  const from = ['--repository', `main=${repository}`, '--trust', trust];
  const to = ['--cache', join(work, 'cache'), '--output', join(work, 'out'), '--quiet'];
  return measure([process.execPath, values.program, 'image', 'build', definition, ...from, ...to]);
}

function measure(command: readonly string[]): Sample {
  const report = join(work, 'time.txt');
  const started = performance.now();
  const result = spawnSync('/usr/bin/time', ['-f', '%U %S', '-o', report, ...command], { encoding: 'utf8' });
  const seconds = (performance.now() - started) / 1000;
  if (result.status !== 0) throw new Error(result.stderr);
  const [user = NaN, system = NaN] = readFileSync(report, 'utf8').split(' ').map(Number);
  return { seconds, processor: user + system };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;

const cases = new Map<string, Sample[]>([
  ['empty cache', []],
  ['unchanged', []],
  ['one package more', []],
  // How fast the machine is at present: what an empty program takes.
  ['node -e 0', []],
]);
const plain = define('plain', []);
const more = define('more', ['dash']);
for (let run = 0; run < Number(values.runs); run++) {
  rmSync(join(work, 'cache'), { recursive: true, force: true });
  for (const [name, definition] of [
    ['empty cache', plain],
    ['unchanged', plain],
    ['one package more', more],
  ] as const)
    cases.get(name)?.push(build(definition));
  cases.get('node -e 0')?.push(measure([process.execPath, '-e', '0']));
}
rmSync(work, { recursive: true });
console.log(
  `${availableParallelism()} cores, load average ${loadavg()[0]?.toFixed(1)}, node ${process.version}`,
);
for (const [name, samples] of cases) {
  const wall = median(samples.map(({ seconds }) => seconds)).toFixed(2);
  const processor = median(samples.map((sample) => sample.processor)).toFixed(2);
  console.log(`${name.padEnd(16)}  ${wall} s, processor ${processor} s`);
}
