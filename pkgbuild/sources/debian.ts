/**
 * Fetches from Debian through apt with state of its own: the machine's list of repositories is read, its apt
 * configuration, lists and package state stay untouched.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sha256 } from '#schema/digest';
import { IcepkgError, isErrno } from '#schema/error';
import { run, type CommandResult } from '../command.ts';
import type { DebPlace } from './resolve.ts';
import type { DebianLocation } from './schema.ts';

interface Places {
  readonly scratch: string;
  readonly cacheFolder: string;
}

/** Lists older than this are refreshed before the next fetch, in milliseconds. */
const LIST_LIFETIME = 24 * 60 * 60 * 1000;

/** Downloads into `scratch` and returns the paths of all files that came. */
export function fetchFromDebian(location: DebianLocation, places: Places): Promise<string[]> {
  const name = 'debian' in location ? location.debian : location['debian-binary'];
  const wanted = location.version === undefined ? name : `${name}=${location.version}`;
  return aptGet('debian' in location ? ['source', '--download-only', wanted] : ['download', wanted], places);
}

/** Downloads one binary package, which may be for another architecture than this machine's. */
export function fetchDeb({ deb, version, debianArch }: DebPlace, places: Places): Promise<string[]> {
  const name = debianArch === undefined ? deb : `${deb}:${debianArch}`;
  return aptGet(['download', `${name}=${version}`], places);
}

async function aptGet(verb: readonly string[], { scratch, cacheFolder }: Places): Promise<string[]> {
  const options = await aptOptions(path.join(cacheFolder, 'apt'));
  const result = await run(['apt-get', ...options, '-q', ...verb], { cwd: scratch });
  const files = fs.readdirSync(scratch).map((file) => path.join(scratch, file));
  // A file that is missing on the mirror must not hide the one that came.
  if (result.status !== 0 && files.length === 0) throw aptFailed(result, `apt-get ${verb.join(' ')}`);
  return files;
}

/** What `apt-cache` says, of the lists that sources are fetched by; empty where it knows nothing. */
export async function queryApt(words: readonly string[], cacheFolder: string): Promise<string> {
  const options = await aptOptions(path.join(cacheFolder, 'apt'));
  return (await run(['apt-cache', ...options, '-q', ...words])).stdout;
}

const refreshed = new Map<string, Promise<readonly string[]>>();

/** Options that point apt at private folders; the lists are there when this returns. */
function aptOptions(folder: string): Promise<readonly string[]> {
  const pending = refreshed.get(folder) ?? refresh(folder);
  refreshed.set(folder, pending);
  return pending;
}

async function refresh(folder: string): Promise<readonly string[]> {
  const parts = path.join(folder, 'sources.d');
  const cache = path.join(folder, 'cache');
  for (const needed of [path.join(folder, 'lists/partial'), path.join(cache, 'archives/partial'), parts])
    fs.mkdirSync(needed, { recursive: true });
  writeSourceLists(parts);
  const options = [
    `Dir::State=${folder}`,
    'Dir::State::status=/var/lib/dpkg/status',
    `Dir::Cache=${cache}`,
    'Dir::Etc::sourcelist=/dev/null',
    `Dir::Etc::sourceparts=${parts}`,
    'APT::Architectures=amd64,arm64',
    'APT::Sandbox::User=',
    'Acquire::Retries=3',
  ].flatMap((option) => ['-o', option]);
  const stamp = path.join(folder, 'refreshed');
  const lists = sha256(
    fs
      .readdirSync(parts)
      .map((file) => fs.readFileSync(path.join(parts, file), 'utf8'))
      .join('\n'),
  );
  const setup = `${lists} ${sha256(options.join('\n'))}`;
  const age = Date.now() - (fs.statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (age > LIST_LIFETIME || fs.readFileSync(stamp, 'utf8') !== setup) {
    const result = await run(['apt-get', ...options, '-q', 'update']);
    if (result.status !== 0) throw aptFailed(result, 'apt-get update');
    fs.writeFileSync(stamp, setup);
  }
  return options;
}

/** Copies the machine's lists, with the `deb-src` half that most machines leave out. */
function writeSourceLists(folder: string): void {
  for (const old of fs.readdirSync(folder)) fs.rmSync(path.join(folder, old));
  const directory = '/etc/apt/sources.list.d';
  for (const name of listFolder(directory)) {
    const text = fs.readFileSync(path.join(directory, name), 'utf8');
    if (name.endsWith('.sources'))
      fs.writeFileSync(
        path.join(folder, name),
        withFirmware(text).replaceAll(/^Types:.*$/gm, 'Types: deb deb-src'),
      );
    else if (name.endsWith('.list')) fs.writeFileSync(path.join(folder, name), withSources(text));
  }
  if (fs.existsSync('/etc/apt/sources.list'))
    fs.writeFileSync(
      path.join(folder, 'machine.list'),
      withSources(fs.readFileSync('/etc/apt/sources.list', 'utf8')),
    );
}

/** Boards need firmware, and its licences keep it out of the component that machines have by default. */
function withFirmware(deb822: string): string {
  return deb822.replaceAll(/^Components:(?!.*\bnon-free-firmware\b).*\bmain\b.*$/gm, '$& non-free-firmware');
}

/** Only Debian's own archives carry sources; a third party's list would only make the refresh fail. */
function withSources(text: string): string {
  const lines = text
    .split('\n')
    .filter((line) => /^deb\s/.test(line) && /\/debian(?:-security)?\/?\s/.test(line))
    .map((line) =>
      /\bnon-free-firmware\b/.test(line) ? line : line.replace(/\smain\b/, '$& non-free-firmware'),
    );
  return [...lines, ...lines.map((line) => line.replace(/^deb\s/, 'deb-src ')), ''].join('\n');
}

function listFolder(folder: string): string[] {
  try {
    return fs.readdirSync(folder).filter((name) => name.startsWith('debian') || name.endsWith('.list'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

function aptFailed(result: CommandResult, command: string): IcepkgError {
  const line = `${result.stderr}\n${result.stdout}`.split('\n').find((text) => /^[EW]:/.test(text));
  const unknown = /Unable to (?:find a source package for|locate package) (\S+)/.exec(line ?? '')?.[1];
  if (unknown !== undefined)
    return new IcepkgError('source-failed', `Debian has no package ${unknown} that this machine knows`, {
      hint: `Look for its name (apt-cache search ${unknown}), or see that the machine's list of repositories is right`,
    });
  return new IcepkgError('source-failed', `${command} failed: ${line ?? `exit status ${result.status}`}`);
}
