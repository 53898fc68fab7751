/** What every hint has in common: the commands in it work as they stand, for the root that was given. */
import { nearest } from '#schema/nearest';
import type { CommandHelp, CommandTable } from './command-table.ts';

/**
 * Puts `--root DIR` into the commands of hints, where the command line at hand has it and they take it.
 * @param argv the words that were typed after `icepkg`
 */
export function hintWriter(table: CommandTable, argv: readonly string[]): (hint: string) => string {
  const root = givenRoot(argv);
  if (root === undefined) return (hint) => hint;
  const flag = ` --root ${/[^\w@%+=:,./-]/.test(root) ? `'${root.replaceAll("'", `'\\''`)}'` : root}`;
  const takesRoot = new Set(
    table.commands.filter(({ flags }) => flags.some(({ name }) => name === 'root')).map(({ id }) => id),
  );
  const complete = (text: string): string => {
    const [, first = '', second = ''] = /^icepkg ([a-z-]+)(?: ([a-z-]+))?/.exec(text) ?? [];
    const id = [`${first}:${second}`, first].find((one) => takesRoot.has(one));
    if (id === undefined || / --(?:root|help)\b/.test(text)) return text;
    const end = 'icepkg '.length + id.length;
    return `${text.slice(0, end)}${flag}${text.slice(end)}`;
  };
  return (hint) =>
    hint
      .split(/(?=\bicepkg [a-z])/)
      .map(complete)
      .join('');
}

function givenRoot(argv: readonly string[]): string | undefined {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  const at = words.findLastIndex((word) => word === '--root' || word.startsWith('--root='));
  return words[at] === '--root' ? words[at + 1] : words[at]?.slice('--root='.length);
}

/** The flag or command that was probably meant, as a sentence before the way to all of them. */
export function meant(near: string | undefined, all: string): string {
  return near === undefined ? all : `Did you mean ${near}? ${all}`;
}

/** What to type where a command has no such flag. */
export function flagHint({ id, flags }: CommandHelp, given: string | undefined): string {
  const name = given?.startsWith('--') === true ? given.slice(2).replace(/=.*/, '') : undefined;
  const near =
    name === undefined
      ? undefined
      : nearest(
          name,
          flags.map((flag) => flag.name),
        );
  return meant(near === undefined ? undefined : `--${near}`, `See: icepkg ${id.replaceAll(':', ' ')} --help`);
}
