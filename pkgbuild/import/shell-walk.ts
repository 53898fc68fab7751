/**
 * Goes through commands as far as their words are known: assignments, loops over known words, conditions on known
 * values. No command is run; the walk tells which come up, and of what nobody can tell what it does.
 */
import { parseCommands, type Command, type Simple } from './shell-tree.ts';
import { testTruth } from './shell-test.ts';
import { assigned, expandWord, globMatches, plain, Unreadable, type Value } from './shell-values.ts';

export interface Walk {
  readonly values: Map<string, Value>;
  /** A command that is neither an assignment nor one of the shell's own. */
  readonly command: (words: readonly string[], simple: Simple) => void;
  /** What cannot be told without running it. */
  readonly unknown: (text: string) => void;
  /** Bodies of functions that are walked where they are called. */
  readonly functions: ReadonlyMap<string, string>;
  /** Conditions on files may hold or not: what depends on them is walked either way. */
  readonly eitherWay: boolean;
}

const MAX_COMMANDS = 20_000;
const MAX_CALLS = 10;
const ASSIGNMENT = /^([A-Za-z_]\w*)(\+?)=([^]*)$/;
const DECLARES = new Set(['local', 'export', 'readonly', 'declare', 'typeset']);
const LEAVES = new Set(['return', 'break', 'continue', 'exit']);
/** What stands after `||` where a command must not fail. */
const FAILING = new Set(['return', 'exit', 'die', 'error', 'true', ':', 'continue', 'break', 'warning']);

/** How a list of commands ended: on the line, or by one that leaves. */
type Ending = 'through' | 'return' | 'break' | 'continue';

interface State {
  /** Functions that were walked before, by their text. */
  readonly parsed: Map<string, readonly Command[]>;
  left: number;
  calls: number;
  /** How many conditions that may hold or not are around. */
  unsure: number;
}

export function walkCommands(commands: readonly Command[], walk: Walk): void {
  all(commands, walk, { parsed: new Map(), left: MAX_COMMANDS, calls: 0, unsure: 0 });
}

function all(commands: readonly Command[], walk: Walk, state: State): Ending {
  for (const command of commands) {
    const ending = one(command, walk, state);
    if (ending !== 'through') return ending;
  }
  return 'through';
}

function one(command: Command, walk: Walk, state: State): Ending {
  if (--state.left < 0) {
    if (state.left === -1) walk.unknown('so many commands');
    return 'return';
  }
  switch (command.kind) {
    case 'simple':
      return simple(command, walk, state);
    case 'group':
      return all(command.body, walk, state);
    case 'for':
      return loop(command, walk, state);
    case 'case':
      return choice(command, walk, state);
    case 'if':
      return condition(command, walk, state);
    case '&&':
    case '||':
      return either(command, walk, state);
    default:
      walk.unknown(command.text);
      return 'through';
  }
}

function simple(command: Simple, walk: Walk, state: State): Ending {
  const words = DECLARES.has(command.words[0] ?? '')
    ? command.words.slice(1).filter((word) => !word.startsWith('-'))
    : command.words;
  const declares = words.length < command.words.length;
  if (!command.redirected && words.length > 0 && words.every((word) => ASSIGNMENT.test(word) || declares)) {
    for (const word of words) assign(word, walk);
    return 'through';
  }
  if (command.array !== undefined && words.length === 0) {
    const { name, append, words: inner } = command.array;
    const value = { kind: 'assignment', name, append, array: true, words: inner } as const;
    walk.values.set(name, assigned({ ...value, line: walk.values.get(name)?.line ?? 0 }, walk.values));
    return 'through';
  }
  const [name = ''] = words;
  if (name === 'unset') for (const variable of words.slice(1)) walk.values.delete(variable);
  if (name === ':' || name === 'true' || name === 'set' || name === 'unset') return 'through';
  if (LEAVES.has(name)) {
    if (state.unsure > 0) return 'through';
    return name === 'break' || name === 'continue' ? name : 'return';
  }
  const body = walk.functions.get(name);
  if (body !== undefined) call(body, words, { walk, state });
  else walk.command(words, command);
  return 'through';
}

function assign(word: string, { values }: Walk): void {
  const [, name = word, append = '', text = ''] = ASSIGNMENT.exec(word) ?? [];
  const value = { kind: 'assignment', name, append: append !== '', array: false, words: [text] } as const;
  values.set(name, assigned({ ...value, line: values.get(name)?.line ?? 0 }, values));
}

function call(
  body: string,
  words: readonly string[],
  { walk, state }: { readonly walk: Walk; readonly state: State },
): void {
  if (state.calls >= MAX_CALLS) {
    walk.unknown(words.join(' '));
    return;
  }
  const before = new Map(walk.values);
  words.slice(1).forEach((word, index) => {
    walk.values.set(String(index + 1), valueOf(word, before));
  });
  walk.values.set('@', argumentsOf(words.slice(1), before));
  state.calls++;
  const commands = state.parsed.get(body) ?? parseCommands(body);
  state.parsed.set(body, commands);
  all(commands, walk, state);
  state.calls--;
  restore(walk.values, before, '@');
  for (const name of words.keys()) restore(walk.values, before, String(name));
}

function restore(values: Map<string, Value>, before: ReadonlyMap<string, Value>, name: string): void {
  const value = before.get(name);
  if (value === undefined) values.delete(name);
  else values.set(name, value);
}

/** `$@`: every word that the arguments stand for. */
function argumentsOf(words: readonly string[], values: ReadonlyMap<string, Value>): Value {
  const value = { kind: 'assignment', name: '', append: false, array: true, words, line: 0 } as const;
  return assigned(value, values);
}

const valueOf = (word: string, values: ReadonlyMap<string, Value>): Value =>
  assigned({ kind: 'assignment', name: '', append: false, array: false, words: [word], line: 0 }, values);

function loop(command: Extract<Command, { kind: 'for' }>, walk: Walk, state: State): Ending {
  let words: string[];
  try {
    words = command.words.flatMap((word) => splitWord(word, walk.values));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    walk.unknown(command.text);
    return 'through';
  }
  for (const word of words) {
    walk.values.set(command.name, { known: true, words: [word], array: false, line: 0 });
    const ending = all(command.body, walk, state);
    if (ending === 'return') return ending;
    if (ending === 'break') break;
  }
  return 'through';
}

/** The words that a word stands for; without quotes it is split at white space. @throws Unreadable */
export function splitWord(word: string, values: ReadonlyMap<string, Value>): string[] {
  const texts = expandWord(word, values);
  return /["']/.test(word) ? texts : texts.flatMap((text) => text.split(/\s+/).filter((part) => part !== ''));
}

function choice(command: Extract<Command, { kind: 'case' }>, walk: Walk, state: State): Ending {
  try {
    const word = plain(command.word, walk.values);
    const found = command.arms.find(({ patterns }) =>
      patterns.some((pattern) => globMatches(word, plain(pattern, walk.values))),
    );
    return found === undefined ? 'through' : all(found.body, walk, state);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    walk.unknown(command.text);
    return 'through';
  }
}

function condition(command: Extract<Command, { kind: 'if' }>, walk: Walk, state: State): Ending {
  for (const { test, body } of command.clauses) {
    const truth = truthOf(test, walk);
    if (truth === true) return all(body, walk, state);
    if (truth === 'file' && walk.eitherWay) {
      state.unsure++;
      all(body, walk, state);
      state.unsure--;
    } else if (truth !== false) {
      walk.unknown(command.text);
      return 'through';
    }
  }
  return all(command.otherwise, walk, state);
}

function either(command: Extract<Command, { kind: '&&' | '||' }>, walk: Walk, state: State): Ending {
  const { left, right, kind } = command;
  const truth = truthOf([left], walk);
  const failing = right.kind === 'simple' && FAILING.has(right.words[0] ?? '');
  if (truth === 'command') {
    const ending = one(left, walk, state);
    if (ending !== 'through') return ending;
    if (kind === '&&') return one(right, walk, state);
    if (!failing) walk.unknown(right.text);
    return 'through';
  }
  if (truth === 'file' && walk.eitherWay) {
    if (failing) return 'through';
    state.unsure++;
    one(right, walk, state);
    state.unsure--;
    return 'through';
  }
  if (truth === true || truth === false)
    return truth === (kind === '&&') ? one(right, walk, state) : 'through';
  walk.unknown(command.text);
  return 'through';
}

/** `file` for a condition on files, `command` for what is no condition, `undefined` where nobody can tell. */
function truthOf(
  commands: readonly Command[],
  { values }: Pick<Walk, 'values'>,
): boolean | 'file' | 'command' | undefined {
  const [command] = commands;
  if (command === undefined || commands.length > 1) return undefined;
  if (command.kind === '&&' || command.kind === '||') {
    const left = truthOf([command.left], { values });
    const right = truthOf([command.right], { values });
    if (left === 'command' || right === 'command') return left === right ? 'command' : undefined;
    if (left === 'file' || right === 'file')
      return left === undefined || right === undefined ? undefined : 'file';
    if (left === undefined || right === undefined) return undefined;
    return command.kind === '&&' ? left && right : left || right;
  }
  if (command.kind !== 'simple' || command.redirected)
    return command.kind === 'simple' ? 'command' : undefined;
  const negated = command.words[0] === '!';
  const words = negated ? command.words.slice(1) : command.words;
  const truth = testTruth(words, values);
  return negated && typeof truth === 'boolean' ? !truth : negated && truth === 'command' ? undefined : truth;
}
