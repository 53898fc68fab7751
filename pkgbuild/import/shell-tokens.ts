/**
 * Cuts shell text into tokens without running any of it: words as they are written, operators, and the bounds of here
 * documents, with the quoting rules of POSIX shell and of bash. Nothing here recurses on input.
 */

export interface ShellToken {
  /** `word`, or the operator itself; a line feed is `\n`. */
  readonly kind: 'word' | '\n' | ';' | ';;' | '&' | '&&' | '|' | '||' | '(' | ')';
  /** As it is written, quotes included. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Why a text cannot be read as shell. */
export class ShellError extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** Quotes and substitutions in one another. */
const MAX_DEPTH = 100;
const MAX_TOKENS = 200_000;
const OPERATORS = [';;', '&&', '||', '|&', ';', '&', '|', '(', ')'] as const;

/** The content of a here document. */
export interface HereText {
  readonly start: number;
  readonly end: number;
  /** Nothing in it is expanded. */
  readonly quoted: boolean;
}

/**
 * All tokens of a text. Comments and the content of here documents are none.
 * @param hereTexts receives the places of here documents
 * @throws ShellError
 */
export function tokenize(text: string, hereTexts: HereText[] = []): ShellToken[] {
  const tokens: ShellToken[] = [];
  const pending: HereDocument[] = [];
  let at = 0;
  const push = (kind: ShellToken['kind'], end: number): void => {
    if (tokens.length >= MAX_TOKENS) throw new ShellError('too many words', at);
    tokens.push({ kind, text: text.slice(at, end), start: at, end });
    at = end;
  };
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === '\n') {
      push('\n', at + 1);
      for (let document = pending.shift(); document !== undefined; document = pending.shift()) {
        const start = at;
        at = skipHereDocument(text, at, document);
        hereTexts.push({ start, end: at, quoted: document.quoted });
      }
    } else if (char === ' ' || char === '\t' || char === '\r') at++;
    else if (char === '\\' && text.charAt(at + 1) === '\n') at += 2;
    else if (char === '#') at = endOfLine(text, at);
    else if (text.startsWith('<<<', at)) at += 3;
    else if (text.startsWith('<<', at)) {
      const document = readHereDocument(text, at);
      pending.push(document);
      at = document.end;
    } else if (char === '<' || char === '>')
      at =
        text.charAt(at + 1) === '('
          ? skipNested(text, at + 2, ')')
          : at + (text.charAt(at + 1) === '&' ? 2 : 1);
    else {
      const operator = OPERATORS.find((one) => text.startsWith(one, at));
      if (operator !== undefined) push(operator === '|&' ? '|' : operator, at + operator.length);
      else push('word', wordEnd(text, at));
    }
  }
  return tokens;
}

const endOfLine = (text: string, at: number): number => {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
};

/** Where the word that starts at `at` ends. */
function wordEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const char = text.charAt(at);
    if (/[\s;&|()<>]/.test(char)) break;
    at = skipPiece(text, at);
  }
  return at;
}

/** The end of one character, escape, quoted text or substitution outside quotes. */
export function skipPiece(text: string, at: number): number {
  const char = text.charAt(at);
  if (char === '\\') return at + 2;
  if (char === "'") return closing(text, at + 1, "'");
  if (char === '"') return skipNested(text, at + 1, '"');
  if (char === '`') return closing(text, at + 1, '`');
  if (char !== '$') return at + 1;
  const next = text.charAt(at + 1);
  if (next === '(') return skipNested(text, at + 2, ')');
  if (next === '{') return skipNested(text, at + 2, '}');
  if (next === "'") return closing(text, at + 2, "'");
  return at + 1;
}

/** Where the first unescaped `quote` ends. */
function closing(text: string, start: number, quote: string): number {
  for (let at = start; at < text.length; at++) {
    if (text.charAt(at) === '\\' && quote !== "'") at++;
    else if (text.charAt(at) === quote) return at + 1;
  }
  throw new ShellError(`a ${quote} is not closed`, start - 1);
}

/** Where what `opened` just before `start` ends: a quote, `$(…)` or `${…}` with all that is nested in it. */
export function skipNested(text: string, start: number, opened: ')' | '}' | '"'): number {
  const stack: (')' | '}' | '"')[] = [opened];
  let at = start;
  while (at < text.length) {
    const mode = stack[stack.length - 1];
    const char = text.charAt(at);
    const quoted = stack.includes('"');
    if (char === mode) {
      stack.pop();
      at++;
      if (stack.length === 0) return at;
    } else if (char === '\\') at += 2;
    else if (char === '$' && text.charAt(at + 1) === '(') at += open(stack, ')', at) + 1;
    else if (char === '$' && text.charAt(at + 1) === '{') at += open(stack, '}', at) + 1;
    else if (char === '`') at = closing(text, at + 1, '`');
    else if (char === '"') at += open(stack, '"', at);
    else if (char === "'" && !(mode === '"' || (mode === '}' && quoted))) at = closing(text, at + 1, "'");
    else if (char === '(' && mode === ')') at += open(stack, ')', at);
    else if (char === '#' && mode === ')' && /[\s;(]/.test(text.charAt(at - 1))) at = endOfLine(text, at);
    else at++;
  }
  throw new ShellError(
    `a ${opened === '"' ? 'quote' : opened === ')' ? 'parenthesis' : 'brace'} is not closed`,
    start - 1,
  );
}

/** Returns the length of the opening sign itself. */
function open(stack: (')' | '}' | '"')[], closer: ')' | '}' | '"', at: number): 1 {
  if (stack.length >= MAX_DEPTH) throw new ShellError('nested too deep', at);
  stack.push(closer);
  return 1;
}

interface HereDocument {
  readonly delimiter: string;
  /** Leading tabs are not part of the delimiter's line. */
  readonly tabs: boolean;
  readonly quoted: boolean;
  /** End of the operator and the delimiter. */
  readonly end: number;
}

function readHereDocument(text: string, start: number): HereDocument {
  const match = /^<<(-?)[ \t]*(?:'([^'\n]+)'|"([^"\n]+)"|\\?([^\s;&|()<>'"]+))/.exec(
    text.slice(start, start + 300),
  );
  if (match === null) throw new ShellError('a here document without a name', start);
  const delimiter = match[2] ?? match[3] ?? match[4] ?? '';
  const quoted = match[4] === undefined || match[0].includes('\\');
  return { delimiter, tabs: match[1] === '-', quoted, end: start + match[0].length };
}

function skipHereDocument(text: string, start: number, { delimiter, tabs }: HereDocument): number {
  for (let at = start; at < text.length;) {
    const end = endOfLine(text, at);
    const line = text.slice(at, end);
    at = Math.min(end + 1, text.length);
    if ((tabs ? line.replace(/^\t+/, '') : line) === delimiter) return at;
  }
  return text.length;
}
