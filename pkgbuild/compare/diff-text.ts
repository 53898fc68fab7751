/** A difference of packages for people. */
import type { ChangedFile, PackageDiff } from './diff.ts';

/** At most so many symbols of a library are named. */
const SYMBOLS_SHOWN = 20;

/** Lines that begin with `+`, `-` or `~`, under headings. @param size words for a number of bytes */
export function diffText(diff: PackageDiff, size: (bytes: number) => string): string[] {
  const lines = [heading(diff)];
  const section = (title: string, content: readonly string[]): void => {
    if (content.length > 0) lines.push('', title, ...content.map((line) => `  ${line}`));
  };
  const growth = (before: number, after: number): string =>
    before === after
      ? size(after)
      : `${size(before)} -> ${size(after)} (${after > before ? '+' : '-'}${size(Math.abs(after - before))})`;
  lines.push(
    `package size ${growth(diff.old.size, diff.new.size)}, installed ${growth(diff.old.installedSize, diff.new.installedSize)}`,
  );
  const files = (sign: string, list: PackageDiff['files']['added']): string[] =>
    list.map(({ path, type, size: bytes }) => `${sign} ${path} (${type === 'file' ? size(bytes) : type})`);
  const changed = ({ path, oldSize, newSize, changes }: ChangedFile): string =>
    `~ ${path}: ${changes.map((change) => (change === 'content' ? `content ${growth(oldSize, newSize)}` : change)).join(', ')}`;
  section('Files', [
    ...files('+', diff.files.added),
    ...files('-', diff.files.removed),
    ...diff.files.changed.map(changed),
  ]);
  for (const [name, { added, removed }] of Object.entries(diff.lists))
    section(name, [...removed.map((item) => `- ${item}`), ...added.map((item) => `+ ${item}`)]);
  section(
    'Fields',
    Object.entries(diff.fields).map(
      ([name, { old, new: now }]) => `~ ${name}: ${plain(old)} -> ${plain(now)}`,
    ),
  );
  for (const { soname, added, removed } of diff.symbols) {
    const warning = removed.length === 0 ? '' : ': programs that use what was removed break';
    section(`Symbols of ${soname}${warning}`, [...some('-', removed), ...some('+', added)]);
  }
  return lines;
}

function heading({ old, new: now }: PackageDiff): string {
  const name = ({ name, version, arch }: PackageDiff['old']): string => `${name} ${version} ${arch}`;
  return `${name(old)} -> ${name(now)}`;
}

const plain = (value: unknown): string =>
  value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value);

function some(sign: string, names: readonly string[]): string[] {
  const lines = names.slice(0, SYMBOLS_SHOWN).map((name) => `${sign} ${name}`);
  const more = names.length - lines.length;
  return more > 0 ? [...lines, `${sign} and ${more} more`] : lines;
}
