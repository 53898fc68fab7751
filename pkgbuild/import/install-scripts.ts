/** Install scripts of others: declared where a recipe has words for what they do, else carried as they stand, else told. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { isErrno } from '#schema/error';
import { readScript, type Declarations, type ReadScript } from './declared-script.ts';
import type { DraftSubpackage, Notes } from './draft.ts';
import { isForBash } from './steps.ts';

export type ScriptName =
  'preInstall' | 'postInstall' | 'preUpgrade' | 'postUpgrade' | 'preRemove' | 'postRemove';

/** What the scripts of one package come to. */
export interface Scripted extends Declarations {
  readonly scripts: Readonly<Partial<Record<ScriptName, string>>>;
}

export interface ForeignScript {
  /** Of the other package manager. */
  readonly name: string;
  readonly runs: ScriptName;
  /** `undefined` where it could not be read. */
  readonly text: string | undefined;
}

interface Telling {
  readonly notes: Notes;
  readonly field: string;
  readonly line: number | undefined;
}

const MAX_BYTES = 64 * 1024;

/** `undefined` where there is no such file of a sensible size. */
export function scriptBeside(file: string, name: string): string | undefined {
  const at = path.join(path.dirname(file), path.basename(name));
  try {
    return fs.statSync(at).size > MAX_BYTES ? undefined : fs.readFileSync(at, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EISDIR')) return undefined;
    throw error;
  }
}

/** Reads the scripts of one package, and tells of each what became of it. */
export function importScripts(scripts: readonly ForeignScript[], telling: Telling): Scripted {
  const carried: Partial<Record<ScriptName, string>> = {};
  const declared = scripts.flatMap((script): Declarations[] => {
    const { notes, field, line } = telling;
    const tell = (kind: 'lost' | 'open' | 'left', why: string): void =>
      notes.add(kind, field, `${script.name} ${why}`, line);
    if (script.text === undefined) {
      tell('lost', 'is not beside the file: say what it does, or import again with it there');
      return [];
    }
    const read = readScript(script.text);
    const foreign = foreignIn(script.text, read);
    if (read.whole) tell('left', does(read.declared));
    else if (foreign !== undefined) tell('lost', `${foreign}: say what it does under scripts`);
    else {
      carried[script.runs] = portable(script.text);
      tell('open', 'is carried as it stands: look whether it can be declared, and whether it runs here');
    }
    // Accounts are there before files are given to them, also where a script would make them once more.
    return read.whole ? [read.declared] : [{ ...read.declared, directories: [], owners: [] }];
  });
  return { ...merged(declared), scripts: carried };
}

/** A subpackage with what its scripts come to; owners are said for all packages of a recipe together. */
export const withScripts = (part: DraftSubpackage, scripted: Scripted | undefined): DraftSubpackage => {
  const { owners: _, ...declared } = scripted ?? { owners: [] };
  return { ...part, ...declared };
};

function does({ users, groups, directories, owners }: Declarations): string {
  const made = [
    ...(users.length + groups.length > 0 ? ['accounts'] : []),
    ...(directories.length > 0 ? ['directories'] : []),
    ...(owners.length > 0 ? ['owners'] : []),
  ];
  return made.length === 0 ? 'changes nothing' : `makes ${made.join(' and ')}, which are declared`;
}

/** Programs that only the other system has. */
const FOREIGN =
  /(?:^|[\s;&|(`])(?:\/(?:usr\/)?s?bin\/)?(apk|rc-update|rc-service|openrc|setup-[a-z]+|lbu|systemctl|systemd-[a-z]+|pacman|update-rc\.d|dbus-[a-z]+|udevadm|dkms|mkinitcpio|update-ca-trust|update-desktop-database|update-mime-database|gtk-update-icon-cache|glib-compile-schemas|gconfpkg|xdg-icon-resource|install-info|fc-cache|vercmp)(?=[\s;)&|]|$)/m;

/** BusyBox has programs of its own for accounts; those that are declared are there when the others are not found. */
const SHADOW = /(?:^|[\s;&|(`])(groupadd|useradd|usermod|gpasswd)(?=[\s;)&|]|$)/m;

function foreignIn(text: string, { unknownAccounts }: ReadScript): string | undefined {
  const [first = ''] = text.split('\n', 1);
  if (first.startsWith('#!') && !/^#!\s*(?:\/usr)?\/bin\/(?:env )?(?:sh|ash|dash|busybox sh)\b/.test(first))
    return `is written for ${first.slice(2).trim()}`;
  const code = text.replaceAll(/^\s*#.*$/gm, '');
  if (isForBash(code)) return 'is written for bash';
  const account = unknownAccounts ? SHADOW.exec(code)?.[1] : undefined;
  const program = account ?? FOREIGN.exec(code)?.[1] ?? /\/etc\/(?:init|rc)\.d\//.exec(code)?.[0];
  return program === undefined ? undefined : `calls ${program}, which is not here`;
}

/** With what others give their scripts: versions as words, and no end at the first failure. */
function portable(text: string): string {
  const code = text.replace(/^#!.*\n/, '').trim();
  const wantsVersions = /\$(?:[12@*]|\{[12][:}%#-])/.test(code.replaceAll(/'[^']*'/g, ''));
  const words = wantsVersions ? 'set -- "${ICEPKG_NEW_VERSION-}" "${ICEPKG_OLD_VERSION-}"\n' : '';
  return `set +e\n${words}${code}\n`;
}

/** Of what is said twice the later one counts. */
function merged(parts: readonly Declarations[]): Declarations {
  const by = <T>(list: readonly T[], key: (one: T) => string): T[] => [
    ...new Map(list.map((one) => [key(one), one])).values(),
  ];
  return {
    users: by(
      parts.flatMap(({ users }) => users),
      ({ name }) => name,
    ),
    groups: by(
      parts.flatMap(({ groups }) => groups),
      ({ name }) => name,
    ),
    directories: by(
      parts.flatMap(({ directories }) => directories),
      ({ path: at }) => at,
    ),
    owners: by(
      parts.flatMap(({ owners }) => owners),
      ({ path: at }) => at,
    ),
  };
}
