/** melange's pipelines as sources, patches and shell steps. */
import type { Draft, DraftSource, Notes } from './draft.ts';
import { importSource, isArchive, placeSources } from './places.ts';
import { importStep } from './steps.ts';
import {
  fill,
  listOf,
  recordOf,
  textOf,
  type LineFinder,
  type Mapping,
  type Substitutions,
} from './yaml-values.ts';

export interface PipelineContext {
  readonly notes: Notes;
  readonly substitutions: Substitutions;
  readonly line: LineFinder;
}

/** Done by the builder for every package. */
const AUTOMATIC = new Set(['strip', 'split/dev', 'split/manpages', 'split/infodir', 'split/debug']);

type Inputs = (name: string, otherwise?: string) => string;

/** Named pipelines as shell. */
const SHELL: Readonly<Record<string, (input: Inputs) => string>> = {
  'autoconf/configure': (input) =>
    `${input('dir') === '' ? '' : `cd ${input('dir')}\n`}[ -x ./configure ] || autoreconf -vfi\n./configure --build="$BUILD" --host="$HOST" --prefix=/usr --sysconfdir=/etc --libdir=/usr/lib --mandir=/usr/share/man --infodir=/usr/share/info --localstatedir=/var${more(input('opts'))}`,
  'autoconf/make': (input) => `make -C ${input('dir', '.')} -j"$JOBS"${more(input('opts'))}`,
  'autoconf/make-install': (input) =>
    `make -C ${input('dir', '.')} install DESTDIR="$DESTDIR"${more(input('opts'))}`,
  'cmake/configure': (input) =>
    `cmake -B ${input('output-dir', 'output')} -S . -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$ARCH" -DCMAKE_C_COMPILER="\${CROSS}gcc" -DCMAKE_FIND_ROOT_PATH="$SYSROOT" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib${more(input('opts'))}`,
  'cmake/build': (input) => `cmake --build ${input('output-dir', 'output')} -j "$JOBS"`,
  'cmake/install': (input) => `DESTDIR="$DESTDIR" cmake --install ${input('output-dir', 'output')}`,
  'meson/compile': (input) => `meson compile -C ${input('output-dir', 'output')} -j "$JOBS"`,
  'meson/install': (input) =>
    `DESTDIR="$DESTDIR" meson install --no-rebuild -C ${input('output-dir', 'output')}`,
};

const more = (options: string): string => {
  const words = options.replaceAll(/[ \t]*\\?[ \t]*\n\s*/g, ' ').trim();
  return words === '' ? '' : ` ${words}`;
};

export function importPipelines(
  pipelines: readonly Mapping[],
  context: PipelineContext,
): Pick<Draft, 'sources' | 'patches' | 'steps'> {
  const { notes, substitutions, line } = context;
  const found: DraftSource[] = [];
  const patches: string[] = [];
  const build: string[] = [];
  const install: string[] = [];
  const pending = pipelines.map((pipeline) => ({ pipeline, depth: 0 }));
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const { pipeline, depth } = next;
    const uses = textOf(pipeline['uses']);
    const inputs = recordOf(pipeline['with']);
    const input: Inputs = (name, otherwise = '') => fill(textOf(inputs[name]) ?? otherwise, substitutions);
    const label = uses ?? textOf(pipeline['name']) ?? 'runs';
    const condition = textOf(pipeline['if']);
    if (condition !== undefined)
      notes.add('lost', label, `its condition ${condition} is not carried over`, line('if'));
    if (pipeline['working-directory'] !== undefined)
      notes.add('lost', label, 'its working-directory is not carried over', line('working-directory'));
    const inner = listOf(pipeline['pipeline']).map(recordOf);
    if (depth < 10) pending.unshift(...inner.map((one) => ({ pipeline: one, depth: depth + 1 })));
    const add = (text: string): void => {
      const phase = install.length > 0 || /\$\{?DESTDIR\}?/.test(text) ? install : build;
      phase.push(text.trim());
    };
    const runs = textOf(pipeline['runs']);
    if (runs !== undefined) {
      const step = stepOf(fill(runs, substitutions), context);
      if (step !== undefined) add(step);
    }
    if (uses === undefined) continue;
    if (uses === 'fetch') found.push(...fetched(inputs, input, context));
    else if (uses === 'git-checkout') found.push(...checkedOut(inputs, input, context));
    else if (uses === 'patch') patches.push(...patchNames(input, context));
    else if (!AUTOMATIC.has(uses)) {
      const shell = SHELL[uses];
      if (shell === undefined)
        notes.add('lost', uses, 'the pipeline is not known: write its steps', line('uses'));
      else add(shell(input));
    }
  }
  const step = (texts: readonly string[]): string => `${texts.join('\n')}\n`;
  return {
    sources: placeSources(found, undefined),
    patches,
    steps: {
      ...(build.length === 0 ? {} : { build: step(build) }),
      ...(install.length === 0 ? {} : { install: step(install) }),
    },
  };
}

function stepOf(text: string, { notes, line }: PipelineContext): string | undefined {
  for (const left of text.matchAll(/\$\{\{\s*([^}]{1,100}?)\s*\}\}/g))
    notes.add('lost', 'runs', `the step uses ${left[1] ?? ''}, which is not known`, line('runs'));
  return importStep(text, {
    renamed: {},
    values: new Map(),
    folders: [],
    helpers: {},
    field: 'runs',
    line: line('runs'),
    notes,
  });
}

function fetched(inputs: Mapping, input: Inputs, { notes, line }: PipelineContext): DraftSource[] {
  const hex = (name: string, digits: number): string | undefined =>
    new RegExp(`^[0-9a-f]{${digits}}$`).test(input(name)) ? input(name) : undefined;
  const entry = {
    text: input('uri'),
    line: line('uri'),
    field: 'fetch',
    sha256: hex('expected-sha256', 64),
    sha512: hex('expected-sha512', 128),
  };
  const source = importSource(entry, notes);
  if (source === undefined) return [];
  const keep = textOf(inputs['extract']) === 'false' || !isArchive(source.file);
  if (
    textOf(inputs['extract']) !== 'false' &&
    !isArchive(source.file) &&
    /\.(?:zip|gem|crate|whl)$/.test(source.file)
  )
    notes.add('lost', 'fetch', `${source.file} is no tar: unpack it in prepare`, line('uri'));
  return [{ ...source, ...(keep && isArchive(source.file) ? { extract: false } : {}) }];
}

function checkedOut(inputs: Mapping, input: Inputs, { notes, line }: PipelineContext): DraftSource[] {
  const commit = input('expected-commit');
  const url = input('repository');
  if (!/^[0-9a-f]{40}$/.test(commit) || !/^(?:https?|git|ssh):\/\/\S+$/.test(url)) {
    notes.add('lost', 'git-checkout', `${url}: recipes need the whole name of a commit`, line('repository'));
    return [];
  }
  if (inputs['cherry-picks'] !== undefined)
    notes.add(
      'lost',
      'git-checkout',
      'its cherry-picks are not carried over: make patches of them',
      line('cherry-picks'),
    );
  if (textOf(inputs['recurse-submodules']) === 'true')
    notes.add('lost', 'git-checkout', 'submodules are not carried over', line('recurse-submodules'));
  const destination = input('destination');
  const name =
    url
      .split('/')
      .pop()
      ?.replace(/\.git$/, '')
      .replaceAll(/[^A-Za-z0-9_.+~-]/g, '_') ?? 'source';
  const into = destination === '' || destination === '.' ? {} : { into: destination.replace(/^\.\//, '') };
  return [{ git: { url, commit }, file: `${name.replace(/^[^A-Za-z0-9_]+/, '') || 'source'}.tar`, ...into }];
}

function patchNames(input: Inputs, { notes, line }: PipelineContext): string[] {
  if (input('series') !== '')
    notes.add('lost', 'patch', 'a series file is not read: list its patches', line('series'));
  const strip = input('strip-components', '1');
  if (strip !== '1')
    notes.add('lost', 'patch', `patches are applied with -p1, not -p${strip}`, line('strip-components'));
  return input('patches')
    .split(/\s+/)
    .filter((name) => name !== '');
}
