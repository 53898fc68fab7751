/**
 * Upgrades real packages from a server by patches and tells the bytes that moved beside those of the whole packages.
 * The packages are Debian's: of each the two newest versions that this machine's mirrors have. docs/benchmarks.md says more.
 *
 * With `--old FOLDER --new FOLDER` it makes patches between packages of the same name in two folders instead, but for those
 * that are too small to have any.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Codec } from '#schema/container/codec';
import { readHeader } from '#schema/container/read';
import { writePackage, type PackageEntry } from '#schema/container/write';
import { generateKey } from '#schema/keys';
import { LEAST_PATCHED_SIZE, patchListPath, type PatchList } from '#schema/patch/format';
import { changeWorld } from '#engine/change-world';
import { attachRepository } from '#engine/config-attach';
import { openContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { installRequest, upgradeRequest } from '#engine/requests';
import { addPackages } from '#repo-server/add';
import { initRepository, sameKeys } from '#repo-server/init';
import { openPatchMaker } from '#repo-server/patches/make-patch';
import { publish } from '#repo-server/publish';
import { serve } from '#repo-server/serve';

const PACKAGES = `apache2-bin apt bind9-libs bluez ca-certificates curl grub-common haproxy libarchive13 libblkid1
libc-bin libc6 libcurl4 libexpat1 libgs10 libpython3.11-stdlib libssl3 libxml2 linux-libc-dev nginx
openssh-client openssh-server openssl perl-base perl-modules-5.36 php8.2-cli python3.11-minimal qemu-utils redis-tools
rsync sudo systemd tzdata udev util-linux wpasupplicant xz-utils`;

const { values } = parseArgs({
  options: {
    packages: { type: 'string', default: PACKAGES },
    codec: { type: 'string', default: 'zstd' },
    directory: { type: 'string', default: join(tmpdir(), 'icepkg-benchmark-patches') },
    old: { type: 'string' },
    new: { type: 'string' },
  },
});
const codec: Codec = values.codec === 'xz' ? 'xz' : 'zstd';

interface Row {
  readonly name: string;
  readonly versions: string;
  readonly whole: number;
  readonly moved: number;
}

function printRows(rows: readonly Row[]): void {
  for (const { name, versions, whole, moved } of rows)
    console.log(`| ${name} | ${versions} | ${whole} | ${moved} | ${(moved / whole).toFixed(3)} |`);
  const ratios = rows.map(({ whole, moved }) => moved / whole).sort((a, b) => a - b);
  const [whole, moved] = [sum(rows.map((row) => row.whole)), sum(rows.map((row) => row.moved))];
  const median = (at(ratios, (ratios.length - 1) / 2) + at(ratios, ratios.length / 2)) / 2;
  console.log(
    `${rows.length} packages, median ${median.toFixed(3)}, all together ${(moved / whole).toFixed(3)}`,
  );
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const at = (numbers: readonly number[], index: number): number => numbers[Math.floor(index)] ?? 0;

/** The two newest versions of each package in the mirrors, the older first. */
function versionsOf(names: readonly string[]): Map<string, readonly string[]> {
  const lines = execFileSync('apt-cache', ['madison', ...names], { encoding: 'utf8' }).split('\n');
  const versions = new Map<string, readonly string[]>();
  for (const line of lines.filter((one) => one.endsWith('Packages'))) {
    const [name = '', version = ''] = line.split('|').map((field) => field.trim());
    const known = versions.get(name) ?? [];
    if (known.length < 2 && !known.includes(version)) versions.set(name, [version, ...known]);
  }
  return versions;
}

/** Downloads a package unless that was done before. */
function fetchDeb(name: string, version: string): string {
  const folder = join(values.directory, 'debs', name, encodeURIComponent(version));
  const found = (): string | undefined =>
    fs.existsSync(folder) ? fs.readdirSync(folder).find((file) => file.endsWith('.deb')) : undefined;
  if (found() === undefined) {
    fs.mkdirSync(folder, { recursive: true });
    execFileSync('apt-get', ['download', '-qq', `${name}=${version}`], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
  }
  return join(folder, found() ?? '');
}

/** Packs the content of a Debian package as `NAME-1.0.INDEX-r0`. */
async function repack(deb: string, name: string, index: number): Promise<string> {
  const output = join(values.directory, codec, `${name}-1.0.${index}-r0.x86_64.icepkg`);
  if (fs.existsSync(output)) return output;
  const tree = fs.mkdtempSync(join(values.directory, 'tree-'));
  execFileSync('dpkg-deb', ['-x', deb, tree]);
  const control = join(tree, 'DEBIAN');
  execFileSync('dpkg-deb', ['-e', deb, control]);
  const conffiles = join(control, 'conffiles');
  const config = new Set(fs.existsSync(conffiles) ? fs.readFileSync(conffiles, 'utf8').split('\n') : []);
  fs.rmSync(control, { recursive: true });
  fs.mkdirSync(join(values.directory, codec), { recursive: true });
  await writePackage({
    metadata: { name, version: `1.0.${index}-r0`, arch: 'x86_64' },
    entries: entriesBelow(tree, config),
    output,
    codec,
  });
  fs.rmSync(tree, { recursive: true });
  return output;
}

const entriesBelow = (tree: string, config: ReadonlySet<string>): PackageEntry[] =>
  pathsBelow(tree).map((path) => entryOf(join(tree, path), path, config.has(`/${path}`)));

/** What Node's own recursion does not: it stays out of symlinks to folders. */
function pathsBelow(tree: string, folder = ''): string[] {
  const entries = fs.readdirSync(join(tree, folder), { withFileTypes: true });
  const paths = entries.map(({ name }) => join(folder, name));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  return paths.concat(...folders.map((below) => pathsBelow(tree, below)));
}

function entryOf(file: string, path: string, isConfig: boolean): PackageEntry {
  const stat = fs.lstatSync(file);
  const mode = stat.mode & 0o7777;
  if (stat.isSymbolicLink()) return { type: 'symlink', path, target: fs.readlinkSync(file) };
  if (stat.isDirectory()) return { type: 'directory', path, mode };
  const entry = { type: 'file', path, mode, content: { file } } as const;
  return isConfig ? { ...entry, config: true } : entry;
}

async function upgradeDebian(): Promise<void> {
  const [old, next]: [string[], string[]] = [[], []];
  const shown = new Map<string, string>();
  for (const [name, [before, after]] of versionsOf(values.packages.split(/\s+/))) {
    if (before === undefined || after === undefined) continue;
    shown.set(name, `${before} → ${after}`);
    old.push(await repack(fetchDeb(name, before), name, 0));
    next.push(await repack(fetchDeb(name, after), name, 1));
  }
  const work = fs.mkdtempSync(join(values.directory, 'run-'));
  const repository = join(work, 'repository');
  const key = generateKey();
  const { trustedRoot } = await initRepository(repository, {
    name: 'main',
    roles: sameKeys([key.public]),
    keys: [key],
  });
  await addPackages(repository, old);
  await publish(repository, { keys: [key] });
  const server = await serve(repository, {});
  try {
    const root = join(work, 'root');
    initRoot(root, { arch: 'x86_64' });
    attachRepository(root, { name: 'main', mirrors: [server.url], trustedRoot });
    const context = openContext({
      root,
      sync: false,
      onProgress: (one) => void (one.phase === 'warning' && console.log(one.message)),
    });
    const agreed = { dryRun: false, confirm: () => true } as const;
    await changeWorld(context, { ...installRequest([...shown.keys()]), ...agreed });
    const added = await addPackages(repository, next);
    const start = performance.now();
    const { patches } = await publish(repository, { keys: [key] });
    console.log(
      `${patches.made} patches made in ${((performance.now() - start) / 1000).toFixed(0)} s on one thread`,
    );
    printRows(
      added.map(
        ({
          record: {
            name,
            package: { path, size },
          },
        }) => {
          const list = join(repository, patchListPath(path));
          const versions = shown.get(name) ?? '';
          if (!fs.existsSync(list)) return { name, versions, whole: size, moved: size };
          const { patches } = JSON.parse(fs.readFileSync(list, 'utf8')) as PatchList;
          return {
            name,
            versions,
            whole: size,
            moved: sum(patches.map((patch) => patch.size)) + fs.statSync(list).size,
          };
        },
      ),
    );
    const upgraded = performance.now();
    const { received } = await changeWorld(context, { ...upgradeRequest(context, []), ...agreed });
    const seconds = ((performance.now() - upgraded) / 1000).toFixed(1);
    console.log(
      `the upgrade received ${received?.bytes} of ${received?.packageBytes} bytes, ${received?.patched} packages by patch, in ${seconds} s`,
    );
  } finally {
    await server.close();
    fs.rmSync(work, { recursive: true, force: true });
  }
}

async function compareFolders(old: string, next: string): Promise<void> {
  const packagesIn = (folder: string): Map<string, string> =>
    new Map(
      fs
        .readdirSync(folder)
        .filter((file) => file.endsWith('.icepkg'))
        .map((file) => join(folder, file))
        .map((file) => [
          `${readHeader(file, file).manifest.name}.${readHeader(file, file).manifest.arch}`,
          file,
        ]),
    );
  const before = packagesIn(old);
  const rows: Row[] = [];
  const makePatch = openPatchMaker();
  const output = join(tmpdir(), `icepkg-benchmark-${process.pid}.icepatch`);
  for (const [name, to] of packagesIn(next)) {
    const from = before.get(name);
    if (from === undefined || readHeader(from, from).manifestSha256 === readHeader(to, to).manifestSha256)
      continue;
    const whole = fs.statSync(to).size;
    if (whole < LEAST_PATCHED_SIZE) continue;
    const made = await makePatch({ from, to, output, mostBytes: whole });
    const versions = `${basename(from)} → ${basename(to)}`;
    rows.push({ name, versions, whole, moved: made ? fs.statSync(output).size : whole });
    fs.rmSync(output, { force: true });
  }
  printRows(rows);
}

if (values.old !== undefined && values.new !== undefined) await compareFolders(values.old, values.new);
else await upgradeDebian();
