/**
 * Owners that steps give to what they install, as rules of a recipe: a build has no such accounts, and nothing may be given
 * away in it.
 */
import { ownerOf } from './declared-script.ts';
import type { Notes, OwnerRule } from './draft.ts';
import { clip } from './shell-values.ts';

interface Taking {
  readonly owners: OwnerRule[];
  readonly notes: Notes;
  readonly field: string;
  readonly line: number | undefined;
}

/** The text without the owners that became rules; those whose paths cannot be told are lost. */
export function takeOwners(text: string, taking: Taking): string {
  const lines = text.split(/(?<!\\)\n/).map((line) => {
    const program = /^[ \t]*(install|chown|chgrp)[ \t]/.exec(line)?.[1];
    if (program === undefined) return line;
    return program === 'install' ? withoutOwner(line, taking) : withoutChown(line, taking);
  });
  return lines.filter((line) => line !== undefined).join('\n');
}

const OWNER = /[ \t]+(?:-[og][ \t]*|--(?:owner|group)[= ])(["']?)([\w.$-]+)\1(?=[ \t\\\n]|$)/g;
const DESTINATION = /^\$(?:DESTDIR|\{DESTDIR\})\/([^$`]+)$/;

function withoutOwner(line: string, taking: Taking): string {
  const said = [...line.matchAll(OWNER)].map(([option, , name = '']) =>
    /-g|group/.test(option) ? { group: name } : { user: name },
  );
  if (said.length === 0) return line;
  const { user = '', group = '' } = Object.assign({}, ...said) as { user?: string; group?: string };
  const bare = line.replaceAll(OWNER, '');
  give({ line, targets: targetsOf(bare), owner: `${user}:${group}`, deep: false }, taking);
  return bare;
}

/** The line goes; one in a block leaves a command that does nothing, because a block must have one. */
function withoutChown(line: string, taking: Taking): string | undefined {
  const [program, ...words] = wordsOf(line) ?? [];
  const [owner = '', ...paths] = words.filter((word) => !word.startsWith('-'));
  const deep = words.some((word) => /^-\w*R/.test(word));
  if (program === undefined || paths.length === 0) {
    lose(line, taking);
    return line;
  }
  give({ line, targets: paths.map(below), owner: program === 'chgrp' ? `:${owner}` : owner, deep }, taking);
  const indent = /^[ \t]*/.exec(line)?.[0] ?? '';
  return indent === '' ? undefined : `${indent}:`;
}

interface Given {
  readonly line: string;
  readonly targets: readonly (string | undefined)[];
  readonly owner: string;
  readonly deep: boolean;
}

function give({ line, targets, owner, deep }: Given, taking: Taking): void {
  const rule = ownerOf(owner);
  if (Object.keys(rule).length === 0) return;
  const told = /[$*]/.test(owner) ? [] : targets.filter((one) => one !== undefined);
  if (told.length === 0 || told.length < targets.length) lose(line, taking);
  for (const path of told) {
    taking.owners.push({ path, ...rule });
    if (deep) taking.owners.push({ path: `${path}/**`, ...rule });
  }
}

function lose(text: string, { notes, field, line }: Taking): void {
  const what = clip(text.trim().replaceAll(/\s*\\?\n\s*/g, ' '));
  notes.add('lost', field, `whom "${what}" gives files to is not carried over: say it under owners`, line);
}

/** Words of a plain command; `undefined` where it is more than one, or only a shell could tell its words. */
function wordsOf(line: string): string[] | undefined {
  const joined = line.replaceAll(/\\\n/g, ' ').trim();
  const words = joined.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  if (/[;&|`<>()]/.test(joined) || words.some((word) => /\s/.test(word))) return undefined;
  return words.map((word) => word.replaceAll(/["']/g, ''));
}

const below = (word: string): string | undefined =>
  DESTINATION.exec(word)?.[1]
    ?.replace(/\/+$/, '')
    .replaceAll(/\/{2,}/g, '/');

/** What an `install` makes. */
function targetsOf(line: string): (string | undefined)[] {
  const names: string[] = [];
  let [folder, makesFolders] = ['', false];
  const rest = (wordsOf(line) ?? []).slice(1);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const letters = /^-([A-Za-z]\w*)$/.exec(word)?.[1];
    if (letters === undefined) {
      if (!word.startsWith('--')) names.push(word);
      continue;
    }
    if (/^[A-Za-ln-su-z]*d/.test(letters)) makesFolders = true;
    const value = /^[^mt]*[mt](.*)$/.exec(letters)?.[1];
    const given = value === '' ? rest.shift() : value;
    if (/^[^m]*t/.test(letters)) folder = given ?? '';
  }
  if (makesFolders) return names.map(below);
  const file = (name: string): string => name.split('/').pop() ?? '';
  if (folder !== '') return names.map((name) => below(`${folder}/${file(name)}`));
  const [last = '', ...sources] = names.toReversed();
  const isFolder = last.endsWith('/') || sources.length > 1;
  return sources.map((source) => below(isFolder ? `${last}/${file(source)}` : last));
}
