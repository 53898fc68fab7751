/** Makes text from packages, repositories and files safe for a terminal. */
import { UNPRINTABLE } from '#schema/fields';

const EVERY = new RegExp(UNPRINTABLE.source, 'gu');

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** One line: every control character and bidirectional mark, line ends too, becomes visible. */
export const escapeText = (text: string): string => text.replace(EVERY, escaped);

/** Several lines: like `escapeText`, but line ends stay. */
export const escapeLines = (text: string): string => text.split('\n').map(escapeText).join('\n');

/** JSON for people and programs alike: marks that JSON itself would let through are written as `\uXXXX`. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(EVERY, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
