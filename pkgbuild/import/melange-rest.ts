/** What a melange file says besides its build: scriptlets, updates, and what has no counterpart. */
import { RUNS, type ImportContext } from './apkbuild.ts';
import type { Draft, DraftSource } from './draft.ts';
import { importScripts, type ForeignScript, type Scripted } from './install-scripts.ts';
import { recordOf, textOf, type LineFinder, type Mapping } from './yaml-values.ts';

export interface Telling {
  readonly context: ImportContext;
  readonly line: LineFinder;
}

/** Tells of fields that a recipe has no place for. */
export function tellRest(top: Mapping, about: Mapping, { context: { notes }, line }: Telling): void {
  if (top['test'] !== undefined)
    notes.add('left', 'test', 'its tests are not carried over: they run inside the root', line('test'));
  if (top['capabilities'] !== undefined)
    notes.add('left', 'capabilities', 'builds run without any', line('capabilities'));
  const options = Object.keys(recordOf(top['options']));
  if (options.length > 0)
    notes.add(
      'lost',
      'options',
      `it is as without ${options.join(', ')}: write choices under options`,
      line('options'),
    );
  if (about['setcap'] !== undefined)
    notes.add('lost', 'package.setcap', 'say it under owners, as capabilities', line('setcap'));
  for (const option of Object.keys(recordOf(about['options'])))
    notes.add(
      option === 'no-provides' || option === 'no-depends' ? 'lost' : 'left',
      `package.options.${option}`,
      'has no counterpart',
      line(option),
    );
}

/** Scriptlets as declarations or scripts; packages have no triggers. */
export function scriptletsOf(about: Mapping, { context: { notes }, line }: Telling): Scripted {
  const texts = Object.entries(recordOf(about['scriptlets']));
  if (texts.some(([name]) => name === 'trigger'))
    notes.add('lost', 'package.scriptlets.trigger', 'packages have no triggers', line('trigger'));
  const scripts = texts.flatMap(([name, text]): ForeignScript[] => {
    const runs = RUNS[name];
    return runs === undefined ? [] : [{ name, runs, text: textOf(text) }];
  });
  return importScripts(scripts, { notes, field: 'package.scriptlets', line: line('scriptlets') });
}

/** Where new versions show: the tags of a repository. */
export function updateOf(
  update: Mapping,
  sources: readonly DraftSource[],
  { context: { notes }, line }: Telling,
): Draft['update'] {
  if (Object.keys(update).length === 0) return undefined;
  const reason = textOf(update['exclude-reason']);
  if (textOf(update['enabled']) === 'false' && reason !== undefined)
    return { manual: reason.replaceAll(/\s+/g, ' ').trim() };
  const of = recordOf(update['github'] ?? update['git']);
  const identifier = textOf(of['identifier']);
  const git =
    identifier !== undefined && /^[\w.-]+\/[\w.-]+$/.test(identifier)
      ? `https://github.com/${identifier}`
      : sources.find((source) => source.git !== undefined)?.git?.url;
  const isTags = update['github'] !== undefined || update['git'] !== undefined;
  const pattern = update['version-transform'] === undefined ? tagPattern(of) : undefined;
  if (isTags && git !== undefined && pattern !== undefined) {
    if (update['ignore-regex-patterns'] !== undefined)
      notes.add('left', 'update', 'what it ignores is not carried over', line('ignore-regex-patterns'));
    return { git, pattern };
  }
  notes.add('left', 'update', 'how new versions are found is not carried over', line('update'));
  return undefined;
}

/** A pattern for whole tags whose first group is the version; `undefined` for tags that are chosen in another way. */
function tagPattern(of: Mapping): string | undefined {
  if (['tag-filter-contains', 'tag-filter-suffix'].some((key) => of[key] !== undefined)) return undefined;
  const [prefix, suffix] = [textOf(of['strip-prefix']) ?? '', textOf(of['strip-suffix']) ?? ''];
  const filter = textOf(of['tag-filter-prefix']) ?? textOf(of['tag-filter']) ?? prefix;
  // A longer filter is the start of the version.
  if (!filter.startsWith(prefix) && !prefix.startsWith(filter)) return undefined;
  const start = filter.slice(prefix.length);
  const first = start === '' ? String.raw`\d` : escaped(start);
  return String.raw`(?<!\S)${escaped(prefix)}(${first}\S*?)${escaped(suffix)}(?!\S)`;
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
