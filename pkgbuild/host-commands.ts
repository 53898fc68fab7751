/**
 * The commands of the machine that a build may call: those of Debian's essential packages, of a fixed set for
 * compiling, and of the packages that the recipe declares, each with what it needs itself.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import { sha256 } from '#schema/digest';
import { IcepkgError, isErrno } from '#schema/error';
import { run } from './command.ts';

/** What every build has; `docs/recipes.md` lists it. */
const BASE = (
  'bash bc binutils binutils-aarch64-linux-gnu binutils-x86-64-linux-gnu bison bzip2 cpp dpkg-dev file flex gawk gcc ' +
  'gcc-aarch64-linux-gnu gettext gzip kmod libc6-dev m4 make patch perl pkg-config pkgconf qemu-user-static rsync ' +
  'sed tar xz-utils zstd'
).split(' ');

/** Where programs are; the rest of `/usr` is not on the path of a build. */
const FOLDERS = ['/usr/bin', '/usr/sbin'];

export interface HostPackage {
  readonly name: string;
  readonly version: string;
  readonly essential: boolean;
  readonly provides: readonly string[];
  /** Every alternative of every dependency. */
  readonly needs: readonly string[];
}

/** Large, and for processors that nothing is built for. */
const USELESS = /^qemu-(?!aarch64-static$)|lto-dump/;

/** What one program of the machine is shown as. */
interface HostCommand {
  /** Below `/usr/bin` or `/usr/sbin`. */
  readonly shownAt: string;
  /** Where the links of its name lead. */
  readonly file: string;
}

/** The packages of the machine; empty where it is not one of Debian's kind. */
export async function hostPackages(): Promise<readonly HostPackage[]> {
  const format =
    '${db:Status-Abbrev}\\t${Package}\\t${Version}\\t${Essential}\\t${Provides}\\t${Depends}, ${Pre-Depends}\\n';
  const listed = await run(['dpkg-query', '-W', '-f', format]).catch((error: unknown) => {
    if (error instanceof IcepkgError && error.code === 'tool-missing') return undefined;
    throw error;
  });
  if (listed === undefined || listed.status !== 0) return [];
  return listed.stdout
    .split('\n')
    .filter((line) => line.startsWith('ii'))
    .map((line) => {
      const [, name = '', version = '', essential, provides = '', needs = ''] = line.split('\t');
      return {
        name,
        version,
        essential: essential === 'yes',
        provides: words(provides),
        needs: words(needs),
      };
    });
}

/** Names in a relation field, without versions and architectures. */
const words = (relations: string): string[] =>
  relations
    .split(/[,|]/)
    .map((one) => one.trim().replace(/[ :(].*$/, ''))
    .filter((name) => name !== '');

/**
 * Versions of what recipes declare.
 * @throws IcepkgError `tool-missing` listing everything that is not installed
 */
export function declaredVersions(
  packages: readonly HostPackage[],
  declared: readonly { readonly recipe: string; readonly names: readonly string[] }[],
): Map<string, string> {
  const versions = new Map(packages.map(({ name, version }) => [name, version]));
  const missing = declared.flatMap(({ recipe, names }) =>
    names.filter((name) => !versions.has(name)).map((name) => ({ recipe, name })),
  );
  if (missing.length === 0) return versions;
  const names = [...new Set(missing.map(({ name }) => name))];
  throw new IcepkgError(
    'tool-missing',
    `not installed on this machine: ${missing.map(({ recipe, name }) => `${name} for ${recipe}`).join(', ')}`,
    { hint: `On Debian: apt-get install ${names.join(' ')}`, data: { missing: names } },
  );
}

/** Name and version of every package of the machine that a build names or has by itself, for its key. */
export function hostVersions(versions: ReadonlyMap<string, string>, declared: readonly string[]): string[] {
  const names = [...new Set([...BASE, ...declared])].toSorted();
  return names.flatMap((name) => {
    const version = versions.get(name);
    return version === undefined ? [] : [`${name} ${version}`];
  });
}

/**
 * A folder with copies of the commands of the base set and of the declared packages, below `bin` and `sbin`. Copies,
 * because compilers look for their parts beside what the links of their names lead to.
 * @returns `undefined` where the machine cannot tell
 */
export async function hostFolder(
  cacheFolder: string,
  packages: readonly HostPackage[],
  declared: readonly string[],
): Promise<string | undefined> {
  const commands = await hostCommands(packages, declared);
  if (commands === undefined) return undefined;
  const host = path.join(cacheFolder, 'host');
  const known = commands.map(({ shownAt, file }) => {
    const { size, mtimeMs, ino } = fs.statSync(file);
    return { shownAt, file, id: sha256(JSON.stringify([file, size, mtimeMs, ino])) };
  });
  const folder = path.join(host, sha256(JSON.stringify(known.map(({ shownAt, id }) => [shownAt, id]))));
  if (fs.existsSync(folder)) return folder;
  makeFolder(path.join(host, 'files'));
  const scratch = fs.mkdtempSync(path.join(host, '.new-'));
  for (const name of ['bin', 'sbin']) fs.mkdirSync(path.join(scratch, name));
  for (const { shownAt, file, id } of known) {
    const shown = path.join(scratch, path.posix.relative('/usr', shownAt));
    if (!FOLDERS.includes(path.posix.dirname(file))) fs.symlinkSync(file, shown);
    else fs.linkSync(copyOnce(file, path.join(host, 'files', id)), shown);
  }
  try {
    fs.renameSync(scratch, folder);
  } catch (error) {
    // Another build was first, with the same.
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    fs.rmSync(scratch, { recursive: true });
  }
  return folder;
}

function copyOnce(file: string, copy: string): string {
  if (fs.existsSync(copy)) return copy;
  const scratch = `${copy}.${process.pid}`;
  fs.copyFileSync(file, scratch);
  fs.chmodSync(scratch, 0o755);
  fs.renameSync(scratch, copy);
  return copy;
}

async function hostCommands(
  packages: readonly HostPackage[],
  declared: readonly string[],
): Promise<readonly HostCommand[] | undefined> {
  if (packages.length === 0) return undefined;
  const owned = new Set(await filesOf(closure(packages, declared)));
  const commands = new Map<string, string>();
  for (const folder of FOLDERS)
    for (const name of fs.readdirSync(folder)) {
      if (USELESS.test(name)) continue;
      const shownAt = path.posix.join(folder, name);
      const trail = linkTrail(shownAt);
      const file = trail.at(-1);
      if (file !== undefined && trail.some((one) => owned.has(one))) commands.set(shownAt, file);
    }
  return [...commands].map(([shownAt, file]) => ({ shownAt, file }));
}

function closure(packages: readonly HostPackage[], declared: readonly string[]): string[] {
  const byName = new Map<string, HostPackage[]>();
  for (const one of packages)
    for (const name of [one.name, ...one.provides]) byName.set(name, [...(byName.get(name) ?? []), one]);
  const found = new Set<string>();
  const pending = [...BASE, ...declared, ...packages.filter((one) => one.essential).map(({ name }) => name)];
  for (let name = pending.pop(); name !== undefined; name = pending.pop())
    for (const one of byName.get(name) ?? []) {
      if (found.has(one.name)) continue;
      found.add(one.name);
      pending.push(...one.needs);
    }
  return [...found];
}

async function filesOf(names: readonly string[]): Promise<string[]> {
  const listed = await run(['dpkg-query', '-L', ...names]);
  return listed.stdout
    .split('\n')
    .map((line) => line.replace(/^\/(bin|sbin)\//, '/usr/$1/'))
    .filter((line) => line.startsWith('/usr/') && /\/s?bin\//.test(line));
}

/** The path and everything that it leads to; the last is no link. Empty for a link that leads nowhere. */
function linkTrail(start: string): string[] {
  const trail = [start];
  for (let at = start; fs.lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true;) {
    at = path.resolve(path.dirname(at), fs.readlinkSync(at)).replace(/^\/(bin|sbin)\//, '/usr/$1/');
    if (trail.includes(at)) return [];
    trail.push(at);
  }
  return fs.existsSync(trail.at(-1) ?? '') ? trail : [];
}
