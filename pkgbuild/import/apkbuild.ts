/** Alpine's APKBUILD as a recipe. */
import { IcepkgError } from '#schema/error';
import { apkSubpackages } from './apk-subpackages.ts';
import { sayable, type Draft, type Notes } from './draft.ts';
import {
  importScripts,
  scriptBeside,
  withScripts,
  type ForeignScript,
  type ScriptName,
  type Scripted,
} from './install-scripts.ts';
import { importSource, isArchive, placeSources, splitPatches, stemOf } from './places.ts';
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
  type BuildNeeds,
} from './words.ts';

export interface ImportContext {
  /** Names the imported file in errors. */
  readonly file: string;
  readonly notes: Notes;
  /** Names of the recipes that there are. */
  readonly known: ReadonlySet<string>;
}

const HELPERS: Readonly<Record<string, string>> = {
  amove: 'it moves files between packages; list them under subpackages',
  default_build: 'it is a function of abuild',
  default_package: 'it is a function of abuild',
};
/** Functions of abuild that have something of the same effect, or none. */
const REWRITES: readonly (readonly [RegExp, string])[] = [
  // Options for cross-building that the files bring themselves.
  [
    /^[ \t]*if \[ "\$CBUILD" != "\$CHOST" \]; then\n(?:[ \t]*(?:local )?\w*cross_?opts=[^\n]*\n)+[ \t]*fi[ \t]*$/gim,
    '',
  ],
  [/^[ \t]*local \w*cross_?opts=?(?:"[^"\n]*")?[ \t]*$/gim, ''],
  [/\$\{?\w*cross_?opts\}?/gi, ''],
  [/\bwant_check\b/g, 'true'],
  [
    /^([ \t]*)(?:default_prepare|default_unpack|update_config_sub|update_config_guess)[ \t]*(?:;|\|\| return 1)?[ \t]*$/gm,
    '',
  ],
  [/^([ \t]*)paxmark [^\n]*$/gm, ''],
  [/^([ \t]*)(?:msg|warning|error|einfo)(?= )/gm, '$1echo'],
  [/^([ \t]*)die [^\n]*$/gm, '$1exit 1'],
  [/(\|\||&&)([ \t]*)(?:msg|warning|error)(?= )/g, '$1$2echo'],
];

/** Variables that say nothing about the package here. */
const LEFT: Readonly<Record<string, string>> = {
  secfixes: 'known vulnerabilities are not kept in recipes',
  triggers: 'packages have no triggers',
  pkgusers: 'accounts are declared under users, with their shell and home',
  pkggroups: 'accounts are declared under groups',
  langdir: 'translations stay in the package',
  checkdepends: 'the machine that builds must have what the check needs',
};
const ACCOUNT_FIELDS = new Set(['pkgusers', 'pkggroups']);
const SCRIPTS = /^(.*)\.(pre|post)-(install|upgrade|deinstall)$/;
/** When scripts of apk run; melange has the same names. */
export const RUNS: Readonly<Record<string, ScriptName>> = {
  'pre-install': 'preInstall',
  'post-install': 'postInstall',
  'pre-upgrade': 'preUpgrade',
  'post-upgrade': 'postUpgrade',
  'pre-deinstall': 'preRemove',
  'post-deinstall': 'postRemove',
};

export function importApkbuild(text: string, context: ImportContext): Draft {
  const { notes } = context;
  const given = {
    srcdir: SOURCE_FOLDER,
    startdir: '/build/recipe',
    pkgdir: '$DESTDIR',
    // Every build is one for another machine; none is a bootstrap.
    CHOST: '$HOST',
    CTARGET: '$HOST',
    CBUILD: '$BUILD',
    CBUILD_ARCH: 'build',
    CROSS_COMPILE: '$CROSS',
    CLIBC: 'musl',
    CTARGET_LIBC: 'musl',
    BOOTSTRAP: '',
    APORTS_BOOTSTRAP: '',
  };
  const file = readShellFile(text, { file: context.file, given, notes });
  const read = variableReader(file, notes);
  const name = read.text('pkgname');
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
  const options = new Set(read.list('options'));
  for (const option of options) tellOption(option, notes, read.line('options'));
  const { sources, patches, folder, folders } = readSources(file, read, { notes, name, pkgver });
  const relations = (field: string, convert: (text: string) => string | undefined): string[] =>
    sayable(
      read.list(field).flatMap((one) => {
        const said = one.startsWith('/') ? `cmd:${one.split('/').pop() ?? ''}` : convert(one);
        if (said === undefined)
          notes.add('lost', field, `${one} cannot be said in a recipe`, read.line(field));
        return said ?? [];
      }),
      { field, line: read.line(field), notes, provides: field === 'provides' },
    );
  const arch = importArch(read.list('arch'));
  if (Array.isArray(arch) && arch.length === 0)
    notes.add('lost', 'arch', 'it is for neither x86_64 nor aarch64', read.line('arch'));
  const stepContext: Omit<StepContext, 'field' | 'line'> = {
    notes,
    folders,
    helpers: HELPERS,
    rewrites: REWRITES,
    functions: ownFunctions(file, read.list('subpackages')),
    owners: [],
    values: file.values,
    renamed: renamed(pkgver === version, folder),
  };
  const parts = apkSubpackages(read.list('subpackages'), {
    name,
    file,
    notes,
    folder,
    line: read.line('subpackages'),
  });
  const scripted = scriptsByPackage(read, context, [name, ...parts.made.map((part) => part.name)]);
  const hasAccounts = [...scripted.values()].some(({ users, groups }) => users.length + groups.length > 0);
  for (const [field, why] of Object.entries(LEFT))
    if (read.list(field).length > 0)
      notes.add(
        field === 'triggers' || (ACCOUNT_FIELDS.has(field) && !hasAccounts) ? 'lost' : 'left',
        field,
        why,
        read.line(field),
      );
  const needs = buildNeeds(read, { context, own: name });
  const steps = importSteps(file, stepContext, { folder, check: !options.has('!check') });
  const { owners: byScripts = [], ...declared } = scripted.get(name) ?? {};
  return {
    name,
    version,
    release: Number(/^\d+$/.exec(read.text('pkgrel') ?? '0')?.[0] ?? 0),
    upstreamVersion,
    license: importLicense([read.text('license') ?? ''], { line: read.line('license'), notes }),
    arch: Array.isArray(arch) && arch.length === 0 ? undefined : arch,
    text: {
      description: read.text('pkgdesc'),
      url: read.text('url'),
      maintainer: read.text('maintainer') ?? file.maintainer,
      cpe: undefined,
    },
    sources,
    patches,
    buildDepends: [...(arch === 'noarch' ? [] : ['musl']), ...needs.recipes].sort(),
    hostDepends: needs.host,
    env: exportsOf(file).env,
    steps: withSplits(steps, parts.steps),
    relations: {
      depends: relations('depends', importDependency),
      provides: relations('provides', importProvide),
      replaces: relations('replaces', importDependency),
      installIf: relations('install_if', importDependency),
    },
    providerPriority: Number(/^\d{1,9}$/.exec(read.text('provider_priority') ?? '')?.[0] ?? 0) || undefined,
    subpackages: parts.made.map((part) => withScripts(part, scripted.get(part.name))),
    ...declared,
    owners: [...stepContext.owners, ...byScripts],
    strip: options.has('!strip') ? false : undefined,
  };
}

/** Scripts by the package that they are for. */
function scriptsByPackage(
  read: Reader,
  { file, notes }: ImportContext,
  names: readonly string[],
): Map<string, Scripted> {
  const telling = { notes, field: 'install', line: read.line('install') };
  const all = read.list('install').flatMap((name): (ForeignScript & { readonly of: string })[] => {
    const [, of = '', when = '', what = ''] = SCRIPTS.exec(name) ?? [];
    const runs = RUNS[`${when}-${what}`];
    return runs === undefined ? [] : [{ name, of, runs, text: scriptBeside(file, name) }];
  });
  for (const { name } of all.filter(({ of }) => !names.includes(of)))
    notes.add('lost', 'install', `${name} is for a package that is not made`, telling.line);
  return new Map(
    names.map((name) => [
      name,
      importScripts(
        all.filter(({ of }) => of === name),
        telling,
      ),
    ]),
  );
}

function tellOption(option: string, notes: Notes, line: number | undefined): void {
  if (option === 'net')
    notes.add(
      'open',
      'options',
      'net: builds have no network, so the source must hold all that is fetched',
      line,
    );
  else if (option === 'suid')
    notes.add('left', 'options', 'suid: files keep the mode that install gives them', line);
}

/** Functions of the file that are neither abuild's phases nor those of subpackages. */
function ownFunctions({ functions }: ShellFile, subpackages: readonly string[]): Map<string, string> {
  const splits = new Set(subpackages.map((word) => word.split(':')[1] || (word.split('-').pop() ?? '')));
  const phases = new Set([
    'prepare',
    'build',
    'check',
    'package',
    'fetch',
    'unpack',
    'snapshot',
    'dev',
    'doc',
  ]);
  return new Map(
    [...functions.values()]
      .filter(({ name }) => !phases.has(name) && !splits.has(name))
      .map(({ name, body }) => [name, body]),
  );
}

function buildNeeds(
  read: Reader,
  { context, own }: { readonly context: ImportContext; readonly own: string },
): BuildNeeds {
  // makedepends has both of its parts where the file has them.
  const parts = ['makedepends_build', 'makedepends_host'];
  const fields = ['makedepends', ...(read.list('makedepends').length > 0 ? [] : parts), 'depends_dev'];
  const found = fields.map((field) =>
    importBuildDepends(
      read.list(field).filter((one) => one.split(/[<>=~]/)[0]?.replace(/-dev$/, '') !== own),
      {
        known: context.known,
        field,
        line: read.line(field),
        notes: context.notes,
      },
    ),
  );
  return joinNeeds(found);
}

/** Shell text that stands for abuild's own variables. */
const renamed = (sameVersion: boolean, folder: string): Record<string, string> => ({
  pkgdir: '$DESTDIR',
  builddir: folder,
  srcdir: SOURCE_FOLDER,
  startdir: '$RECIPE',
  CBUILD: '$BUILD',
  CHOST: '$HOST',
  CTARGET: '$HOST',
  CARCH: '$ARCH',
  CTARGET_ARCH: '$ARCH',
  CBUILD_ARCH: '$(uname -m)',
  CROSS_COMPILE: '$CROSS',
  CLIBC: 'musl',
  CBUILDROOT: '$SYSROOT',
  MAKEFLAGS: '-j$JOBS',
  MAKEOPTS: '-j$JOBS',
  ...(sameVersion ? { pkgver: '$VERSION' } : {}),
});

function readSources(
  file: ShellFile,
  read: Reader,
  of: { readonly notes: Notes; readonly name: string; readonly pkgver: string },
): Pick<Draft, 'sources' | 'patches'> & { readonly folder: string; readonly folders: readonly string[] } {
  const { notes } = of;
  const line = read.line('source');
  const sums = new Map<string, { sha256?: string; sha512?: string }>();
  for (const [field, kind, digits] of [
    ['sha512sums', 'sha512', 128],
    ['sha256sums', 'sha256', 64],
  ] as const) {
    const words = read.list(field);
    for (let index = 0; index + 1 < words.length; index += 2) {
      const [sum = '', path = ''] = [words[index], words[index + 1]];
      if (sum.length === digits && /^[0-9a-f]+$/.test(sum))
        sums.set(path, { ...sums.get(path), [kind]: sum });
    }
  }
  const all = read.list('source').flatMap((text) => {
    const named = text.includes('::') ? (text.split('::')[0] ?? '') : (text.split('/').pop() ?? '');
    return importSource({ text, line, field: 'source', ...sums.get(named) }, notes) ?? [];
  });
  if (file.values.get('_git_source') !== undefined)
    notes.add('lost', 'source', '_git_source is not understood', line);
  const builddir = read.text('builddir') ?? `${SOURCE_FOLDER}/${of.name}-${of.pkgver}`;
  const inside = builddir.startsWith(`${SOURCE_FOLDER}/`) ? builddir.slice(SOURCE_FOLDER.length + 1) : '';
  const [main = '', ...below] = inside.split('/').filter((part) => part !== '');
  const placed = placeSources(all, main);
  const first = placed.find(
    (one) => one.local === undefined && one.into === undefined && isArchive(one.file),
  );
  const folders = [...new Set([main, first === undefined ? '' : stemOf(first.file)])].filter(
    (one) => one !== '',
  );
  const split = splitPatches(placed, appliesPatches(file));
  return { ...split, folders, folder: [SOURCE_FOLDER, ...below].join('/') };
}

/** The loop that applied patches before abuild did. */
const PATCH_LOOP = /^[ \t]*for \w+ in \$source;?[ \t]*(?:;|\n)?[ \t]*do\b[^]*?^[ \t]*done\b.*$/gm;

/** A prepare() of the file's own applies patches itself, unless it asks abuild to. */
function appliesPatches({ functions }: ShellFile): boolean {
  const own = functions.get('prepare')?.body;
  return own === undefined || /\bdefault_prepare\b/.test(own) || own.search(PATCH_LOOP) !== -1;
}

function importSteps(
  { functions, statements }: ShellFile,
  context: Omit<StepContext, 'field' | 'line'>,
  { folder, check }: { readonly folder: string; readonly check: boolean },
): Draft['steps'] {
  const exported = exportsOf({ statements, values: context.values }).text;
  const step = (name: string, body = functions.get(name)?.body): string | undefined => {
    if (body === undefined) return undefined;
    const text = importStep(`${exported}${body}`, {
      ...context,
      field: `${name}()`,
      line: functions.get(name)?.line,
    });
    return text === undefined || folder === SOURCE_FOLDER ? text : `cd ${folder}\n${text}`;
  };
  const prepare = functions
    .get('prepare')
    ?.body.replaceAll(PATCH_LOOP, '')
    .replaceAll(/^[ \t]*(?:default_prepare|default_unpack)[ \t]*(?:;|\|\| return 1)?[ \t]*$/gm, '');
  const own = functions.get('unpack') ?? functions.get('fetch') ?? functions.get('snapshot');
  if (own !== undefined && own.name !== 'snapshot')
    context.notes.add('lost', `${own.name}()`, 'sources are fetched and unpacked as sources says', own.line);
  const checks = check ? step('check') : undefined;
  const steps = {
    prepare: prepare === undefined ? undefined : step('prepare', prepare),
    build: step('build'),
    check: checks,
    install: step('package'),
  };
  const texts = Object.entries(steps).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return toldMeson(usualSteps(Object.fromEntries(texts)), context.notes);
}
