/** Arch's PKGBUILD as a recipe. */
import { IcepkgError } from '#schema/error';
import type { ImportContext } from './apkbuild.ts';
import { archSubpackages, mainPackage, setFields, withoutFields } from './arch-subpackages.ts';
import {
  sayable,
  type Draft,
  type DraftSource,
  type DraftSteps,
  type Notes,
  type OwnerRule,
} from './draft.ts';
import { pacmanScripts } from './pacman-scripts.ts';
import { importSource, isArchive, placeSources, stemOf } from './places.ts';
import { exportsOf, readShellFile, variableReader, type Reader, type ShellFile } from './shell-file.ts';
import { importStep, SOURCE_FOLDER, type StepContext } from './steps.ts';
import { toldMeson, usualSteps, withSplits } from './usual-steps.ts';
import {
  importArch,
  importBuildDepends,
  importDependency,
  importLicense,
  importProvide,
  importVersion,
  joinNeeds,
} from './words.ts';

/** Functions of makepkg that print. */
const REWRITES: readonly (readonly [RegExp, string])[] = [
  [/^([ \t]*)(?:msg2?|warning|error|plain)(?= )/gm, '$1echo'],
];

/** What the format has besides, and why it is not carried over. */
const LOST: Readonly<Record<string, string>> = {
  epoch: 'versions have no epoch',
};
const LEFT: Readonly<Record<string, string>> = {
  checkdepends: 'the machine that builds must have what the check needs',
  optdepends: 'what is optional is not installed; recommends names what shall be',
  groups: 'packages are in no groups',
  validpgpkeys: 'recipes pin sources by sha256',
  noextract: 'say extract: false for the source',
  changelog: 'recipes keep no changelog',
};
const ARCHES = ['x86_64', 'aarch64'] as const;

export function importArchPkgbuild(text: string, context: ImportContext): Draft {
  const { notes } = context;
  const given = { srcdir: SOURCE_FOLDER, startdir: '/build/recipe', pkgdir: '$DESTDIR' };
  const file = readShellFile(text, { file: context.file, given, notes });
  const read = variableReader(file, notes);
  const names = read.list('pkgname');
  const name = read.text('pkgbase') ?? names[0];
  const main = name === undefined ? undefined : mainPackage(file.functions, name, names);
  if (main !== undefined) setFields(file.functions.get(main)?.body ?? '', file.values);
  const pkgver = read.text('pkgver');
  if (name === undefined || pkgver === undefined)
    throw new IcepkgError(
      'format-invalid',
      `${context.file}: its ${name === undefined ? 'pkgname' : 'pkgver'} cannot be told`,
      {
        hint: 'The file must set both to words, without running anything',
      },
    );
  const { version, upstreamVersion } = importVersion(pkgver);
  if (upstreamVersion !== undefined)
    notes.add('left', 'pkgver', `${pkgver} became ${version}`, read.line('pkgver'));
  if (file.functions.has('pkgver'))
    notes.add('left', 'pkgver()', 'a version is written down, not made', file.functions.get('pkgver')?.line);
  for (const [field, why] of Object.entries(LOST))
    if (read.text(field) !== undefined) notes.add('lost', field, why, read.line(field));
  for (const [field, why] of Object.entries(LEFT))
    if (read.text(field) !== undefined) notes.add('left', field, why, read.line(field));
  const options = new Set(read.list('options'));
  const { sources, folders } = readSources(read, notes);
  const relations = (
    field: string,
    convert: (one: string) => string | undefined,
    wanted: (one: string) => boolean = () => true,
  ): string[] =>
    sayable(
      read
        .list(field)
        .filter(wanted)
        .flatMap((one) => {
          const said = convert(one);
          if (said === undefined)
            notes.add('lost', field, `${one} cannot be said in a recipe`, read.line(field));
          return said ?? [];
        }),
      { field, line: read.line(field), notes, provides: field === 'provides' },
    );
  const replaced = new Set([...read.list('replaces'), ...read.list('provides')]);
  const arch = importArch(read.list('arch'));
  const neither = Array.isArray(arch) && arch.length === 0;
  if (neither) notes.add('lost', 'arch', 'it is for neither x86_64 nor aarch64', read.line('arch'));
  const stepContext = {
    notes,
    folders,
    helpers: {},
    rewrites: REWRITES,
    functions: ownFunctions(file),
    owners: [] as OwnerRule[],
    values: file.values,
    renamed: { ...RENAMED, ...(version === pkgver ? { pkgver: '$VERSION' } : {}) },
  };
  const isData = arch === 'noarch';
  // What a PKGBUILD needs to run it also builds with.
  const needs = joinNeeds([
    importBuildDepends([...read.list('makedepends'), ...libraries(read, context)], {
      known: context.known,
      field: 'makedepends',
      line: read.line('makedepends'),
      notes,
    }),
  ]);
  const parts = archSubpackages(
    names.filter((one) => names.length > 1 && `package_${one}` !== main),
    {
      file,
      notes,
      main: name,
    },
  );
  const steps = importSteps(file, stepContext, { name, names, check: !options.has('!check') });
  const { owners, ...declared } = pacmanScripts(read, context);
  return {
    name,
    version,
    release: Math.max(0, Number(/^\d+/.exec(read.text('pkgrel') ?? '1')?.[0] ?? 1) - 1),
    upstreamVersion,
    license: importLicense(read.list('license').length > 0 ? licenseWords(file) : [], {
      line: read.line('license'),
      notes,
    }),
    // Arch is for x86_64 alone: that says nothing about the software.
    arch: neither || (Array.isArray(arch) && arch[0] === 'x86_64') ? undefined : arch,
    text: {
      description: read.text('pkgdesc'),
      url: read.text('url'),
      maintainer: file.maintainer,
      cpe: undefined,
    },
    sources,
    patches: [],
    buildDepends: [...(isData ? [] : ['musl']), ...needs.recipes].sort(),
    hostDepends: needs.host,
    env: exportsOf(file).env,
    steps: withSplits(steps, parts.steps),
    relations: {
      depends: [
        ...relations('depends', importDependency, (one) => !isLibrary(one, context)),
        ...relations(
          'conflicts',
          (one) => importDependency(`!${one}`),
          (one) => !replaced.has(one),
        ),
      ],
      provides: relations('provides', importProvide),
      replaces: relations('replaces', importDependency),
    },
    configFiles: read.list('backup').filter((one) => /^[^/]/.test(one)),
    subpackages: parts.made,
    ...declared,
    owners: [...stepContext.owners, ...owners],
    strip: options.has('!strip') ? false : undefined,
  };
}

const RENAMED = {
  pkgdir: '$DESTDIR',
  srcdir: SOURCE_FOLDER,
  startdir: '$RECIPE',
  CHOST: '$HOST',
  CBUILD: '$BUILD',
  CARCH: '$ARCH',
  MAKEFLAGS: '-j$JOBS',
} as const;

/** Functions that are none of makepkg's. */
const ownFunctions = ({ functions }: ShellFile): Map<string, string> =>
  new Map(
    [...functions.values()]
      .filter(({ name }) => !/^(?:prepare|build|check|pkgver|verify|package(?:_.*)?)$/.test(name))
      .map(({ name, body }) => [name, body]),
  );

/** A licence may have white space: each word of the array is one. */
function licenseWords({ values }: ShellFile): readonly string[] {
  const value = values.get('license');
  return value?.known === true ? value.words : [];
}

/** Libraries are found by what programs are linked to; they are not typed. */
const isLibrary = (text: string, { known }: ImportContext): boolean => {
  const name = text.replace(/[<>=].*$/, '');
  return (
    name === '' ||
    name === 'glibc' ||
    name === 'gcc-libs' ||
    name.endsWith('.so') ||
    (known.has(name) && name !== 'bash' && name !== 'sh')
  );
};

const libraries = (read: Reader, context: ImportContext): string[] =>
  read
    .list('depends')
    .filter((one) => isLibrary(one, context) && !/\.so(?:=|$)/.test(one) && !/^(?:glibc|gcc-libs)/.test(one));

function readSources(
  read: Reader,
  notes: Notes,
): { readonly sources: DraftSource[]; readonly folders: string[] } {
  const sources = ['', ...ARCHES].flatMap((arch) => {
    const field = arch === '' ? 'source' : `source_${arch}`;
    const end = arch === '' ? '' : `_${arch}`;
    const sums = { sha256: read.list(`sha256sums${end}`), sha512: read.list(`sha512sums${end}`) };
    const line = read.line(field);
    return read.list(field).flatMap((text, index) => {
      const sum = (words: readonly string[], digits: number): string | undefined =>
        new RegExp(`^[0-9a-fA-F]{${digits}}$`).test(words[index] ?? '')
          ? (words[index] ?? '').toLowerCase()
          : undefined;
      const entry = { text, line, field, sha256: sum(sums.sha256, 64), sha512: sum(sums.sha512, 128) };
      return importSource({ ...entry, arch: ARCHES.find((one) => one === arch) }, notes) ?? [];
    });
  });
  const placed = placeSources(sources, undefined);
  const first = placed.find(
    (one) =>
      one.local === undefined && one.into === undefined && (isArchive(one.file) || one.git !== undefined),
  );
  const [pkgname = '', pkgver = ''] = [read.text('pkgbase') ?? read.list('pkgname')[0], read.text('pkgver')];
  const stem =
    first === undefined
      ? ''
      : first.git === undefined
        ? stemOf(first.file)
        : first.file.replace(/\.tar$/, '');
  const folders =
    first === undefined
      ? []
      : [...new Set([stem, `${pkgname}-${pkgver}`, ...(first.git === undefined ? [] : [pkgname])])];
  return {
    sources: placed,
    folders: folders.filter((one) => one !== '' && one !== '-').sort((a, b) => b.length - a.length),
  };
}

interface Naming {
  readonly name: string;
  readonly names: readonly string[];
  readonly check: boolean;
}

/** Files beside the PKGBUILD are one folder above the sources there. */
const BESIDE =
  /(?<![\w./-])\.\.\/(?=[A-Za-z0-9_][\w.+-]*\.(?:patch|diff|c|h|conf|service|sh|install|config)\b)/g;

function importSteps(
  { functions, statements }: ShellFile,
  context: Omit<StepContext, 'field' | 'line'>,
  { name, names, check }: Naming,
): DraftSteps {
  const exported = exportsOf({ statements, values: context.values }).text;
  const step = (of: string): string | undefined => {
    const own = functions.get(of);
    if (own === undefined) return undefined;
    const body = `${exported}${withoutFields(own.body)}`.replaceAll(BESIDE, `${SOURCE_FOLDER}/`);
    return importStep(body, { ...context, field: `${of}()`, line: own.line });
  };
  const main = mainPackage(functions, name, names);
  const steps = {
    prepare: step('prepare'),
    build: step('build'),
    check: check ? step('check') : undefined,
    install: main === undefined ? undefined : step(main),
  };
  const texts = Object.entries(steps).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return toldMeson(usualSteps(Object.fromEntries(texts)), context.notes);
}
