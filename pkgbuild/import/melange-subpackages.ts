/** Subpackages of a melange file: by their named pipelines, or by what their shell moves and makes. */
import type { DraftSubpackage, Notes } from './draft.ts';
import { whyNot } from './melange-shell.ts';
import { DEV_FILES, isByItself } from './places.ts';
import { PART, readSplit, TREE } from './split-shell.ts';
import { SOURCE_FOLDER } from './steps.ts';
import { importDependency, importProvide, withoutLayout } from './words.ts';
import {
  fill,
  listOf,
  recordOf,
  textOf,
  textsOf,
  type LineFinder,
  type Mapping,
  type Substitutions,
} from './yaml-values.ts';

interface Means {
  readonly notes: Notes;
  readonly substitutions: Substitutions;
  readonly line: LineFinder;
  /** Of the main package. */
  readonly name: string;
}

export interface MelangePart {
  readonly made: readonly DraftSubpackage[];
  /** Shell for `install`. */
  readonly steps: readonly string[];
}

/** Named pipelines that take files by their places. */
const SPLITS: Readonly<Record<string, readonly string[]>> = {
  'split/locales': ['usr/share/locale'],
  'split/lib': ['lib/lib*.so.*', 'usr/lib/lib*.so.*'],
  'split/bin': ['usr/bin'],
  'split/sbin': ['usr/sbin'],
  'split/libexec': ['usr/libexec'],
  'split/bashcomp': ['usr/share/bash-completion'],
  'split/zshcomp': ['usr/share/zsh'],
  'split/fishcomp': ['usr/share/fish'],
};
const AUTOMATIC = new Set([
  'split/dev',
  'split/manpages',
  'split/infodir',
  'split/alldocs',
  'split/static',
  'split/debug',
  'strip',
]);
const NOTHING: MelangePart = { made: [], steps: [] };

export function melangeSubpackage(subpackage: Mapping, means: Means): MelangePart {
  const { notes, substitutions, line } = means;
  const name = fill(textOf(subpackage['name']) ?? '', substitutions);
  const field = `subpackages ${name}`;
  const stated = line('name', textOf(subpackage['name'])) ?? line('subpackages');
  const lost = (why: string): void => notes.add('lost', field, why, stated);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_+.-]{0,127}$/.test(name)) {
    lost('its name is not known');
    return NOTHING;
  }
  const files: string[] = [];
  const steps: string[] = [];
  let understood = true;
  let automatic = false;
  for (const pipeline of listOf(subpackage['pipeline']).map(recordOf)) {
    const uses = textOf(pipeline['uses']);
    const of = textOf(recordOf(pipeline['with'])['package']);
    const other = of !== undefined && fill(of, substitutions) !== means.name;
    if (uses !== undefined && !other && AUTOMATIC.has(uses)) automatic = true;
    else if (uses !== undefined && !other && SPLITS[uses] !== undefined) files.push(...(SPLITS[uses] ?? []));
    else if (uses?.startsWith('test/') === true)
      notes.add('left', field, `the tests of ${uses} are not carried over`, stated);
    else if (uses !== undefined) {
      understood = false;
      lost(`${uses}: ${whyNot(uses)}`);
    }
    const runs = textOf(pipeline['runs']);
    if (runs === undefined) continue;
    const read = readRuns(runs, textOf(pipeline['working-directory']) ?? '', { ...means, part: name });
    files.push(...read.files);
    steps.push(...read.steps);
    for (const command of read.unknown) lost(`"${command}" is not carried over`);
    understood &&= read.unknown.length === 0;
  }
  if (subpackage['scriptlets'] !== undefined) lost('say what its scriptlets do under scripts');
  const suffix = name.startsWith(`${means.name}-`) ? name.slice(means.name.length + 1) : '';
  const beyond = files.filter((file) => !isByItself(file));
  const isBuilders = suffix === 'dev' || suffix === 'doc';
  if (isBuilders && (beyond.length === 0 || suffix === 'doc')) return { made: [], steps };
  if (files.length === 0) {
    if (automatic || ['dbg', 'static'].includes(suffix))
      notes.add('left', field, 'the builder splits -dev and -doc only', stated);
    else if (understood) lost('it has no files, only what it depends on');
    return { made: [], steps };
  }
  const all = suffix === 'dev' ? [...DEV_FILES, ...beyond] : files;
  return { made: [{ name, files: [...new Set(all)], ...about(subpackage, means) }], steps };
}

function about(subpackage: Mapping, { substitutions, notes }: Means): Partial<DraftSubpackage> {
  const dependencies = recordOf(subpackage['dependencies']);
  const list = (key: string, convert: (text: string) => string | undefined): string[] =>
    textsOf(dependencies[key]).flatMap((one) => convert(fill(one, substitutions)) ?? []);
  const description = textOf(subpackage['description']);
  const lists = Object.entries({
    depends: withoutLayout(list('runtime', importDependency), notes, 'subpackages'),
    provides: list('provides', importProvide),
    replaces: list('replaces', importDependency),
  }).filter(([, texts]) => texts.length > 0);
  const priority = Number(
    /^\d{1,9}$/.exec(fill(textOf(dependencies['provider-priority']) ?? '', substitutions))?.[0] ?? 0,
  );
  return {
    ...(description === undefined
      ? {}
      : { description: fill(description, substitutions).replaceAll(/\s+/g, ' ').trim() }),
    ...(Object.fromEntries(lists) as Partial<DraftSubpackage>),
    ...(priority === 0 ? {} : { providerPriority: priority }),
  };
}

function readRuns(
  runs: string,
  folder: string,
  { substitutions, name, part }: Means & { readonly part: string },
): ReturnType<typeof readSplit> {
  const places = new Map([
    ...substitutions,
    ['targets.destdir', TREE],
    [`targets.package.${name}`, TREE],
    ['targets.subpkgdir', PART],
    ['targets.contextdir', PART],
    [`targets.package.${part}`, PART],
    ['subpkg.name', part],
    ['context.name', part],
  ]);
  const below = fill(folder, substitutions).replace(/^\/home\/build\/?/, '');
  return readSplit(fill(runs, places).replaceAll(/\/home\/build(?=\/|\s|$)/g, SOURCE_FOLDER), {
    values: new Map(),
    functions: new Map(),
    start: below === '' ? SOURCE_FOLDER : `${SOURCE_FOLDER}/${below}`,
    usual: {},
  });
}
