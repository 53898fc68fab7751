/** Subpackages of a melange file: by their named pipelines, or by the files that they move. */
import type { DraftSubpackage, Notes } from './draft.ts';
import { importDependency } from './words.ts';
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

/** Named pipelines that take files by their places. */
const SPLITS: Readonly<Record<string, readonly string[]>> = {
  'split/locales': ['usr/share/locale'],
  'split/lib': ['lib/lib*.so.*', 'usr/lib/lib*.so.*'],
  'split/bin': ['usr/bin'],
  'split/sbin': ['usr/sbin'],
  'split/libexec': ['usr/libexec'],
};
const AUTOMATIC: Readonly<Record<string, string>> = {
  'split/dev': 'dev',
  'split/manpages': 'doc',
  'split/infodir': 'doc',
  'split/alldocs': 'doc',
  'split/static': 'static',
  'split/debug': 'dbg',
};
const MOVE =
  /^mv\s+(?:-\S+\s+)?((?:"?\$\{\{targets\.(?:destdir|outdir)\}\}"?\S*\s+)+)"?\$\{\{targets\.(?:subpkgdir|contextdir)\}\}"?\S*$/;
const HARMLESS = /^(?:mkdir|install\s+-d|install\s+-m?\d*\s*-d|set\s+-|#|$|done$|fi$|cd\s|:$|true$)/;

export function melangeSubpackage(subpackage: Mapping, means: Means): DraftSubpackage[] {
  const { notes, substitutions, line } = means;
  const name = fill(textOf(subpackage['name']) ?? '', substitutions);
  const field = `subpackages ${name}`;
  if (!/^[A-Za-z0-9_][A-Za-z0-9_+.-]{0,127}$/.test(name)) {
    notes.add('lost', field, 'its name is not known', line('subpackages'));
    return [];
  }
  const files: string[] = [];
  let automatic = false;
  for (const pipeline of listOf(subpackage['pipeline']).map(recordOf)) {
    const uses = textOf(pipeline['uses']);
    const made = AUTOMATIC[uses ?? ''];
    const split = SPLITS[uses ?? ''];
    const other = textOf(recordOf(pipeline['with'])['package']) !== undefined;
    if (uses !== undefined && made !== undefined && !other) automatic = true;
    else if (split !== undefined && !other) files.push(...split);
    else if (uses !== undefined && uses !== 'strip')
      notes.add('lost', field, `the pipeline ${uses} is not known`, line('uses'));
    const runs = textOf(pipeline['runs']);
    if (runs !== undefined) files.push(...movedFiles(runs, { ...means, field }));
  }
  const suffix = name.startsWith(`${means.name}-`) ? name.slice(means.name.length + 1) : '';
  if (files.length === 0 && (automatic || ['dev', 'doc', 'dbg', 'static'].includes(suffix))) {
    if (suffix !== 'dev' && suffix !== 'doc')
      notes.add('left', field, 'the builder splits -dev and -doc only', line('subpackages'));
    return [];
  }
  if (files.length === 0) {
    notes.add('lost', field, 'nothing says which files it has', line('subpackages'));
    return [];
  }
  const description = textOf(subpackage['description']);
  const depends = textsOf(recordOf(subpackage['dependencies'])['runtime'])
    .map((one) => fill(one, substitutions))
    .flatMap((one) => importDependency(one) ?? []);
  return [
    {
      name,
      files,
      ...(description === undefined
        ? {}
        : { description: fill(description, substitutions).replaceAll(/\s+/g, ' ').trim() }),
      ...(depends.length === 0 ? {} : { depends }),
    },
  ];
}

/** What `mv` takes from the main package to the subpackage. */
function movedFiles(
  runs: string,
  { notes, substitutions, line, field }: Means & { readonly field: string },
): string[] {
  const files: string[] = [];
  for (const text of runs.replaceAll(/\\\n\s*/g, ' ').split(/\n|;|&&/)) {
    const command = text.trim().replaceAll(/\$\{\{\s+|\s+\}\}/g, (sign) => sign.trim());
    const moved = MOVE.exec(command)?.[1];
    if (moved !== undefined) {
      const paths = moved
        .replaceAll('"', '')
        .trim()
        .split(/\s+/)
        .map((one) => fill(one.replace(/^\$\{\{targets\.(?:destdir|outdir)\}\}\/*/, ''), substitutions));
      const known = paths.filter((one) => /^[^/$][^$]*$/.test(one) && !one.includes('..'));
      files.push(...known.map((one) => one.replace(/\/$/, '')));
      if (known.length === paths.length) continue;
    }
    if (!HARMLESS.test(command))
      notes.add('lost', field, `"${command.slice(0, 80)}" is not carried over`, line('subpackages'));
  }
  return files;
}
