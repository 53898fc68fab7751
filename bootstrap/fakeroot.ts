/**
 * Runs file system makers so that they see owners, set-id bits, device nodes and attributes as the image will have them, without
 * root rights: fakeroot answers for the kernel where an ordinary user may not.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run } from '#pkgbuild/command';
import { IcepkgError } from '#schema/error';
import type { RootEntry } from './description.ts';

/** Longest list of paths for one command, in bytes. */
const MAX_ARGUMENTS = 100_000;

export interface FakerootRequest {
  readonly tree: string;
  readonly entries: readonly RootEntry[];
  /** Shell text that makes something of `$TREE`. */
  readonly script: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Programs that the script runs, with the Debian packages that hold them. */
  readonly tools: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** @throws IcepkgError `tool-missing` naming the Debian packages, `image-failed` with what the maker said */
export async function runFakeroot(request: FakerootRequest): Promise<void> {
  requireTools({ fakeroot: 'fakeroot', setfattr: 'attr', ...request.tools });
  const { tree, entries, script, environment = {}, signal } = request;
  const nodes = entries.filter(({ device }) => device !== undefined);
  const made = nodes.filter(({ path: file }) => !fs.existsSync(path.join(tree, file)));
  const text = [
    'set -eu',
    'cd "$TREE"',
    ...made.map(makeNode),
    ...owners(entries),
    ...modes(tree, entries, new Set(made)),
    ...attributes(entries),
    ...made.map(({ path: file }) => `touch -hd "@$SOURCE_DATE_EPOCH" -- ${quote(file)}`),
    'cd /',
    script,
  ].join('\n');
  const folder = fs.mkdtempSync(path.join(path.dirname(tree), '.fakeroot-'));
  try {
    const file = path.join(folder, 'script');
    fs.writeFileSync(file, text);
    // As many files as may be open, fakeroot closes at its start.
    const command = ['/bin/sh', '-c', 'ulimit -n 1024 || :; exec fakeroot -- /bin/sh "$0"', file];
    const result = await run(command, {
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C',
        TZ: 'UTC',
        TREE: tree,
        ...environment,
      },
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.status !== 0) {
      const said = `${result.stderr}\n${result.stdout}`.trim().split('\n').slice(-5).join('; ');
      throw new IcepkgError('image-failed', said === '' ? `ended with status ${result.status}` : said);
    }
  } finally {
    // The stand-ins that fakeroot left for device nodes are empty files.
    for (const { path: file } of made) fs.rmSync(path.join(tree, file), { force: true });
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** @throws IcepkgError `tool-missing` naming every Debian package that is missing at once */
export function requireTools(tools: Readonly<Record<string, string>>): void {
  const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const missing = Object.entries(tools).filter(
    ([tool]) => !folders.some((folder) => fs.existsSync(path.join(folder, tool))),
  );
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, debian]) => debian))].sort();
  throw new IcepkgError(
    'tool-missing',
    `${missing.map(([tool]) => tool).join(', ')}: not installed on this machine`,
    { hint: `On Debian: apt-get install ${packages.join(' ')}` },
  );
}

const makeNode = ({ path: file, type, device }: RootEntry): string =>
  `mknod -- ${quote(file)} ${type === 'block-device' ? 'b' : 'c'} ${device?.major ?? 0} ${device?.minor ?? 0}`;

/** Whose a file is on disk counts for nothing: fakeroot shows all files as root's until they are given to somebody. */
function owners(entries: readonly RootEntry[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { uid, gid, path: file } of entries)
    if (uid !== 0 || gid !== 0) append(groups, `${uid}:${gid}`, file);
  return [...groups].flatMap(([owner, files]) => command(`chown -h ${owner} --`, files));
}

/** Changing an owner clears set-id bits, so modes come after. */
function modes(tree: string, entries: readonly RootEntry[], made: ReadonlySet<RootEntry>): string[] {
  const groups = new Map<string, string[]>();
  for (const entry of entries) {
    if (entry.type === 'symlink') continue;
    const special = (entry.mode & 0o6000) !== 0;
    const onDisk = made.has(entry) ? -1 : fs.lstatSync(path.join(tree, entry.path)).mode & 0o7777;
    if (special || onDisk !== entry.mode) append(groups, entry.mode.toString(8), entry.path);
  }
  return [...groups].flatMap(([mode, files]) => command(`chmod ${mode} --`, files));
}

const attributes = (entries: readonly RootEntry[]): string[] =>
  entries.flatMap(({ path: file, xattrs = {} }) =>
    Object.entries(xattrs).map(
      ([name, value]) => `setfattr -h -n ${quote(name)} -v 0s${value} -- ${quote(file)}`,
    ),
  );

function append(groups: Map<string, string[]>, key: string, file: string): void {
  const files = groups.get(key);
  if (files === undefined) groups.set(key, [file]);
  else files.push(file);
}

function command(start: string, files: readonly string[]): string[] {
  const lines: string[] = [];
  let line = start;
  for (const file of files) {
    if (line.length > MAX_ARGUMENTS) {
      lines.push(line);
      line = start;
    }
    line += ` ${quote(file)}`;
  }
  return [...lines, line];
}

export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
