/** Shell text as a tree of commands. Nothing of it is run; what the tree has no word for stays text. */
import { ShellError, tokenize, type ShellToken } from './shell-tokens.ts';

export interface Simple {
  readonly kind: 'simple';
  /** As they are written. */
  readonly words: readonly string[];
  /** `x=( … )` */
  readonly array?: { readonly name: string; readonly append: boolean; readonly words: readonly string[] };
  /** Reads or writes a file, so that its words do not say all. */
  readonly redirected: boolean;
  readonly text: string;
}

export type Command =
  | Simple
  | {
      readonly kind: 'for';
      readonly name: string;
      readonly words: readonly string[];
      readonly body: readonly Command[];
      readonly text: string;
    }
  | {
      readonly kind: 'if';
      readonly clauses: readonly { readonly test: readonly Command[]; readonly body: readonly Command[] }[];
      readonly otherwise: readonly Command[];
      readonly text: string;
    }
  | {
      readonly kind: 'case';
      readonly word: string;
      readonly arms: readonly { readonly patterns: readonly string[]; readonly body: readonly Command[] }[];
      readonly text: string;
    }
  | {
      readonly kind: '&&' | '||';
      readonly left: Command;
      readonly right: Command;
      readonly text: string;
    }
  | { readonly kind: 'group'; readonly body: readonly Command[]; readonly text: string }
  | { readonly kind: 'other'; readonly text: string };

const MAX_DEPTH = 60;
const SEPARATORS = new Set(['\n', ';', '&']);
/** Words that end a list of commands where one could begin. */
const ENDS = new Set(['then', 'do', 'done', 'else', 'elif', 'fi', 'esac', '}']);

/** @throws ShellError where the text is no shell */
export function parseCommands(text: string): Command[] {
  const reader = new Reader(text);
  const commands = reader.list(0);
  reader.expectEnd();
  return commands;
}

class Reader {
  readonly #text: string;
  readonly #tokens: readonly ShellToken[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  expectEnd(): void {
    const token = this.#tokens[this.#at];
    if (token !== undefined) throw new ShellError(`${token.text.trim()} is not expected`, token.start);
  }

  list(depth: number): Command[] {
    if (depth > MAX_DEPTH) throw new ShellError('nested too deep', this.#tokens[this.#at]?.start ?? 0);
    const commands: Command[] = [];
    for (;;) {
      while (SEPARATORS.has(this.#kind())) this.#at++;
      const token = this.#tokens[this.#at];
      if (token === undefined || token.kind === ')' || token.kind === ';;') return commands;
      if (token.kind === 'word' && ENDS.has(token.text)) return commands;
      commands.push(this.#andOr(depth));
    }
  }

  #andOr(depth: number): Command {
    const start = this.#at;
    let left = this.#pipe(depth);
    for (let kind = this.#kind(); kind === '&&' || kind === '||'; kind = this.#kind()) {
      this.#at++;
      this.#skipLines();
      const right = this.#pipe(depth);
      left = { kind, left, right, text: this.#since(start) };
    }
    return left;
  }

  #pipe(depth: number): Command {
    const start = this.#at;
    const first = this.#command(depth);
    if (this.#kind() !== '|') return first;
    while (this.#kind() === '|') {
      this.#at++;
      this.#skipLines();
      this.#command(depth);
    }
    return { kind: 'other', text: this.#since(start) };
  }

  #command(depth: number): Command {
    const start = this.#at;
    const token = this.#tokens[start];
    if (token === undefined) throw new ShellError('a command is missing', this.#text.length);
    if (token.kind === '(') {
      this.#at++;
      this.list(depth + 1);
      this.#expect(')');
      return { kind: 'other', text: this.#since(start) };
    }
    if (token.kind !== 'word')
      throw new ShellError(`${token.text.trim() || 'the end of the line'} is not expected`, token.start);
    if (token.text === '{') {
      this.#at++;
      const body = this.list(depth + 1);
      this.#expectWord('}');
      return { kind: 'group', body, text: this.#since(start) };
    }
    if (token.text === 'if') return this.#if(depth);
    if (token.text === 'for') return this.#for(depth);
    if (token.text === 'case') return this.#case(depth);
    if (token.text === 'while' || token.text === 'until') {
      this.#at++;
      this.list(depth + 1);
      this.#loopBody(depth);
      return { kind: 'other', text: this.#since(start) };
    }
    if (this.#kind(1) === '(' && this.#kind(2) === ')') {
      this.#at += 3;
      this.#skipLines();
      this.#command(depth + 1);
      return { kind: 'other', text: this.#since(start) };
    }
    return this.#simple();
  }

  #simple(): Simple {
    const start = this.#at;
    const words: string[] = [];
    let redirected = false;
    let end = this.#tokens[start]?.start ?? 0;
    for (let token = this.#tokens[this.#at]; token?.kind === 'word'; token = this.#tokens[this.#at]) {
      const into = /[<>]/.test(this.#text.slice(end, token.start));
      const descriptor = /^\d+$/.test(token.text) && /[<>]/.test(this.#text.charAt(token.end));
      redirected ||= into || descriptor;
      if (!into && !descriptor) words.push(token.text);
      end = token.end;
      this.#at++;
    }
    const named = /^([A-Za-z_]\w*)(\+?)=$/.exec(words.at(-1) ?? '');
    if (this.#kind() === '(' && named !== null) {
      const inner: string[] = [];
      for (this.#at++; this.#kind() === 'word' || this.#kind() === '\n'; this.#at++)
        if (this.#kind() === 'word') inner.push(this.#word());
      this.#expect(')');
      const array = { name: named[1] ?? '', append: named[2] === '+', words: inner };
      return { kind: 'simple', words: words.slice(0, -1), array, redirected, text: this.#since(start) };
    }
    const next = this.#tokens[this.#at]?.start ?? this.#text.length;
    redirected ||= /[<>]/.test(this.#text.slice(end, next).replaceAll(/#.*$/gm, ''));
    return { kind: 'simple', words, redirected, text: this.#since(start) };
  }

  #if(depth: number): Command {
    const start = this.#at;
    const clauses: { test: Command[]; body: Command[] }[] = [];
    let otherwise: Command[] = [];
    this.#at++;
    for (;;) {
      const test = this.list(depth + 1);
      this.#expectWord('then');
      clauses.push({ test, body: this.list(depth + 1) });
      const word = this.#word();
      this.#at++;
      if (word === 'elif') continue;
      if (word === 'else') {
        otherwise = this.list(depth + 1);
        this.#expectWord('fi');
      } else if (word !== 'fi') throw new ShellError('fi is missing', this.#tokens[start]?.start ?? 0);
      return { kind: 'if', clauses, otherwise, text: this.#since(start) };
    }
  }

  #for(depth: number): Command {
    const start = this.#at;
    const name = this.#word(1);
    this.#at += 2;
    this.#skipLines();
    const words: string[] = [];
    if (this.#word() === 'in') {
      this.#at++;
      while (this.#kind() === 'word') words.push(this.#tokens[this.#at++]?.text ?? '');
    } else words.push('"$@"');
    while (SEPARATORS.has(this.#kind())) this.#at++;
    const body = this.#loopBody(depth);
    return { kind: 'for', name, words, body, text: this.#since(start) };
  }

  #loopBody(depth: number): Command[] {
    this.#expectWord('do');
    const body = this.list(depth + 1);
    this.#expectWord('done');
    return body;
  }

  #case(depth: number): Command {
    const start = this.#at;
    const word = this.#word(1);
    this.#at += 2;
    this.#skipLines();
    this.#expectWord('in');
    const arms: { patterns: string[]; body: Command[] }[] = [];
    for (;;) {
      while (SEPARATORS.has(this.#kind()) || this.#kind() === ';;') this.#at++;
      if (this.#word() === 'esac') break;
      if (this.#kind() === '(') this.#at++;
      const patterns: string[] = [];
      while (this.#kind() === 'word' || this.#kind() === '|') {
        if (this.#kind() === 'word') patterns.push(this.#word());
        this.#at++;
      }
      this.#expect(')');
      arms.push({ patterns, body: this.list(depth + 1) });
    }
    this.#at++;
    return { kind: 'case', word, arms, text: this.#since(start) };
  }

  #kind(ahead = 0): string {
    return this.#tokens[this.#at + ahead]?.kind ?? '';
  }

  #word(ahead = 0): string {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === 'word' ? token.text : '';
  }

  #skipLines(): void {
    while (this.#kind() === '\n') this.#at++;
  }

  #expect(kind: ShellToken['kind']): void {
    if (this.#kind() !== kind)
      throw new ShellError(`${kind} is missing`, this.#tokens[this.#at]?.start ?? this.#text.length);
    this.#at++;
  }

  #expectWord(word: string): void {
    if (this.#word() !== word)
      throw new ShellError(`${word} is missing`, this.#tokens[this.#at]?.start ?? this.#text.length);
    this.#at++;
  }

  #since(start: number): string {
    const from = this.#tokens[start]?.start ?? 0;
    const last = this.#tokens[this.#at - 1]?.end ?? from;
    return this.#text.slice(from, last);
  }
}
