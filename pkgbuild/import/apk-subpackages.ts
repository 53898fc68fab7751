/** Subpackages of APKBUILDs: those that come by themselves, those by their usual files, those whose function can be read. */
import { MAX_SUBPACKAGES, type DraftSubpackage, type Notes } from './draft.ts';
import { DEV_FILES, isByItself } from './places.ts';
import type { ShellFile } from './shell-file.ts';
import type { Value } from './shell-values.ts';
import { PART, readSplit, TREE } from './split-shell.ts';
import { SOURCE_FOLDER } from './steps.ts';

interface Means {
  /** Of the main package. */
  readonly name: string;
  readonly file: Pick<ShellFile, 'functions' | 'values'>;
  readonly notes: Notes;
  /** Where its functions start. */
  readonly folder: string;
  readonly line: number | undefined;
}

/** Made by the builder, or not at all. */
const AUTOMATIC: Readonly<Record<string, string | undefined>> = {
  dev: undefined,
  doc: undefined,
  dbg: 'debug symbols are stripped',
  static: 'static libraries are in the -dev package',
  'libs-static': 'static libraries are in the -dev package',
  pyc: 'compiled Python files are made by nobody',
};

/** Files that abuild's own functions take. */
const USUAL: Readonly<Record<string, readonly string[]>> = {
  libs: ['lib/lib*.so.*', 'usr/lib/lib*.so.*'],
  openrc: ['etc/conf.d', 'etc/init.d'],
  lang: ['usr/share/locale'],
  'bash-completion': ['usr/share/bash-completion'],
  'zsh-completion': ['usr/share/zsh'],
  'fish-completion': ['usr/share/fish'],
  systemd: ['usr/lib/systemd'],
};
/** The same as functions, for those that begin with them. */
const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  default_libs: ['lib/lib*.so.*', 'usr/lib/lib*.so.*'],
  default_openrc: ['etc/conf.d', 'etc/init.d'],
  openrc: ['etc/conf.d', 'etc/init.d'],
  default_lang: ['usr/share/locale'],
  default_bashcomp: ['usr/share/bash-completion'],
  default_zshcomp: ['usr/share/zsh'],
  default_fishcomp: ['usr/share/fish'],
  default_static: ['usr/lib/*.a', 'lib/*.a'],
  default_dev: [],
  default_doc: [],
};

/** What is left in the tree is in the package as a whole. */
export function apkSubpackages(
  words: readonly string[],
  means: Means,
): { readonly made: DraftSubpackage[]; readonly steps: string[] } {
  const made: DraftSubpackage[] = [];
  const steps: string[] = [];
  const names = new Set<string>();
  for (const word of words) {
    const [name = '', given = '', arch = ''] = word.split(':');
    if (names.has(name)) continue;
    if (names.size >= MAX_SUBPACKAGES) {
      means.notes.add('lost', 'subpackages', `there are more than ${MAX_SUBPACKAGES}`, means.line);
      break;
    }
    names.add(name);
    const suffix = name.startsWith(`${means.name}-`) ? name.slice(means.name.length + 1) : name;
    const of = given === '' ? suffix.replaceAll('-', '_') : given;
    const own = means.file.functions.get(of) ?? means.file.functions.get(suffix);
    const field = `subpackages ${name}`;
    if (own === undefined && Object.hasOwn(AUTOMATIC, suffix)) {
      const why = AUTOMATIC[suffix];
      if (why !== undefined) means.notes.add('left', field, why, means.line);
    } else if (own === undefined) {
      const usual = USUAL[given === '' ? suffix : given] ?? USUAL[suffix];
      if (usual === undefined) means.notes.add('lost', field, 'nothing says which files it has', means.line);
      else made.push({ name, files: usual });
    } else {
      const read = readFunction(own.body, { ...means, name, main: means.name, suffix });
      steps.push(...read.steps);
      for (const command of read.unknown)
        means.notes.add('lost', field, `"${command}" of ${own.name}() is not carried over`, own.line);
      for (const what of read.left)
        means.notes.add(
          'lost',
          field,
          `its ${what} is a script of apk: say what it does under scripts`,
          own.line,
        );
      if (suffix === 'dev' || suffix === 'doc') {
        // The builder has its own list; what the function moves besides is told.
        const more = read.files.filter((file) => !isByItself(file));
        if (more.length > 0 && suffix === 'dev')
          made.push({ name, ...read.about, files: [...DEV_FILES, ...more] });
      } else if (read.files.length > 0) made.push({ name, ...read.about, files: read.files });
      else if (read.unknown.length === 0 && suffix !== 'static')
        means.notes.add(
          'lost',
          field,
          read.steps.length === 0
            ? 'it has no files, only what it depends on'
            : `${own.name}() does not say which files it has`,
          own.line,
        );
    }
    if (arch !== '' && arch !== 'noarch' && arch !== 'build' && arch !== 'all')
      means.notes.add('left', field, `it is for ${arch} alone`, means.line);
  }
  return { made, steps };
}

function readFunction(
  body: string,
  { file, name, main, folder }: Means & { readonly main: string; readonly suffix: string },
): ReturnType<typeof readSplit> {
  const known = (text: string): Value => ({ known: true, words: [text], array: false, line: 0 });
  const values = new Map<string, Value>([
    ...file.values,
    ['pkgdir', known(TREE)],
    ['subpkgdir', known(PART)],
    ['subpkgname', known(name)],
    ['pkgname', known(main)],
    ['builddir', known(folder)],
    ['srcdir', known(SOURCE_FOLDER)],
    ['startdir', known('/build/recipe')],
    ['depends', known('')],
    ['provides', known('')],
    ['replaces', known('')],
    ['install_if', known('')],
  ]);
  return readSplit(body, {
    values,
    functions: new Map([...file.functions].map(([of, one]) => [of, one.body])),
    start: folder,
    usual: FUNCTIONS,
  });
}
