/** Sources and patches of melange's pipelines. */
import type { DraftSource, Notes, OwnerRule } from './draft.ts';
import type { Inputs } from './melange-shell.ts';
import { importSource, isArchive, UNKNOWN_COMMIT } from './places.ts';
import { textOf, type LineFinder, type Mapping, type Substitutions } from './yaml-values.ts';

export interface PipelineContext {
  readonly notes: Notes;
  readonly substitutions: Substitutions;
  readonly line: LineFinder;
  /** Of the package. */
  readonly name: string;
  /** Names of variables that are set for all steps. */
  readonly environment: readonly string[];
  /** Flags that are added to those that steps have here. */
  readonly flags: readonly (readonly [string, string])[];
  /** Receives whom steps give files to. */
  readonly owners: OwnerRule[];
}

interface Placed extends PipelineContext {
  /** Where the pipeline runs, below the sources. */
  readonly folder: string;
}

export function fetched(inputs: Mapping, input: Inputs, { notes, line, folder }: Placed): DraftSource[] {
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
  const into = folder === '' ? {} : { into: folder };
  return [{ ...source, ...into, ...(keep && isArchive(source.file) ? { extract: false } : {}) }];
}

export function checkedOut(inputs: Mapping, input: Inputs, { notes, line, folder }: Placed): DraftSource[] {
  const commit = input('expected-commit');
  const url = input('repository');
  if (!/^(?:https?|git|ssh):\/\/\S+$/.test(url)) {
    notes.add('lost', 'git-checkout', `${url} is no address of a repository`, line('repository'));
    return [];
  }
  const isWhole = /^[0-9a-f]{40}$/.test(commit);
  if (!isWhole)
    notes.add('open', 'git-checkout', `${url}: recipes need the whole name of a commit`, line('repository'));
  if (inputs['cherry-picks'] !== undefined)
    notes.add(
      'lost',
      'git-checkout',
      'its cherry-picks are not carried over: make patches of them',
      line('cherry-picks'),
    );
  if (textOf(inputs['recurse-submodules']) === 'true')
    notes.add('lost', 'git-checkout', 'submodules are not carried over', line('recurse-submodules'));
  const destination = input('destination', folder);
  const name =
    url
      .split('/')
      .pop()
      ?.replace(/\.git$/, '')
      .replaceAll(/[^A-Za-z0-9_.+~-]/g, '_') ?? 'source';
  const into = destination === '' || destination === '.' ? {} : { into: destination.replace(/^\.\//, '') };
  return [
    {
      git: { url, commit: isWhole ? commit : UNKNOWN_COMMIT },
      file: `${name.replace(/^[^A-Za-z0-9_]+/, '') || 'source'}.tar`,
      ...into,
    },
  ];
}

export function patchNames(input: Inputs, { notes, line }: PipelineContext): string[] {
  if (input('series') !== '')
    notes.add('lost', 'patch', 'a series file is not read: list its patches', line('series'));
  const strip = input('strip-components', '1');
  if (strip !== '1')
    notes.add('lost', 'patch', `patches are applied with -p1, not -p${strip}`, line('strip-components'));
  return input('patches')
    .split(/\s+/)
    .filter((name) => name !== '');
}
