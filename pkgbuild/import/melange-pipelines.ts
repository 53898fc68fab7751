/** melange's pipelines as sources, patches and steps. */
import type { Draft, DraftSource, DraftStep, DraftSteps } from './draft.ts';
import { checkedOut, fetched, patchNames, type PipelineContext } from './melange-sources.ts';
import { HOST_TOOLS, SHELL, VENDORED, whyNot, type Inputs } from './melange-shell.ts';
import { placeSources } from './places.ts';
import { importStep, SOURCE_FOLDER } from './steps.ts';
import { cutAtInstall, setsSomething, usualSteps } from './usual-steps.ts';
import { fill, listOf, recordOf, textOf, type Mapping } from './yaml-values.ts';

/** Done by the builder for every package, or to the machine that builds. */
const AUTOMATIC = new Set([
  'strip',
  'split/dev',
  'split/manpages',
  'split/infodir',
  'split/debug',
  'split/static',
  'split/alldocs',
]);
const MAX_DEPTH = 10;
/** Names that architectures have in images. */
const OCI_ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

/** One of the pipelines in the order that they run, with what it inherits. */
interface Item {
  readonly pipeline: Mapping;
  readonly folder: string;
  readonly environment: Mapping;
  readonly condition: string | undefined;
}

interface Made {
  readonly text: string;
  readonly condition: string | undefined;
  /** Shell of its own: what it sets holds for nothing else. */
  readonly apart: boolean;
}

export interface ImportedPipelines extends Pick<Draft, 'sources' | 'patches' | 'steps'> {
  readonly hostDepends: readonly string[];
}

export function importPipelines(pipelines: readonly Mapping[], context: PipelineContext): ImportedPipelines {
  const found: DraftSource[] = [];
  const patches: string[] = [];
  const made: Made[] = [];
  const host = new Set<string>();
  for (const item of flattened(pipelines, context)) {
    const { pipeline } = item;
    const uses = textOf(pipeline['uses']);
    const inputs = recordOf(pipeline['with']);
    const input: Inputs = (name, otherwise = '') =>
      fill(textOf(inputs[name]) ?? otherwise, context.substitutions);
    const runs = textOf(pipeline['runs']);
    const add = (text: string): void => {
      made.push(...cutAtInstall(text).map((part) => inPlace(part, item, context)));
    };
    if (runs !== undefined) {
      const step = stepOf(fill(runs, context.substitutions), context);
      if (step !== undefined) add(step);
    }
    if (uses === undefined || AUTOMATIC.has(uses)) continue;
    if (uses.startsWith('test/')) {
      context.notes.add('left', uses, 'its tests are not carried over', context.line('uses', uses));
      continue;
    }
    if (uses === 'fetch') found.push(...fetched(inputs, input, { ...context, folder: item.folder }));
    else if (uses === 'git-checkout')
      found.push(...checkedOut(inputs, input, { ...context, folder: item.folder }));
    else if (uses === 'patch') patches.push(...patchNames(input, context));
    else {
      const shell = SHELL[uses];
      const vendored = VENDORED[uses];
      if (vendored !== undefined)
        context.notes.add(
          'open',
          uses,
          `${vendored}${input('deps') === '' ? '' : `, with ${input('deps').replaceAll(/\s+/g, ' ').trim()}`}`,
          context.line('uses', uses),
        );
      if (shell === undefined && vendored === undefined)
        context.notes.add('lost', uses, whyNot(uses), context.line('uses', uses));
      for (const tool of HOST_TOOLS[uses] ?? []) host.add(tool);
      for (const text of shell?.(input, {
        name: context.name,
        fromGit: found.some(({ git }) => git !== undefined),
        before: made.map((one) => one.text).join('\n'),
      }) ?? [])
        add(stepOf(text, context) ?? text);
    }
  }
  const steps = stepsOf(made);
  if (made.some(({ text }) => /(?:^|\s)autoreconf\s/m.test(text)))
    for (const tool of ['autoconf', 'automake', 'libtool']) host.add(tool);
  return { sources: placeSources(found, undefined), patches, steps, hostDepends: [...host] };
}

/** Pipelines with those inside them in their place. */
function flattened(pipelines: readonly Mapping[], context: PipelineContext): Item[] {
  const items: Item[] = [];
  const visit = (pipeline: Mapping, outer: Omit<Item, 'pipeline'>, depth: number): void => {
    const folder = textOf(pipeline['working-directory']);
    const condition = conditionIn(pipeline);
    const own: Omit<Item, 'pipeline'> = {
      folder:
        folder === undefined
          ? outer.folder
          : fill(folder, context.substitutions).replace(/^\/home\/build\/?/, ''),
      environment: { ...outer.environment, ...recordOf(pipeline['environment']) },
      condition: outer.condition,
    };
    const known =
      condition === undefined
        ? 'always'
        : bothOf(outer.condition, conditionOf(fill(condition, context.substitutions)));
    if (known === 'never') return;
    if (known === undefined)
      context.notes.add(
        'lost',
        textOf(pipeline['uses']) ?? textOf(pipeline['name']) ?? 'runs',
        `its condition ${condition ?? ''} is not carried over`,
        context.line('if', condition),
      );
    const item = { ...own, condition: known === undefined || known === 'always' ? own.condition : known };
    items.push({ pipeline, ...item });
    if (depth < MAX_DEPTH)
      for (const inner of listOf(pipeline['pipeline']).map(recordOf)) visit(inner, item, depth + 1);
  };
  for (const pipeline of pipelines) visit(pipeline, { folder: '', environment: {}, condition: undefined }, 0);
  return items;
}

/** The condition that a pipeline or subpackage states, as melange writes it. */
export function conditionIn(of: Mapping): string | undefined {
  const [stated, arch] = [textOf(of['if']), textOf(of['if-arch'])];
  const parts = [
    stated,
    arch === undefined ? undefined : `\${{build.arch}} == '${OCI_ARCHITECTURES[arch] ?? arch}'`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join(' && ');
}

/** Two conditions as one; a recipe's have no brackets, so not with "or" in one of them. */
function bothOf(outer: string | undefined, inner: string | undefined): string | undefined {
  if (outer === undefined || inner === undefined || inner === 'always' || inner === 'never') return inner;
  return `${outer}${inner}`.includes('||') ? undefined : `${outer} && ${inner}`;
}

/** A condition in the words of a recipe; `undefined` where it has none. */
export function conditionOf(text: string): string | undefined {
  const parts = text.split(/(&&|\|\|)/).map((part) => part.trim());
  const said: string[] = [];
  for (const part of parts) {
    if (part === '&&' || part === '||') {
      said.push(part);
      continue;
    }
    const match = /^\(?\s*['"]?([^'"=!]*?)['"]?\s*(==|!=)\s*['"]?([^'"=!]*?)['"]?\s*\)?$/.exec(part);
    if (match === null) return undefined;
    const [, left = '', operator, right = ''] = match;
    const arch = left === '$ARCH' ? right : right === '$ARCH' ? left : undefined;
    if (arch === undefined) {
      if (parts.length > 1 || left.includes('${{') || right.includes('${{')) return undefined;
      return (left === right) === (operator === '==') ? 'always' : 'never';
    }
    if (arch !== 'x86_64' && arch !== 'aarch64') {
      if (parts.length > 1) return undefined;
      return operator === '==' ? 'never' : 'always';
    }
    said.push(`${operator === '!=' ? '!' : ''}${arch}`);
  }
  return said.join(' ');
}

function inPlace(text: string, { folder, environment, condition }: Item, context: PipelineContext): Made {
  const exports = Object.entries(environment).flatMap(([name, value]) => {
    const one = textOf(value);
    return one === undefined || !/^[A-Za-z_]\w*$/.test(name)
      ? []
      : [`export ${name}="${fill(one, context.substitutions).replaceAll(/["\\`]/g, '\\$&')}"\n`];
  });
  const enter = folder === '' || folder === '.' ? '' : `mkdir -p ${folder}\ncd ${folder}\n`;
  const flags = context.flags.map(
    ([name, value]) => `export ${name}="\${${name}:-} ${value.replaceAll(/["\\`]/g, '\\$&')}"\n`,
  );
  const whole = `${flags.join('')}${exports.join('')}${enter}${text.trim()}\n`;
  return { text: whole, condition, apart: condition !== undefined || setsSomething(whole) };
}

/** Pipelines of ours where nothing but them is done; else each text in a shell of its own, as melange runs it. */
function stepsOf(made: readonly Made[]): DraftSteps {
  const first = made.findIndex(({ text }) => /\$\{?DESTDIR\}?/.test(text));
  const cut = first === -1 ? made.length : first;
  const [build, install] = [made.slice(0, cut), made.slice(cut)];
  const joined = (list: readonly Made[]): string => list.map(({ text }) => text).join('');
  if (made.every(({ apart }) => !apart) && made.length > 0) {
    const steps = usualSteps({
      ...(build.length === 0 ? {} : { build: joined(build) }),
      ...(install.length === 0 ? {} : { install: joined(install) }),
    });
    if (Object.values(steps).some((list) => list.some((step) => 'uses' in step))) return steps;
  }
  const each = (list: readonly Made[]): DraftStep[] =>
    list.length > 0 && list.every(({ apart }) => !apart)
      ? [{ run: joined(list) }]
      : list.map(({ text, condition }) => ({
          run: text,
          ...(condition === undefined ? {} : { if: condition }),
        }));
  return {
    ...(build.length === 0 ? {} : { build: each(build) }),
    ...(install.length === 0 ? {} : { install: each(install) }),
  };
}

function stepOf(text: string, { notes, line, environment, owners }: PipelineContext): string | undefined {
  for (const left of text.matchAll(/\$\{\{\s*([^}]{1,100}?)\s*\}\}/g))
    notes.add('lost', 'runs', `the step uses ${left[1] ?? ''}, which is not known`, line('runs'));
  return importStep(text, {
    renamed: {
      CBUILD: '$BUILD',
      CHOST: '$HOST',
      CARCH: '$ARCH',
      ...Object.fromEntries(environment.map((name) => [name, `$${name}`])),
    },
    values: new Map(),
    folders: ['/home/build'],
    helpers: {},
    rewrites: [[/\/home\/build(?=\/|$)/gm, SOURCE_FOLDER]],
    functions: new Map(),
    owners,
    field: 'runs',
    line: line('runs'),
    notes,
  });
}
