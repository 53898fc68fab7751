/**
 * Builds every system for every board, twice and in two places, the second time as an ordinary user where root runs this;
 * compares the bytes, has other tools check the structure, and boots what QEMU can play, one after the other. Prints a table
 * (docs/images.md has it). `npm run test:images:all -- --repository DIR`, a published repository of the recipes.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { defaultImageRoots, loadDefinition, type Definition } from '#bootstrap/definition';
import { descriptionName, readDescription, type ImageDescription } from '#bootstrap/description';
import { qemuMachine } from '#bootstrap/qemu';
import { testImage } from '#bootstrap/test-image';
import { checkStructure } from './structure.ts';

const { values } = parseArgs({
  options: {
    repository: { type: 'string' },
    systems: { type: 'string', default: 'golinux,forgeos,forgeos-net,forgeos-field,icenet' },
    boards: { type: 'string' },
    arch: { type: 'string', default: 'x86_64' },
    /** A user id of nobody. */
    user: { type: 'string', default: '65534' },
    once: { type: 'boolean', default: false },
  },
});
if (values.repository === undefined)
  throw new Error('--repository DIR: a published repository of the recipes');
const repository = path.resolve(values.repository);
const program = path.resolve(import.meta.dirname, '../../cli/bin/icepkg.js');
const scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-all-images-'));
const places = ['first', 'second'].map((name) => path.join(scratch, name));

interface Row {
  readonly system: string;
  readonly board: string;
  readonly boot: string;
  readonly memory: string;
  readonly size: string;
  readonly checks: string;
  readonly structure: string;
  readonly same: string;
}

const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

/** Every board of the architecture, unless some are named. */
function boardNames(): string[] {
  if (values.boards !== undefined) return values.boards.split(',');
  const folders = defaultImageRoots().map((root) => path.join(root, 'boards'));
  const names = folders.flatMap((folder) => (fs.existsSync(folder) ? fs.readdirSync(folder) : []));
  const files = names.filter((name) => name.endsWith('.yaml'));
  const unique = new Set(files.map((name) => path.basename(name, '.yaml')));
  return [...unique].filter((name) => archOf(name) === values.arch).sort();
}

const archOf = (board: string): string => define('golinux', board).arch;
const define = (image: string, board: string): Definition =>
  loadDefinition({ image, board, roots: defaultImageRoots() });

/** Builds below `place`, as `user` where root runs this. */
function build({ system, board }: Definition, place: string, user?: string): string {
  const output = path.join(place, 'out');
  fs.mkdirSync(place, { recursive: true });
  const trust = path.join(repository, 'channels/stable/metadata/1.root.json');
  const from = ['--repository', `main=${repository}`, '--trust', trust, '--quiet'];
  const words = [program, 'image', 'build', system, '--board', board, ...from, '--output', output];
  words.push('--cache', path.join(place, 'cache'));
  const as =
    user === undefined || process.getuid?.() !== 0 ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`];
  if (as.length > 0) {
    fs.chmodSync(scratch, 0o755);
    fs.chownSync(place, Number(user), Number(user));
    as.push('--clear-groups', '--');
  }
  const [first = '', ...rest] = [...as, process.execPath, ...words];
  const env = { ...process.env, HOME: place, TMPDIR: place };
  execFileSync(first, rest, { env, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  return output;
}

const listed = (folder: string, name: string): string =>
  fs
    .readFileSync(path.join(folder, 'SHA256SUMS'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`  ${name}.`))
    .join('\n');

async function boot(
  definition: Definition,
  folder: string,
  description: ImageDescription,
): Promise<Pick<Row, 'boot' | 'memory' | 'checks'>> {
  if (definition.hardware.qemu === undefined) return { boot: 'not in QEMU', memory: '', checks: '' };
  const machine = qemuMachine({ folder, definition, description, persistent: false, forwards: [] });
  const result = await testImage(definition, description, machine);
  const failed = result.checks.filter(({ passed }) => !passed);
  for (const { name, output } of failed) console.error(`${definition.name}: ${name}: ${output}`);
  const passed = `${result.checks.length - failed.length} of ${result.checks.length}`;
  return {
    boot: `${result.bootSeconds.toFixed(1)} s (${result.bootProcessorSeconds.toFixed(1)} s)`,
    memory: result.idleMemory === undefined ? '' : mib(result.idleMemory),
    checks: [passed, ...result.exceeded.map((text) => text.split(';')[0] ?? '')].join('; '),
  };
}

async function examine(system: string, board: string): Promise<Row> {
  const definition = define(system, board);
  const [first = '', second = ''] = places;
  const folder = build(definition, first);
  const again = values.once ? undefined : build(definition, second, values.user);
  const description = readDescription(folder, descriptionName(definition));
  const booted = await boot(definition, folder, description);
  const { name } = definition;
  return {
    system,
    board,
    ...booted,
    size: description.files.map(({ format, size }) => `${format} ${mib(size)}`).join(', '),
    structure: checkStructure(folder, description, first),
    same: again === undefined ? '' : listed(folder, name) === listed(again, name) ? 'yes' : 'NO',
  };
}

const columns = ['system', 'board', 'boot', 'memory', 'size', 'checks', 'structure', 'same'] as const;
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
try {
  console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
  console.log(line(columns));
  console.log(line(columns.map(() => '---')));
  for (const system of values.systems.split(','))
    for (const board of boardNames()) {
      try {
        const row = await examine(system, board);
        console.log(line(columns.map((column) => row[column])));
        if (row.same === 'NO') process.exitCode = 1;
      } catch (error) {
        process.exitCode = 1;
        const text = error instanceof Error ? error.message : String(error);
        console.log(line([system, board, `failed: ${text.split('\n').slice(0, 3).join(' ')}`]));
      }
      // Packages stay; images are large.
      for (const place of places)
        for (const made of ['out', 'cache/images', 'cache/filesystems', 'cache/roots'])
          fs.rmSync(path.join(place, made), { recursive: true, force: true });
    }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
