/** Rules on what a package says of itself, and on whether its files keep it. */
import { posix } from 'node:path';
import type { FileEntry, Manifest } from '#schema/manifest';
import { nearest } from '#schema/nearest';
import { interpreterOf } from '../shebang.ts';
import { BASE_ACCOUNTS, bareName, type PackageRule, type PackageView, type Remark } from './rule.ts';

const COPYLEFT = /\b[AL]?GPL-|\bMPL-|\bEPL-|\bCDDL-|\bEUPL-/;
const LICENSE_FILE = /^usr\/share\/(?:licenses|doc)\/[^/]+\/.*(?:COPYING|COPYRIGHT|LICEN[CS]E|copyright)/i;

const namesProvidedBy = (manifest: Manifest): string[] => [
  manifest.name,
  ...(manifest.provides ?? []).map(bareName),
];

/** Names of a dependency: one, or several that are alternatives. None for a conflict. */
const alternatives = (dependency: string): string[] =>
  dependency.startsWith('!') ? [] : dependency.split('|').map((part) => bareName(part.trim()));

/** Packages that are installed with this one, as far as they are looked at together. */
function installedWith({ manifest, together }: PackageView): Manifest[] {
  const found = new Set([manifest]);
  for (const one of found) {
    const wanted = new Set((one.depends ?? []).flatMap(alternatives));
    for (const other of together)
      if (namesProvidedBy(other).some((name) => wanted.has(name))) found.add(other);
  }
  return [...found];
}

function unprovided(view: PackageView, kind: RegExp): Remark[] {
  const offered = new Set(view.together.flatMap(namesProvidedBy));
  return (view.manifest.depends ?? []).flatMap((dependency) => {
    const names = alternatives(dependency);
    if (names.length === 0 || !kind.test(dependency) || names.some((name) => offered.has(name))) return [];
    const guess = names.map((name) => nearest(name, offered)).find((name) => name !== undefined);
    const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
    return [{ message: `${view.manifest.name} needs ${dependency}, which no package here provides${hint}` }];
  });
}

/** Whether everything that the package needs is among those that are looked at together. */
export const needsAreKnown = (view: PackageView): boolean =>
  installedWith(view).every((manifest) => unprovided({ ...view, manifest }, /./).length === 0);

const isExecutable = (entry: FileEntry): boolean => 'mode' in entry && (entry.mode & 0o111) !== 0;

function undeclaredInterpreters(view: PackageView): Remark[] {
  const near = installedWith(view);
  const commands = new Set(near.flatMap((manifest) => namesProvidedBy(manifest)));
  const needs = new Set((view.manifest.depends ?? []).flatMap(alternatives));
  return view.files.flatMap(({ entry, shebang }) => {
    if (shebang === undefined || !isExecutable(entry)) return [];
    const program = interpreterOf(shebang);
    const command = posix.basename(program);
    const names = [command, `cmd:${command}`];
    if (names.some((name) => needs.has(name) || commands.has(name))) return [];
    return [
      {
        path: entry.path,
        message: `${entry.path} is started by ${program}, which ${view.manifest.name} does not depend on`,
      },
    ];
  });
}

function undeclaredAccounts({ manifest, together }: PackageView): Remark[] {
  const users = new Set(together.flatMap((one) => (one.users ?? []).map(({ name }) => name)));
  const groups = new Set([
    ...users,
    ...together.flatMap((one) => (one.groups ?? []).map(({ name }) => name)),
  ]);
  const unknown = (known: ReadonlySet<string>, name: string | undefined): name is string =>
    name !== undefined && !known.has(name) && !BASE_ACCOUNTS.has(name);
  const remarks: Remark[] = [];
  for (const { name, user } of manifest.services ?? [])
    if (unknown(users, user))
      remarks.push({ message: `service ${name} runs as ${user}, which no package here declares` });
  for (const entry of manifest.files) {
    const { user, group } = 'user' in entry || 'group' in entry ? entry : {};
    const name = [unknown(users, user) ? user : undefined, unknown(groups, group) ? group : undefined].find(
      (account) => account !== undefined,
    );
    if (name !== undefined)
      remarks.push({
        path: entry.path,
        message: `${entry.path} belongs to ${name}, which no package here declares`,
      });
  }
  return remarks;
}

function missingCommands(view: PackageView): Remark[] {
  const present = new Set(installedWith(view).flatMap(({ files }) => files.map(({ path }) => path)));
  return (view.manifest.services ?? []).flatMap(({ name, command }) => {
    const program = (command[0] ?? '').replace(/^\//, '');
    return present.has(program)
      ? []
      : [
          {
            message: `service ${name} starts /${program}, which neither ${view.manifest.name} nor its dependencies hold`,
          },
        ];
  });
}

const perFile =
  (test: (file: PackageView['files'][number]) => boolean, message: (path: string) => string) =>
  ({ files }: PackageView): Remark[] =>
    files.filter(test).map(({ entry }) => ({ path: entry.path, message: message(entry.path) }));

const missing =
  (field: 'license' | 'description') =>
  ({ manifest }: PackageView): Remark[] =>
    manifest[field] === undefined ? [{ message: `${manifest.name} has no ${field}` }] : [];

export const METADATA_RULES: readonly PackageRule[] = [
  {
    name: 'package-empty',
    severity: 'warning',
    why: 'A package without files and without dependencies does nothing when it is installed.',
    fix: 'Look where the steps install to; everything belongs below `$DESTDIR`. A package that only pulls in others has `depends`.',
    check: ({ manifest }) =>
      [manifest.files, manifest.depends, manifest.users, manifest.groups, manifest.alternatives].every(
        (list) => (list?.length ?? 0) === 0,
      )
        ? [{ message: `${manifest.name} holds nothing and needs nothing` }]
        : [],
  },
  {
    name: 'package-without-license',
    severity: 'warning',
    why: 'Nobody may use or pass on what has no licence.',
    fix: 'Say `license` with an SPDX expression.',
    check: missing('license'),
  },
  {
    name: 'package-without-description',
    severity: 'style',
    why: 'Lists and searches show the description.',
    fix: 'Say in one line what the package is for.',
    check: missing('description'),
  },
  {
    name: 'license-text-missing',
    severity: 'style',
    why: 'Licences of the GPL family and their like ask for their text to be passed on with every copy.',
    fix: 'Install the text of the licence below `usr/share/licenses/NAME`.',
    check: ({ manifest, together }) =>
      COPYLEFT.test(manifest.license ?? '') &&
      manifest.files.some(({ type }) => type === 'file') &&
      !together.some(
        (one) => one.origin === manifest.origin && one.files.some(({ path }) => LICENSE_FILE.test(path)),
      )
        ? [{ message: `${manifest.name} is under ${manifest.license ?? ''} and comes without its text` }]
        : [],
  },
  {
    name: 'library-unprovided',
    severity: 'warning',
    needsAll: true,
    why: 'A program is linked to a library that no package here has, so the package cannot be installed with what is here.',
    fix: 'Add the recipe of the library, or configure without it.',
    check: (view) => unprovided(view, /^so:/),
  },
  {
    name: 'dependency-unprovided',
    severity: 'warning',
    needsAll: true,
    why: 'No package here has that name or capability, so the package cannot be installed with what is here.',
    fix: 'Correct the name, or add the recipe that is missing.',
    check: (view) => unprovided(view, /^(?!so:)/),
  },
  {
    name: 'interpreter-undeclared',
    severity: 'warning',
    needsAll: true,
    why: 'A script does not start where its interpreter is not installed.',
    fix: 'Add the interpreter under `depends`, as `cmd:NAME` where any will do, or leave the script out.',
    check: undeclaredInterpreters,
  },
  {
    name: 'interpreter-not-on-system',
    severity: 'error',
    why: 'The interpreter of the script is a path of the machine that built it, or no whole path.',
    fix: 'Change the first line in `install`, or configure with the path that the program has on the system.',
    check: perFile(
      ({ shebang, entry }) =>
        shebang !== undefined &&
        isExecutable(entry) &&
        (!shebang.startsWith('/') || /^\/(?:build|usr\/local|home|tmp)\//.test(shebang)),
      (path) => `${path} begins with the path of an interpreter that no system has`,
    ),
  },
  {
    name: 'build-path',
    severity: 'warning',
    why: 'The content names a folder of the build, which does not exist on the system: a default that fails, or a sign of what should have been configured.',
    fix: 'Look at what the path is for. `strings FILE | grep /build/` shows it.',
    check: ({ files }) =>
      files
        .filter(({ buildPath }) => buildPath !== undefined)
        .map(({ entry, buildPath }) => ({
          path: entry.path,
          message: `${entry.path} mentions ${buildPath ?? ''}`,
        })),
  },
  {
    name: 'gzip-time',
    severity: 'warning',
    why: 'A time inside a compressed file is another one at every build.',
    fix: 'Compress with `gzip -n`.',
    check: perFile(
      ({ gzipTime }) => gzipTime !== undefined && gzipTime !== 0,
      (path) => `${path} holds the time when it was compressed`,
    ),
  },
  {
    name: 'compressed-manual',
    severity: 'style',
    why: 'Packages are compressed already; a compressed page cannot be patched in an upgrade and needs a decompressor to be read.',
    fix: 'Install the page as it is.',
    check: perFile(
      ({ entry }) => /^usr\/share\/(?:man|info)\/.*\.(?:gz|bz2|xz|zst)$/.test(entry.path),
      (path) => `${path} is compressed`,
    ),
  },
  {
    name: 'config-undeclared',
    severity: 'warning',
    why: 'A file below `etc` that is no declared configuration file is overwritten by every upgrade, with what the operator changed.',
    fix: 'Name it under `configFiles`, or install what nobody edits below `usr`.',
    check: perFile(
      ({ entry }) => entry.path.startsWith('etc/') && entry.config !== true,
      (path) => `${path} is not declared as a configuration file`,
    ),
  },
  {
    name: 'config-elsewhere',
    severity: 'style',
    why: 'Operators look for configuration below `etc`, and read-only systems keep only that writable.',
    fix: 'Install it below `etc`, or take it off `configFiles`.',
    check: perFile(
      ({ entry }) => entry.config === true && !entry.path.startsWith('etc/'),
      (path) => `${path} is a configuration file outside etc`,
    ),
  },
  {
    name: 'account-undeclared',
    severity: 'warning',
    needsAll: true,
    why: 'A service or a file names an account that no package makes, so the service does not start or the file has no owner.',
    fix: 'Declare the account under `users` or `groups`.',
    check: undeclaredAccounts,
  },
  {
    name: 'service-command-missing',
    severity: 'warning',
    needsAll: true,
    why: 'The program of the service is neither in the package nor in what it depends on.',
    fix: 'Correct the path of `command`, or depend on the package that holds the program.',
    check: missingCommands,
  },
  {
    name: 'script-declarable',
    severity: 'style',
    why: 'A script cannot run where an image is composed for another processor, and cannot be undone; accounts, links and modes can be declared.',
    fix: 'Declare `users`, `groups`, `alternatives` or `owners` instead.',
    check: ({ manifest }) =>
      Object.entries(manifest.scripts ?? {})
        .filter(([, text]) =>
          /\b(?:adduser|addgroup|useradd|groupadd|chown|chmod|ln -s|mkdir)\b/.test(text ?? ''),
        )
        .map(([name]) => ({ message: `script ${name} of ${manifest.name} does what can be declared` })),
  },
];
