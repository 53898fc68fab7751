/** Reads a script into assignments, functions as text, and what is neither. Nothing of it is run. */
import { ShellError, tokenize, type ShellToken } from './shell-tokens.ts';

export interface Assignment {
  readonly kind: 'assignment';
  readonly name: string;
  /** `+=` */
  readonly append: boolean;
  readonly array: boolean;
  /** For all commands that the steps run. */
  readonly exported?: boolean;
  /** As they are written; one of them where it is no array. */
  readonly words: readonly string[];
  readonly line: number;
}

export interface ShellFunction {
  readonly kind: 'function';
  readonly name: string;
  readonly body: string;
  readonly line: number;
}

/** A command or a compound such as `if`: nobody knows what it does without running it. */
export interface Unread {
  readonly kind: 'unread';
  /** First words, for people. */
  readonly text: string;
  /** All of it. */
  readonly source: string;
  /** Variables that it may set. */
  readonly sets: readonly string[];
  readonly line: number;
}

export type Statement = Assignment | ShellFunction | Unread;

const CLOSERS: Readonly<Record<string, string>> = {
  if: 'fi',
  for: 'done',
  while: 'done',
  until: 'done',
  select: 'done',
  case: 'esac',
  '{': '}',
};
/** After these words comes a command. */
const OPENERS = new Set(['then', 'do', 'else', 'elif', 'if', 'while', 'until', '!', '{', 'time']);
const DECLARES = new Set(['export', 'readonly', 'local', 'declare', 'typeset']);
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)(\+?)=/;
const FUNCTION_NAME = /^[A-Za-z_][A-Za-z0-9_.+@:-]*$/;
const MAX_DEPTH = 100;

/** @throws ShellError where the text is no shell */
export function readScript(text: string): Statement[] {
  const tokens = tokenize(text);
  const lineAt = lineCounter(text);
  const statements: Statement[] = [];
  let from = 0;
  while (from < tokens.length) {
    const kind = tokens[from]?.kind;
    if (kind === '\n' || kind === ';' || kind === '&') {
      from++;
      continue;
    }
    const to = statementEnd(tokens, from);
    statements.push(...classify(text, tokens.slice(from, to), lineAt));
    from = to;
  }
  return statements;
}

/** The token after the statement that starts at `from`: past every compound that it opens. */
function statementEnd(tokens: readonly ShellToken[], from: number): number {
  const stack: string[] = [];
  let command = true;
  for (let index = from; index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined) break;
    const top = stack[stack.length - 1];
    if (token.kind === 'word') {
      if (command && token.text === top) {
        stack.pop();
        command = false;
      } else if (command && Object.hasOwn(CLOSERS, token.text)) {
        if (stack.length >= MAX_DEPTH) throw new ShellError('nested too deep', token.start);
        stack.push(CLOSERS[token.text] ?? '');
        command = OPENERS.has(token.text);
      } else command = command && OPENERS.has(token.text);
    } else if (token.kind === '(') {
      if (stack.length >= MAX_DEPTH) throw new ShellError('nested too deep', token.start);
      stack.push(')');
      command = true;
    } else if (token.kind === ')') {
      if (top === ')') stack.pop();
      else if (top !== 'esac') throw new ShellError('a parenthesis is not opened', token.start);
      command = true;
      if (isFunctionHead(tokens, from, index)) index = skipLines(tokens, index);
    } else {
      if (stack.length === 0 && (token.kind === '\n' || token.kind === ';' || token.kind === '&'))
        return index;
      command = true;
    }
  }
  if (stack.length > 0) throw new ShellError(`${stack.pop() ?? ''} is missing`, tokens[from]?.start ?? 0);
  return tokens.length;
}

/** True where the tokens up to `index` are `name ( )`. */
const isFunctionHead = (tokens: readonly ShellToken[], from: number, index: number): boolean =>
  (index === from + 2 || (index === from + 3 && tokens[from]?.text === 'function')) &&
  tokens[index - 1]?.kind === '(' &&
  FUNCTION_NAME.test(tokens[index - 2]?.text ?? '');

/** The body of a function may begin on a later line. */
function skipLines(tokens: readonly ShellToken[], index: number): number {
  let at = index;
  while (tokens[at + 1]?.kind === '\n') at++;
  return at;
}

function classify(
  text: string,
  tokens: readonly ShellToken[],
  lineAt: (offset: number) => number,
): Statement[] {
  const [first] = tokens;
  if (first === undefined) return [];
  const line = lineAt(first.start);
  const named = asFunction(text, tokens, line);
  if (named !== undefined) return [named];
  const assignments = asAssignments(tokens, lineAt);
  if (assignments !== undefined) return assignments;
  const sets = tokens.flatMap((token) => {
    const name = token.kind === 'word' ? ASSIGNMENT.exec(token.text)?.[1] : undefined;
    return name === undefined ? [] : [name];
  });
  const words = tokens.slice(0, 8).map((token) => (token.kind === '\n' ? ';' : token.text));
  const source = text.slice(first.start, tokens.at(-1)?.end ?? first.end);
  return [{ kind: 'unread', text: words.join(' ').slice(0, 120), source, sets: [...new Set(sets)], line }];
}

function asFunction(text: string, tokens: readonly ShellToken[], line: number): ShellFunction | undefined {
  const named = tokens[0]?.text === 'function' ? 1 : 0;
  const name = tokens[named]?.text ?? '';
  const parentheses = tokens[named + 1]?.kind === '(' && tokens[named + 2]?.kind === ')';
  if (!FUNCTION_NAME.test(name) || !(parentheses || named === 1)) return undefined;
  const body = tokens.slice(named + (parentheses ? 3 : 1)).filter(({ kind }) => kind !== '\n');
  const [opening] = body;
  const last = body[body.length - 1];
  if (opening === undefined || last === undefined) return undefined;
  const braces = opening.text === '{' && last.text === '}';
  if (!braces && !(opening.kind === '(' && last.kind === ')')) return undefined;
  return { kind: 'function', name, body: text.slice(opening.end, last.start), line };
}

function asAssignments(
  tokens: readonly ShellToken[],
  lineAt: (offset: number) => number,
): Assignment[] | undefined {
  const assignments: Assignment[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined || token.kind !== 'word') return undefined;
    if (index === 0 && DECLARES.has(token.text)) continue;
    if (DECLARES.has(tokens[0]?.text ?? '') && /^-[A-Za-z]+$|^[A-Za-z_]\w*$/.test(token.text)) continue;
    const match = ASSIGNMENT.exec(token.text);
    if (match === null) return undefined;
    const common = {
      kind: 'assignment',
      name: match[1] ?? '',
      append: match[2] === '+',
      ...(tokens[0]?.text === 'export' ? { exported: true } : {}),
      line: lineAt(token.start),
    } as const;
    const next = tokens[index + 1];
    const array = match[0] === token.text && next?.kind === '(' && next.start === token.end;
    if (!array) {
      assignments.push({ ...common, array, words: [token.text.slice(match[0].length)] });
      continue;
    }
    const close = tokens.findIndex((one, at) => at > index && one.kind === ')');
    const words = tokens.slice(index + 2, close);
    if (close === -1 || words.some(({ kind }) => kind !== 'word' && kind !== '\n')) return undefined;
    const texts = words.filter(({ kind }) => kind === 'word').map((word) => word.text);
    assignments.push({ ...common, array, words: texts });
    index = close;
  }
  return assignments;
}

/** Lines of offsets that do not go down. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** Line of an offset, for errors. */
export const lineOf = (text: string, offset: number): number => lineCounter(text)(offset);
