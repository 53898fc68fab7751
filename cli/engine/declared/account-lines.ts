/**
 * Reads `etc/passwd` and `etc/group` line by line. Texts are held as latin1, so that every byte of a line that is
 * not ours comes out as it went in.
 */
import { IcepkgError } from '#schema/error';

/** The account files of a root, by the names they have in `etc`; `undefined` where one is not there. */
export interface AccountTexts {
  readonly passwd: string | undefined;
  readonly group: string | undefined;
  readonly shadow: string | undefined;
  readonly gshadow: string | undefined;
}

export interface AccountLine {
  /** Number of the line, from 0. */
  readonly at: number;
  readonly name: string;
  /** uid in `passwd`, gid in `group`. */
  readonly id: number;
  readonly fields: readonly string[];
}

const FIELDS = { passwd: 7, group: 4 } as const;

/**
 * Empty lines, comments and the `+` and `-` lines of NIS stand for no account and are left alone.
 * @throws IcepkgError `config-invalid` naming file and line
 */
export function accountLines(file: 'passwd' | 'group', text: string): readonly AccountLine[] {
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '' || /^[#+-]/.test(line)) return [];
    const fields = line.split(':');
    const [name = '', , id = ''] = fields;
    const isValid =
      fields.length === FIELDS[file] &&
      name !== '' &&
      isId(id) &&
      (file === 'group' || isId(fields[3] ?? ''));
    if (!isValid) {
      throw new IcepkgError('config-invalid', `/etc/${file}, line ${at + 1}: not a valid line`, {
        hint: `A line has ${FIELDS[file]} fields between colons, with numbers for ids; mend it and try again`,
      });
    }
    return [{ at, name, id: Number(id), fields }];
  });
}

const isId = (text: string): boolean => /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_fffe;

/** Adds a line at the end, whether or not the text ended in a newline. */
export function withLine(text: string, line: string): string {
  const start = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${start}${line}\n`;
}

/** Adds `member` to the group `name`: field 3 of `group` and `gshadow` alike. */
export function withMember(text: string, name: string, member: string): string {
  const lines = text.split('\n').map((line) => {
    const fields = line.split(':');
    if (fields[0] !== name || fields.length !== 4) return line;
    const members = (fields[3] ?? '').split(',').filter((one) => one !== '');
    return members.includes(member)
      ? line
      : [...fields.slice(0, 3), [...members, member].join(',')].join(':');
  });
  return lines.join('\n');
}

/** True where a line is about `name`. */
export const hasLine = (text: string, name: string): boolean =>
  text.split('\n').some((line) => line.startsWith(`${name}:`));
