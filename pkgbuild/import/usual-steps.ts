/**
 * Build steps that only do what a pipeline does, as that pipeline. What stands before and after its commands stays
 * shell, unless it sets something that they need.
 */
import type { DraftStep, DraftSteps, Notes } from './draft.ts';
import { parseCommands, type Command } from './shell-tree.ts';
import { ShellError } from './shell-tokens.ts';
import { SYSTEMS, type System } from './build-systems.ts';

type Texts = Readonly<Partial<Record<'prepare' | 'build' | 'check' | 'install', string>>>;

/** Commands with the places of their texts. */
interface Line {
  /** `undefined` for what is no plain command. */
  readonly words: readonly string[] | undefined;
  readonly start: number;
  readonly end: number;
}

/** Texts as steps: pipelines where they are the usual ones, else shell. */
export function usualSteps(texts: Texts): DraftSteps {
  for (const system of SYSTEMS) {
    const found = asSystem(texts, system);
    if (found !== undefined) return found;
  }
  return Object.fromEntries(
    Object.entries(texts).map(([phase, text]): [string, DraftStep[]] => [phase, [{ run: text }]]),
  );
}

/** Tells of meson with another distribution's settings that has stayed shell. */
export function toldMeson(steps: DraftSteps, notes: Notes): DraftSteps {
  for (const [phase, list] of Object.entries(steps))
    for (const step of list) {
      const name = 'run' in step ? /\b(?:abuild|arch)-meson\b/.exec(step.run)?.[0] : undefined;
      if (name !== undefined)
        notes.add('lost', `${phase}()`, `${name}: it runs meson with settings of its own; write uses: meson`);
    }
  return steps;
}

/** Steps with what fills the subpackages, after everything is installed. */
export function withSplits(steps: DraftSteps, splits: readonly string[]): DraftSteps {
  if (splits.length === 0) return steps;
  return { ...steps, install: [...(steps.install ?? []), { run: `${splits.join('\n')}\n` }] };
}

function asSystem(texts: Texts, system: System): DraftSteps | undefined {
  const build = cut(texts.build ?? '', system.build);
  const install = build === undefined ? undefined : cut(texts.install ?? '', system.install);
  if (build === undefined || install === undefined) return undefined;
  const inputs = system.inputs({ build: build.found, install: install.found });
  if (inputs === undefined) return undefined;
  const elsewhere = (text: string): string => system.elsewhere(text, inputs.folder);
  const [built, installed, check] = [
    build.runs.map(elsewhere),
    install.runs.map(elsewhere),
    elsewhere(texts.check ?? ''),
  ];
  const rest = [...built, ...installed, check].join('\n');
  if (
    inputs.folder !== '' &&
    new RegExp(`(?:^|[\\s"'/=])${escape(inputs.folder)}(?:[\\s"'/]|$)`, 'm').test(rest)
  )
    return undefined;
  const uses = (phase: 'prepare' | 'build' | 'install'): DraftStep[] => {
    const given = Object.fromEntries(
      Object.entries(inputs.with).filter(([name]) => system.phases[phase]?.includes(name) === true),
    );
    if (system.phases[phase] === undefined) return [];
    return [{ uses: system.name, ...(Object.keys(given).length === 0 ? {} : { with: given }) }];
  };
  // The first command of a system with a configuration belongs to prepare, and so does all that stands before the last.
  const configured = system.phases.prepare !== undefined;
  const [before = '', ...others] = built;
  const after = others.pop() ?? '';
  const steps = {
    prepare: [
      ...runs(texts.prepare ?? ''),
      ...(configured ? [...runs(before), ...uses('prepare'), ...others.flatMap(runs)] : []),
    ],
    build: [...(configured ? [] : runs(before)), ...uses('build'), ...runs(after)],
    check: runs(check),
    install: [...runs(installed[0] ?? ''), ...uses('install'), ...runs(installed.slice(1).join('\n'))],
  };
  return Object.fromEntries(Object.entries(steps).filter(([, list]) => list.length > 0));
}

const escape = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

const runs = (given: string): DraftStep[] => {
  // What a backslash went on with is cut off, and so is what parted commands from those that became a pipeline.
  const text = given
    .replaceAll(/^\s*\\$/gm, '')
    .replace(/^\s*(?:;|&&)/, '')
    .replace(/(?:(?<!\\);|&&)\s*$/, '');
  return text.split('\n').every((line) => /^\s*(?:#|$)/.test(line)) ? [] : [{ run: `${text.trim()}\n` }];
};

/** Sets something that only holds in the same shell. */
const SETS =
  /(?:^|[;&|\n])\s*(?:(?:export|cd|local|unset|set|pushd|read)\b|[A-Za-z_]\w*\+?=(?:\$\([^)\n]*\)|"[^"\n]*"|'[^'\n]*'|`[^`\n]*`|\$(?!\()|[^\s;&|"'`$])*\s*(?:$|[;&|\n])|[A-Za-z_]\w*\s*\(\))/;

/** Whether text sets something that what runs after it in the same shell sees. */
export const setsSomething = (text: string): boolean => SETS.test(text);

/** Finds the wanted commands in their order; `runs` are the texts between them. */
function cut(
  text: string,
  wanted: readonly ((words: readonly string[]) => boolean)[],
): { readonly found: readonly (readonly string[])[]; readonly runs: readonly string[] } | undefined {
  const found: (readonly string[])[] = [];
  const between: string[] = [];
  let from = 0;
  for (const line of linesOf(text)) {
    const { words } = line;
    if (words === undefined || wanted[found.length]?.(words) !== true) continue;
    const gap = text.slice(from, line.start);
    // Not at the start of a line of its own: part of something else.
    if (SETS.test(gap)) return undefined;
    found.push(words);
    between.push(gap);
    from = line.end;
  }
  return found.length === wanted.length ? { found, runs: [...between, text.slice(from)] } : undefined;
}

/** Text that only builds, and what stands after it from the first command that installs. */
export function cutAtInstall(text: string): readonly string[] {
  const first = linesOf(text).find(({ start, end }) => /\$\{?DESTDIR\}?/.test(text.slice(start, end)));
  const [build, install] = [text.slice(0, first?.start ?? 0), text.slice(first?.start ?? 0)];
  return runs(build).length === 0 || setsSomething(build) ? [text] : [build, install];
}

function linesOf(text: string): Line[] {
  let commands: Command[];
  try {
    commands = parseCommands(text);
  } catch (error) {
    if (error instanceof ShellError) return [];
    throw error;
  }
  let from = 0;
  return commands.map((command) => {
    const start = text.indexOf(command.text, from);
    from = start + command.text.length;
    const words = command.kind === 'simple' && !command.redirected ? command.words : undefined;
    return { words, start, end: from };
  });
}
