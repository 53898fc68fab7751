/** Packages of a PKGBUILD besides the first: those whose functions name the files that they install. */
import { MAX_SUBPACKAGES, type DraftSubpackage, type Notes } from './draft.ts';
import type { ShellFile } from './shell-file.ts';
import { readScript, type ShellFunction } from './shell-script.ts';
import { ShellError } from './shell-tokens.ts';
import { assigned, type Value } from './shell-values.ts';
import { PART, readSplit } from './split-shell.ts';
import { SOURCE_FOLDER } from './steps.ts';
import { importDependency, importProvide } from './words.ts';

interface Means {
  readonly file: ShellFile;
  readonly notes: Notes;
  /** Of the recipe. */
  readonly main: string;
}

/** The function of the package that has the recipe's name, or of the first. */
export const mainPackage = (
  functions: ReadonlyMap<string, ShellFunction>,
  name: string,
  names: readonly string[],
): string | undefined =>
  ['package', `package_${name}`, `package_${names[0] ?? ''}`].find((one) => functions.has(one));

/** Fields of one package, as its function sets them. */
const FIELDS =
  /^[ \t]*(?:depends|optdepends|provides|conflicts|replaces|backup|pkgdesc|install|arch|license|groups|options|url)\+?=(?:\([^()]*\)|"[^"]*"|'[^']*'|[^\s"'()]*)[ \t]*;?[ \t]*(?:#[^\n]*)?$/gm;

export const withoutFields = (body: string): string => body.replaceAll(FIELDS, '');

/** Applies the fields that a function sets to the values of the file. */
export function setFields(body: string, values: Map<string, Value>): void {
  for (const match of body.matchAll(FIELDS)) {
    try {
      for (const statement of readScript(match[0].trim()))
        if (statement.kind === 'assignment') values.set(statement.name, assigned(statement, values));
    } catch (error) {
      if (!(error instanceof ShellError)) throw error;
    }
  }
}

export function archSubpackages(
  names: readonly string[],
  { file, notes, main }: Means,
): { readonly made: DraftSubpackage[]; readonly steps: string[] } {
  const made: DraftSubpackage[] = [];
  const steps: string[] = [];
  if (names.length > MAX_SUBPACKAGES)
    notes.add('lost', 'pkgname', `there are more than ${MAX_SUBPACKAGES} packages`);
  for (const name of names.slice(0, MAX_SUBPACKAGES)) {
    const own = file.functions.get(`package_${name}`);
    const field = `package_${name}()`;
    const read = own === undefined ? undefined : readPackage(own.body, file.values);
    // Whole folders of what all packages have: nobody can tell whose they are.
    const vague = read?.files.some((path) => !/^(?:[^/]+\/){2}/.test(path)) === true;
    if (
      own === undefined ||
      read === undefined ||
      read.unknown.length > 0 ||
      read.files.length === 0 ||
      vague
    ) {
      const first = read?.unknown[0];
      const why = first === undefined ? '' : `, "${first}" is not understood`;
      notes.add(
        'lost',
        field,
        `what goes into ${name} is not carried over${why}: list its files under subpackages`,
        own?.line,
      );
      continue;
    }
    const values = new Map(file.values);
    for (const field of ['depends', 'provides', 'replaces']) values.delete(field);
    setFields(own.body, values);
    steps.push(...read.steps);
    made.push({ name, files: read.files, ...aboutOf(values, main) });
  }
  return { made, steps };
}

function readPackage(body: string, values: ReadonlyMap<string, Value>): ReturnType<typeof readSplit> {
  const known = (text: string): Value => ({ known: true, words: [text], array: false, line: 0 });
  return readSplit(withoutFields(body), {
    values: new Map([...values, ['pkgdir', known(PART)], ['srcdir', known(SOURCE_FOLDER)]]),
    functions: new Map(),
    start: SOURCE_FOLDER,
    usual: {},
  });
}

function aboutOf(values: ReadonlyMap<string, Value>, main: string): Partial<DraftSubpackage> {
  const words = (name: string): readonly string[] => {
    const value = values.get(name);
    return value?.known === true ? value.words : [];
  };
  const list = (name: string, convert: (text: string) => string | undefined): string[] =>
    words(name).flatMap((one) => (one === main ? [one] : (convert(one) ?? [])));
  const description = words('pkgdesc').join(' ').replaceAll(/\s+/g, ' ').trim();
  const lists = Object.entries({
    depends: list('depends', importDependency),
    provides: list('provides', importProvide),
    replaces: list('replaces', importDependency),
  }).filter(([, texts]) => texts.length > 0);
  return {
    ...(description === '' ? {} : { description }),
    ...(Object.fromEntries(lists) as Partial<DraftSubpackage>),
  };
}
