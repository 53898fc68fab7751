/** Build steps of others as steps of a recipe: the same shell, with our names for places and tools. */
import { quote } from '../shell.ts';
import type { Notes, OwnerRule } from './draft.ts';
import { takeOwners } from './owners-in-steps.ts';
import { clip, plain, Unreadable, type Values } from './shell-values.ts';
import { spreadArrays, withoutBashisms } from './shell-arrays.ts';
import { ShellError, skipPiece, tokenize, type HereText } from './shell-tokens.ts';

/** Where steps start, and where sources are unpacked. */
export const SOURCE_FOLDER = '/build/src';

export interface StepContext {
  /** Variables that have another name or a known value here, as shell text. */
  readonly renamed: Readonly<Record<string, string>>;
  /** What the file sets; used where a step does not set it itself. */
  readonly values: Values;
  /** Names of the top folders of archives that are unpacked without them. */
  readonly folders: readonly string[];
  /** Helpers of the other package manager, with why they cannot be carried over. */
  readonly helpers: Readonly<Record<string, string>>;
  /** What stands for its other helpers, in this order. */
  readonly rewrites: readonly (readonly [RegExp, string])[];
  /** Bodies of the functions that steps may call. */
  readonly functions: ReadonlyMap<string, string>;
  /** Receives whom steps give files to. */
  readonly owners: OwnerRule[];
  readonly field: string;
  readonly line: number | undefined;
  readonly notes: Notes;
}

/** Set for every step of ours, or by the shell itself. */
const OURS = new Set(
  `ARCH HOST BUILD CC CXX AR RANLIB STRIP CROSS CFLAGS JOBS BUILD_CC BARE_CROSS BARE_CFLAGS DESTDIR SYSROOT RECIPE VERSION SOURCE_DATE_EPOCH PATH
  HOME PWD OLDPWD IFS OPTARG OPTIND REPLY RANDOM LINENO FUNCNAME BASH_REMATCH _`.split(/\s+/),
);
/** Not set here, and empty is what they mean then. */
const MAYBE = new Set(['CPPFLAGS', 'LDFLAGS', 'CXXFLAGS', 'GOFLAGS', 'RUSTFLAGS', 'LIBS', 'LDLIBS']);
const NETWORK =
  /(?:^|[;&|\s])(go get|npm (?:ci|install)|npx|bun install|uv (?:sync|pip install|tool install)|yarn install|pnpm install|pip3? (?:install|download)|git clone|git submodule update|curl -|curl http|wget )/m;

/** Fetches what a build may not fetch; the source must hold it. */
const VENDORED: readonly (readonly [RegExp, string])[] = [
  [
    /^[ \t]*(?:CARGO_HOME=\S+[ \t]+)?cargo fetch\b[^\n]*(?:\\\n[^\n]*)*$/gm,
    'the crates must be in the source: cargo vendor',
  ],
  [/^[ \t]*go mod (?:download|vendor|tidy)\b[^\n]*$/gm, 'the modules must be in the source: go mod vendor'],
];

/** Shell text for a step, or `undefined` where nothing is left to do. */
export function importStep(given: string, context: StepContext): string | undefined {
  const { notes, field, line } = context;
  let body = withoutBashisms(spreadArrays(given, context.values));
  for (const [pattern, why] of VENDORED) {
    if (body.search(pattern) !== -1) notes.add('open', field, why, line);
    body = body.replaceAll(pattern, '');
  }
  body = body.replaceAll(/-j[ ]?"?\$\((?:nproc|getconf _NPROCESSORS_ONLN)\)"?/g, '-j"$JOBS"');
  for (const [pattern, instead] of context.rewrites) body = body.replaceAll(pattern, instead);
  const called = calledFunctions(body, context.functions);
  const own = setInside([body, ...called.values()].join('\n'));
  const of: Substituting = { context, own, perArch: new Map() };
  const renamed = substitute(dedent(body), of);
  const definitions = [...called].map(
    ([name, inner]) =>
      `${name}() {\n${indented(shortenFolders(substitute(dedent(inner), of), context.folders))}\n}\n`,
  );
  const lines = renamed.split('\n').filter((text) => !isEntering(text, context.folders));
  const whole = withoutReturns(shortenFolders(lines.join('\n'), context.folders));
  const steps = takeOwners(whole, context).trim();
  const text = `${[...of.perArch.values(), ...definitions].join('')}${steps}`;
  const commands = steps.split('\n').filter((one) => !/^\s*(?:#|$)/.test(one));
  if (
    commands.length === 0 ||
    (commands.length === 1 && /^\s*(?::|true|return 0)\s*$/.test(commands[0] ?? ''))
  )
    return undefined;
  for (const [helper, why] of Object.entries(context.helpers))
    if (new RegExp(`(?:^|[;&|(\\s])${helper}(?=[\\s;)]|$)`, 'm').test(text))
      notes.add('lost', field, `${helper}: ${why}`, line);
  const code = text.replaceAll(/^\s*#.*$/gm, '');
  const network = NETWORK.exec(code)?.[1];
  if (network !== undefined)
    notes.add('lost', field, `${network.trim()} wants the network, which builds do not have`, line);
  if (isForBash(code)) notes.add('lost', field, 'it is written for bash; steps run in /bin/sh', line);
  return `${text}\n`;
}

const indented = (text: string): string => text.replaceAll(/^(?=[^\n])/gm, '  ').trimEnd();

/** The functions that a text calls, and those that they call. */
function calledFunctions(body: string, functions: ReadonlyMap<string, string>): Map<string, string> {
  const called = new Map<string, string>();
  const pending = [body];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const text = next.replaceAll(/^\s*#.*$/gm, '');
    for (const name of new Set(text.match(/[A-Za-z_][\w.+@:-]*/g))) {
      const inner = functions.get(name);
      if (
        inner === undefined ||
        called.has(name) ||
        !new RegExp(`(?:^|[\\s;&|(\`!])${name.replaceAll(/[.+]/g, '\\$&')}(?=[\\s;)\`"]|$)`, 'm').test(text)
      )
        continue;
      called.set(name, inner);
      pending.push(inner);
    }
  }
  return called;
}

/** Takes the indentation of the first line from all lines that have it. */
function dedent(body: string): string {
  const lines = body.replaceAll('\r', '').split('\n');
  const first = lines.find((line) => line.trim() !== '') ?? '';
  const indent = /^[ \t]*/.exec(first)?.[0] ?? '';
  return lines
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line).trimEnd())
    .join('\n');
}

/** Variables that the text itself gives a value. */
function setInside(body: string): Set<string> {
  const names = new Set<string>();
  for (const match of body.matchAll(
    /(?:^|[;&|{]|\b(?:then|do|else|local|export|declare|readonly)\b)[ \t]*(?:-\w+[ \t]+)?([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=/gm,
  ))
    names.add(match[1] ?? '');
  for (const match of body.matchAll(/(?:^|[\s;])(?:for|select)\s+([A-Za-z_]\w*)/gm))
    names.add(match[1] ?? '');
  for (const match of body.matchAll(/(?:^|[\s;|])(?:read|mapfile|readarray|getopts)\b([^\n;]*)/gm))
    for (const word of (match[1] ?? '').split(/\s+/)) if (/^[A-Za-z_]\w*$/.test(word)) names.add(word);
  for (const match of body.matchAll(/(?:^|[\s;])local\s+([A-Za-z_][\w ]*)/gm))
    for (const word of (match[1] ?? '').split(/\s+/)) names.add(word);
  return names;
}

interface Substituting {
  readonly context: StepContext;
  readonly own: ReadonlySet<string>;
  /** Shell that sets what is not the same on both architectures, by its variable. */
  readonly perArch: Map<string, string>;
}

/** Replaces variables outside single quotes and quoted here documents. */
function substitute(text: string, of: Substituting): string {
  const here = hereTextsOf(text);
  let result = '';
  let double = false;
  for (let at = 0; at < text.length;) {
    const char = text.charAt(at);
    const inside = here?.find(({ start, end }) => at >= start && at < end);
    if (inside?.quoted === true) {
      result += text.slice(at, inside.end);
      at = inside.end;
    } else if (char === '\\') {
      result += text.slice(at, at + 2);
      at += 2;
    } else if (char === "'" && !double && inside === undefined && here !== undefined) {
      const end = text.indexOf("'", at + 1);
      const stop = end === -1 ? text.length : end + 1;
      result += text.slice(at, stop);
      at = stop;
    } else if (
      char === '#' &&
      !double &&
      inside === undefined &&
      /(?:^|\s)$/.test(text.slice(Math.max(0, at - 1), at))
    ) {
      const end = text.indexOf('\n', at);
      const stop = end === -1 ? text.length : end;
      result += text.slice(at, stop);
      at = stop;
    } else if (char === '$' && /[A-Za-z_{]/.test(text.charAt(at + 1))) {
      const end = expansionEnd(text, at);
      result += replacement(text.slice(at, end), of, double || inside !== undefined);
      at = end;
    } else {
      if (char === '"' && inside === undefined) double = !double;
      result += char;
      at++;
    }
  }
  return result;
}

/** `undefined` where the quotes of the text do not match. */
function hereTextsOf(text: string): HereText[] | undefined {
  const found: HereText[] = [];
  try {
    tokenize(text, found);
    return found;
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

function expansionEnd(text: string, at: number): number {
  if (text.charAt(at + 1) !== '{')
    return at + (/^\$[A-Za-z_]\w*/.exec(text.slice(at, at + 200))?.[0].length ?? 1);
  try {
    return skipPiece(text, at);
  } catch (error) {
    if (error instanceof ShellError) return at + 2;
    throw error;
  }
}

function replacement(expansion: string, of: Substituting, quoted: boolean): string {
  const { context, own } = of;
  const match = /^\$(?:([A-Za-z_]\w*)|\{[#!]?([A-Za-z_]\w*)(\[[^\]]*\])?([^]*)\})$/.exec(expansion);
  if (match === null) return expansion;
  const name = match[1] ?? match[2] ?? '';
  const operator = `${match[3] ?? ''}${match[4] ?? ''}`;
  if (MAYBE.has(name)) return operator === '' ? `\${${name}:-}` : expansion;
  const kept = operator === '' ? expansion : withinOperator(expansion, operator, of);
  if (own.has(name)) return kept;
  const renamed = context.renamed[name];
  if (renamed !== undefined && operator === '' && !expansion.startsWith('${#')) return renamed;
  if (OURS.has(name)) return kept;
  if (/^:?[-+=]/.test(operator) && !context.values.has(name)) return kept;
  const value = context.values.get(name);
  if (value?.known === true && value.other !== undefined) return differing(expansion, name, of);
  try {
    return literal(plain(`"${expansion}"`, context.values), quoted);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    context.notes.add(
      'lost',
      context.field,
      `the step uses ${clip(expansion)}, and ${error.message}`,
      context.line,
    );
    return expansion;
  }
}

/** The expansion with what its operator names replaced: `${CC#$CROSS_COMPILE}`. */
function withinOperator(expansion: string, operator: string, of: Substituting): string {
  const first = operator.indexOf('$');
  if (first === -1) return expansion;
  const head = expansion.slice(0, expansion.length - operator.length - 1);
  return `${head}${operator.slice(0, first)}${substitute(operator.slice(first), of)}}`;
}

/** A variable that each architecture has another value of. */
function differing(expansion: string, name: string, { context, perArch }: Substituting): string {
  const value = context.values.get(name);
  if (value?.known === true)
    perArch.set(
      name,
      `case $ARCH in x86_64) ${name}=${literal(value.words.join(' '), false, true)} ;; aarch64) ${name}=${literal((value.other ?? []).join(' '), false, true)} ;; esac\n`,
    );
  return expansion;
}

/** Ours, which values of the file may name. */
const NAMED = /\\\$(DESTDIR|HOST|BUILD|ARCH|RECIPE|CROSS|JOBS)\b/g;

/** Text as it stands inside or outside double quotes; several words outside stay several words. */
function literal(text: string, quoted: boolean, oneWord = false): string {
  const inside = text.replaceAll(/["\\$`]/g, '\\$&').replaceAll(NAMED, '$$$1');
  if (quoted) return inside;
  if ((oneWord ? /^[A-Za-z0-9_.,:/@%+=~-]+$/ : /^[A-Za-z0-9_.,:/@%+=~ -]*$/).test(text)) return text;
  return inside.replaceAll('\\$', '').includes('$') ? `"${inside}"` : quote(text);
}

/** `cd` into the folder where a step starts anyway. */
function isEntering(line: string, folders: readonly string[]): boolean {
  const match = /^\s*cd\s+(?:--\s+)?"?([^"]*?)"?(?:\s*\|\|\s*return 1)?\s*;?$/.exec(line);
  const folder = match?.[1]?.replaceAll('"', '').replace(/\/$/, '');
  if (folder === undefined) return false;
  return (
    folder === SOURCE_FOLDER || folders.some((one) => folder === one || folder === `${SOURCE_FOLDER}/${one}`)
  );
}

/** An archive's top folder is the source folder itself. */
function shortenFolders(text: string, folders: readonly string[]): string {
  let shortened = text;
  for (const folder of folders) {
    const name = folder.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    shortened = shortened.replaceAll(
      new RegExp(`${SOURCE_FOLDER}("?)/${name}(?![\\w.+-])`, 'g'),
      `${SOURCE_FOLDER}$1`,
    );
    shortened = shortened.replaceAll(
      new RegExp(`^([ \\t]*(?:arch-meson|meson setup)[ \\t]+)(["']?)${name}\\2(?=[ \\t])`, 'gm'),
      '$1.',
    );
  }
  return shortened;
}

/** A step is no function, and its first failure ends it. */
const withoutReturns = (text: string): string =>
  text
    .replaceAll(/[ \t]*(?:\\\n[ \t]*)?\|\|[ \t]*(?:return 1|die\b[^\n]*)[ \t]*(?=\n|$)/g, '')
    .replaceAll(/\breturn ([0-9])\b/g, 'exit $1')
    .replaceAll(/^[ \t]*local(?:[ \t]+[A-Za-z_]\w*)+[ \t]*\n/gm, '')
    .replaceAll(/^([ \t]*)local[ \t]+(?=[A-Za-z_]\w*=)/gm, '$1');

/** @param code without comments */
export const isForBash = (code: string): boolean => BASH.test(code);

/** What `/bin/sh` does not have. */
const BASH =
  /(?:^|[\s;(])(?:\[\[|declare -|mapfile|readarray|pushd|popd|shopt|source )|<<<|[<>]\(|\w=\(|\w+\[@\]|[\w/."$]\{[^{}\s$"']*,[^{}\s"']*\}/m;
