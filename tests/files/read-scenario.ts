/**
 * Whole installs as plain text (`scenarios/*.txt`). A scenario:
 *
 *     == its title
 *     main: app 2 needs lib@>=2 has bin/app, etc/app.conf=two (config)     what a repository offers
 *     local: app 3 has bin/app                      package files at hand, named `./app` in the command
 *     installed: app 1 has bin/app; lib 1           one transaction before; further lines are further ones
 *     world: app                                    what was asked for; all that is installed where it is left out
 *     orphans: kept                                what nobody asked for and nothing needs is there, and stays
 *     holds: app                                    also `keep:` and `skip:` with globs, `pins: app=edge`
 *     before: lib -> usr/lib                        on the disk before anything was installed
 *     disk: etc/app.conf=mine, -bin/app             what somebody does to the disk then, `-` for deleted
 *     $ upgrade                                     install, remove, upgrade, reinstall, autoremove, hold, unhold, rollback;
 *                                                   several, with `disk:` between them, of which the last is looked at
 *     packages: app 2; lib 2 (needed)               all that is installed then; `needed`: nobody asked for it
 *     files: bin/app, etc/app.conf=two, lib -> usr/lib      all that is on the disk then
 *     says: a part of a notice
 *
 * or `no: code, a part of the message`. `1` stands for `1.0.0-r0`. Files are `path`, `path=text`, `path -> target`, `path == path`,
 * `path/`; `(config)` and modes such as `(755)` follow. Without a text a file of `app 1` holds `app 1`, one of the
 * disk `mine`; quotes keep spaces. After a name and version: needs, provides, recommends, replaces, when (installIf), priority,
 * arch and has.
 */
import type { Arch } from '#schema/fields';

export interface FileSpec {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Of a file its text, of a link its target. */
  readonly text: string | undefined;
  readonly mode: number | undefined;
  readonly config: boolean;
}

export interface PackageSpec {
  readonly name: string;
  readonly version: string;
  readonly arch: Arch;
  readonly priority: number | undefined;
  readonly lists: Partial<Record<ListField, string[]>>;
  readonly files: readonly FileSpec[];
}

type ListField = 'depends' | 'provides' | 'recommends' | 'replaces' | 'installIf';

export interface Scenario {
  readonly title: string;
  readonly repositories: ReadonlyMap<string, readonly PackageSpec[]>;
  readonly local: readonly PackageSpec[];
  /** One list for every transaction. */
  readonly installed: readonly (readonly PackageSpec[])[];
  readonly world: readonly string[] | undefined;
  readonly holds: readonly string[];
  readonly pins: Readonly<Record<string, string>>;
  readonly keep: readonly string[];
  readonly skip: readonly string[];
  /** Packages that nobody asked for and nothing needs are there and stay. */
  readonly keepOrphans: boolean;
  readonly before: readonly FileSpec[];
  /** The last one is looked at. */
  readonly steps: readonly Step[];
  readonly expected: readonly string[];
}

/** What somebody does to the disk, then a command as its words. */
export interface Step {
  readonly disk: readonly Edit[];
  readonly command: readonly string[];
}

export type Edit = FileSpec | { readonly deleted: string };

const FIELDS: Readonly<Record<string, ListField>> = {
  needs: 'depends',
  provides: 'provides',
  recommends: 'recommends',
  replaces: 'replaces',
  when: 'installIf',
};

export const longVersion = (version: string): string => {
  const [upstream = '', release = '0'] = version.split('-r');
  return `${[...upstream.split('.'), '0', '0'].slice(0, 3).join('.')}-r${release}`;
};

export const shortVersion = (version: string): string =>
  version.replace(/-r0$/, '').replace(/^(\d+(?:\.[1-9]\d*)?)(?:\.0){1,2}(?=-|$)/, '$1');

export function readScenarios(text: string): readonly Scenario[] {
  return text
    .split(/^== /m)
    .slice(1)
    .map((part) => {
      const [title = '', ...lines] = part.split('\n').map((line) => line.trim());
      return readScenario(
        title,
        lines.filter((line) => line !== '' && !line.startsWith('#')),
      );
    });
}

const NOT_REPOSITORIES = new Set('local installed world orphans holds pins keep skip before disk'.split(' '));

function readScenario(title: string, lines: readonly string[]): Scenario {
  const action = lines.findIndex((line) => line.startsWith('$'));
  const values = new Map<string, string[]>();
  for (const line of lines.slice(0, action)) {
    const [, key = '', value = ''] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (key === '') throw new Error(`not a line of a scenario: ${line}`);
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  const of = (key: string): readonly string[] => values.get(key) ?? [];
  const packages = (text: string): readonly PackageSpec[] => items(text, ';').map(readPackage);
  return {
    title,
    repositories: new Map(
      [...values.keys()]
        .filter((key) => !NOT_REPOSITORIES.has(key))
        .map((key) => [key, of(key).flatMap(packages)]),
    ),
    local: of('local').flatMap(packages),
    installed: of('installed').map(packages),
    world: values.has('world') ? of('world').flatMap(words) : undefined,
    holds: of('holds').flatMap(words),
    pins: Object.fromEntries(
      of('pins')
        .flatMap(words)
        .map((one) => one.split('=')),
    ) as Record<string, string>,
    keep: of('keep').flatMap(words),
    skip: of('skip').flatMap(words),
    keepOrphans: values.has('orphans'),
    before: of('before').flatMap((text) => items(text, ',').map(readFile)),
    steps: readSteps(lines),
    expected: lines.slice(action).filter((line) => !/^(?:\$|disk:)/.test(line)),
  };
}

function readSteps(lines: readonly string[]): readonly Step[] {
  const steps: Step[] = [];
  let disk: Edit[] = [];
  for (const line of lines) {
    if (line.startsWith('disk:')) disk.push(...items(line.slice(5), ',').map(readEdit));
    if (!line.startsWith('$')) continue;
    steps.push({ disk, command: words(line.slice(1)) });
    disk = [];
  }
  return steps;
}

const readEdit = (text: string): Edit =>
  text.startsWith('-') ? { deleted: unquoted(text.slice(1)) } : readFile(text);

export const items = (text: string, separator: string): string[] =>
  text
    .split(separator)
    .map((one) => one.trim())
    .filter((one) => one !== '');

/** `file{1..3}` are three. */
export function numbered(text: string): readonly string[] {
  const [all, first, last] = /\{(\d+)\.\.(\d+)\}/.exec(text) ?? [];
  if (all === undefined) return [text];
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, index) => text.replace(all, String(Number(first) + index)));
}

const unquoted = (text: string): string => text.replaceAll('"', '');

const words = (text: string): readonly string[] => text.match(/"[^"]*"|\S+/g)?.map(unquoted) ?? [];

/** `app 1 needs lib@>=2, !other has bin/app` */
function readPackage(text: string): PackageSpec {
  const [head = '', ...clauses] = text.split(
    / (?=(?:needs|provides|recommends|replaces|when|priority|arch|has)\b)/,
  );
  const [name = '', version = ''] = head.split(' ');
  const lists: Partial<Record<ListField, string[]>> = {};
  let priority: number | undefined;
  let arch: Arch = 'x86_64';
  let files: readonly FileSpec[] = [];
  for (const clause of clauses) {
    const [word = ''] = clause.split(' ');
    const value = clause.slice(word.length + 1);
    const field = FIELDS[word];
    if (field !== undefined) lists[field] = items(value, ',').map(fullCapability);
    else if (word === 'priority') priority = Number(value);
    else if (word === 'arch') arch = value as Arch;
    else files = items(value, ',').flatMap(numbered).map(readFile);
  }
  return { name, version: longVersion(version), arch, priority, lists, files };
}

/** `mta@=1` is `mta@=1.0.0`, `lib@=1-r2` names one release. */
const fullCapability = (text: string): string =>
  text.replace(
    /@=([\d.]+)(-r\d+)?$/,
    (_, version: string, release = '') => `@=${longVersion(version).replace('-r0', '')}${release}`,
  );

function readFile(text: string): FileSpec {
  const notes: string[] = [];
  let rest = text;
  for (let note = NOTE.exec(rest); note !== null; note = NOTE.exec(rest)) {
    notes.push(note[1] ?? '');
    rest = rest.slice(0, note.index);
  }
  const mode = notes.find((note) => /^[0-7]+$/.test(note));
  const common = {
    mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
    config: notes.includes('config'),
  };
  const [path = '', target] = rest.split(' -> ').map(unquoted);
  if (target !== undefined) return { ...common, type: 'symlink', path, text: target };
  const [name = '', other] = path.split(' == ');
  if (other !== undefined) return { ...common, type: 'hardlink', path: name, text: other };
  if (path.endsWith('/')) return { ...common, type: 'directory', path: path.slice(0, -1), text: undefined };
  const equals = path.indexOf('=');
  return equals === -1
    ? { ...common, type: 'file', path, text: undefined }
    : { ...common, type: 'file', path: path.slice(0, equals), text: path.slice(equals + 1) };
}

const NOTE = / \(([a-z0-7]+)\)$/;
