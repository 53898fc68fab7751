/** A melange YAML file as a recipe. */
import type { LineCounter } from 'yaml';
import { IcepkgError } from '#schema/error';
import { placeText } from '../yaml.ts';
import { parseYaml, YamlProblem } from '../yaml-parse.ts';
import type { ImportContext } from './apkbuild.ts';
import { sayable, type Draft, type OwnerRule } from './draft.ts';
import { SET_FOR_STEPS } from './shell-file.ts';
import { importPipelines, type ImportedPipelines } from './melange-pipelines.ts';
import { subpackagesOf } from './melange-ranges.ts';
import { scriptletsOf, tellRest, updateOf } from './melange-rest.ts';
import { withSplits } from './usual-steps.ts';
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
import {
  importArch,
  importBuildDepends,
  importDependency,
  importLicense,
  importProvide,
  importVersion,
  withoutLayout,
} from './words.ts';

/** Aliases that are resolved; each may stand for much. */
const MAX_ALIASES = 100;
/** Characters that a variable may stand for: variables of variables double with each line. */
const MAX_VALUE = 4096;

const KNOWN = new Set([
  'secfixes',
  'advisories',
  'package',
  'environment',
  'pipeline',
  'subpackages',
  'data',
  'update',
  'test',
  'vars',
  'var-transforms',
  'capabilities',
  'options',
]);
const KNOWN_PACKAGE = new Set([
  'name',
  'version',
  'epoch',
  'description',
  'copyright',
  'url',
  'dependencies',
  'target-architecture',
  'options',
  'cpe',
  'commit',
  'resources',
  'annotations',
  'timeout',
  'scriptlets',
  'checks',
  'setcap',
  'test-resources',
]);

export function importMelange(text: string, context: ImportContext): Draft {
  const { notes } = context;
  const { value, lines } = readYaml(text, context.file);
  const top = recordOf(value);
  const about = recordOf(top['package']);
  const name = textOf(about['name']);
  const stated = statedVersion(top, about, context.file);
  if (name === undefined || name === '' || stated === undefined || stated === '')
    throw new IcepkgError(
      'format-invalid',
      `${context.file}: no package.${name === undefined || name === '' ? 'name' : 'version'}`,
      {
        hint: 'Give a file that melange can build',
      },
    );
  const escaped = (one: string): string => one.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const line: LineFinder = (key, value) => {
    const after = value === undefined ? '' : `\\s*["']?${escaped(value)}`;
    const at = new RegExp(`^[ -]*${escaped(key)}:${after}`, 'm').exec(text)?.index;
    return at === undefined
      ? undefined
      : lines.linePos(at + (/^[ -]*/.exec(text.slice(at))?.[0].length ?? 0)).line;
  };
  for (const key of Object.keys(top))
    if (!KNOWN.has(key)) notes.add('lost', key, 'is not understood', line(key));
  for (const key of Object.keys(about))
    if (!KNOWN_PACKAGE.has(key)) notes.add('lost', `package.${key}`, 'is not understood', line(key));
  const { version, upstreamVersion } = importVersion(stated);
  if (upstreamVersion !== undefined)
    notes.add('left', 'package.version', `${stated} became ${version}`, line('version'));
  tellRest(top, about, { context, line });
  const substitutions = substitutionsOf(
    top,
    { name, version, stated, epoch: textOf(about['epoch']) ?? '0' },
    { context, line },
  );
  const environment = recordOf(top['environment']);
  const env = environmentOf(recordOf(environment['environment']), substitutions);
  const owners: OwnerRule[] = [];
  const scripted = scriptletsOf(about, { context, line });
  const built = importPipelines(listOf(top['pipeline']).map(recordOf), {
    notes,
    substitutions,
    line,
    name,
    environment: Object.keys(env),
    flags: Object.entries(env).filter(([key]) => SET_FOR_STEPS.has(key)),
    owners,
  });
  if (built.sources.length === 0 && Object.keys(built.steps).length > 0)
    notes.add(
      'open',
      'sources',
      'it fetches none, so what it builds lies in a folder of its own: name that under sources',
      line('pipeline'),
    );
  const dependencies = recordOf(about['dependencies']);
  const arch = importArch(
    textsOf(about['target-architecture']).length > 0 ? textsOf(about['target-architecture']) : ['all'],
  );
  const relations = (
    field: string,
    list: readonly string[],
    convert: (one: string) => string | undefined,
  ): string[] =>
    sayable(
      list.flatMap((one) => {
        const filled = fill(one, substitutions);
        const said = convert(filled);
        if (said === undefined)
          notes.add('lost', `dependencies.${field}`, `${one} cannot be said in a recipe`, line(field));
        return said ?? [];
      }),
      { field: `dependencies.${field}`, line: line(field), notes, provides: field === 'provides' },
    );
  const packages = textsOf(recordOf(environment['contents'])['packages']).map((one) =>
    fill(one, substitutions),
  );
  const needs = importBuildDepends(packages, {
    known: context.known,
    field: 'environment',
    line: line('environment'),
    notes,
  });
  const parts = subpackagesOf(top, { context, substitutions, line, name });
  return {
    name,
    version,
    release: Number(/^\d{1,6}$/.exec(textOf(about['epoch']) ?? '0')?.[0] ?? 0),
    upstreamVersion,
    license: importLicense(
      listOf(about['copyright']).flatMap((one) => textOf(recordOf(one)['license']) ?? []),
      { line: line('copyright'), notes },
    ),
    arch: Array.isArray(arch) && arch.length === 0 ? undefined : arch,
    text: {
      description: oneLine(textOf(about['description']), substitutions),
      url: oneLine(textOf(about['url']), substitutions),
      maintainer: undefined,
      cpe: cpeOf(recordOf(about['cpe']), version),
    },
    sources: built.sources,
    patches: built.patches,
    buildDepends: [...new Set(['musl', ...needs.recipes])].sort(),
    hostDepends: hostOf(built, needs.host),
    env: Object.fromEntries(Object.entries(env).filter(([key]) => !SET_FOR_STEPS.has(key))),
    steps: withSplits(built.steps, parts.steps),
    relations: {
      depends: relations(
        'runtime',
        withoutLayout(textsOf(dependencies['runtime']), notes, 'dependencies.runtime'),
        importDependency,
      ),
      provides: relations('provides', textsOf(dependencies['provides']), importProvide),
      replaces: relations('replaces', textsOf(dependencies['replaces']), importDependency),
    },
    providerPriority:
      Number(/^\d{1,9}$/.exec(textOf(dependencies['provider-priority']) ?? '')?.[0] ?? 0) || undefined,
    ...scripted,
    owners: [...owners, ...scripted.owners],
    subpackages: parts.made,
    strip: undefined,
    update: updateOf(recordOf(top['update']), built.sources, { context, line }),
  };
}

/** Tools of the steps; those of a pipeline come with it. */
function hostOf({ steps, hostDepends }: ImportedPipelines, host: readonly string[]): string[] {
  const used = new Set(
    Object.values(steps).flatMap((list) => list.flatMap((step) => ('uses' in step ? [step.uses] : []))),
  );
  const own: Readonly<Record<string, readonly string[]>> = {
    go: ['golang-go'],
    cargo: ['cargo', 'rustc'],
    cmake: ['cmake'],
    meson: ['meson', 'ninja-build'],
  };
  const brought = new Set([...used].flatMap((name) => own[name] ?? []));
  return [...new Set([...hostDepends, ...host])].filter((tool) => !brought.has(tool)).sort();
}

function cpeOf(cpe: Mapping, version: string): string | undefined {
  const [vendor, product] = [textOf(cpe['vendor']), textOf(cpe['product'])];
  if (vendor === undefined || product === undefined || !/^[a-z0-9_.-]+$/.test(vendor + product))
    return undefined;
  return `cpe:2.3:a:${vendor}:${product}:${version}:*:*:*:*:*:*:*`;
}

/** @throws IcepkgError `format-invalid` naming line and column */
function readYaml(text: string, file: string): { readonly value: unknown; readonly lines: LineCounter } {
  try {
    // A version 3.10 is no number.
    const { document, lines } = parseYaml(text, { schema: 'failsafe' });
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown, lines };
  } catch (cause) {
    const at = cause instanceof YamlProblem ? placeText({ ...cause.place, file }) : file;
    throw new IcepkgError('format-invalid', `${at}: ${cause instanceof Error ? cause.message : 'no YAML'}`, {
      hint: 'Give a YAML file that melange can build',
      cause,
    });
  }
}

/**
 * The version, which variables of the file may stand for.
 * @throws IcepkgError `format-invalid` where only a build could tell
 */
function statedVersion(top: Mapping, about: Mapping, file: string): string | undefined {
  const vars = Object.entries(recordOf(top['vars'])).flatMap(([name, value]): [string, string][] => {
    const text = textOf(value);
    return text === undefined || text.length > MAX_VALUE ? [] : [[`vars.${name}`, text]];
  });
  const stated = about['version'];
  const text = typeof stated === 'object' && stated !== null ? '{{…}}' : textOf(stated);
  const version = text === undefined ? undefined : fill(text, new Map(vars));
  if (version?.includes('{{') === true)
    throw new IcepkgError(
      'format-invalid',
      `${file}: package.version is ${version}, which a build fills in`,
      {
        hint: 'Write the version into a copy of the file',
      },
    );
  if (version !== undefined && version.length > MAX_VALUE)
    throw new IcepkgError(
      'format-invalid',
      `${file}: package.version is longer than ${MAX_VALUE} characters`,
      {
        hint: 'Write the version into a copy of the file',
      },
    );
  return version;
}

const oneLine = (text: string | undefined, substitutions: Substitutions): string | undefined =>
  text === undefined || text === '' ? undefined : fill(text, substitutions).replaceAll(/\s+/g, ' ').trim();

function substitutionsOf(
  top: Mapping,
  of: { readonly name: string; readonly version: string; readonly stated: string; readonly epoch: string },
  { context: { notes }, line }: { readonly context: ImportContext; readonly line: LineFinder },
): Map<string, string> {
  const known = new Map<string, string>([
    ['package.name', of.name],
    ['package.version', of.stated],
    ['package.epoch', of.epoch],
    ['package.full-version', `${of.stated}-r${of.epoch}`],
    ['package.srcdir', '/build/src'],
    ['targets.destdir', '$DESTDIR'],
    ['targets.contextdir', '$DESTDIR'],
    ['targets.subpkgdir', '$DESTDIR'],
    [`targets.package.${of.name}`, '$DESTDIR'],
    ['targets.outdir', '$DESTDIR/..'],
    ['subpkg.name', of.name],
    ['cross.triplet.gnu.glibc', '$HOST'],
    ['cross.triplet.gnu.musl', '$HOST'],
    ['context.name', of.name],
    ['build.arch', '$ARCH'],
    ['host.triplet.gnu', '$HOST'],
    ['host.triplet.rust', '$ARCH-unknown-linux-musl'],
    ['build.goarch', '$GOARCH'],
  ]);
  const set = (name: string, value: string): void => {
    if (value.length <= MAX_VALUE) known.set(`vars.${name}`, value);
    else notes.add('lost', `vars.${name}`, `it is longer than ${MAX_VALUE} characters`, line(name));
  };
  // As the file says without choices of whoever builds.
  for (const option of Object.keys(recordOf(top['options']))) known.set(`options.${option}.enabled`, 'false');
  for (const [name, value] of Object.entries(recordOf(top['vars']))) {
    const text = textOf(value);
    if (text !== undefined) set(name, fill(text, known));
  }
  for (const transform of listOf(top['var-transforms']).slice(0, MAX_TRANSFORMS).map(recordOf)) {
    const [from, match, replace, to] = ['from', 'match', 'replace', 'to'].map(
      (key) => textOf(transform[key]) ?? '',
    );
    const value = transformed(fill(from ?? '', known), match ?? '', replace ?? '');
    if (value !== undefined && to !== '') set(to ?? '', value);
  }
  return known;
}

/** Patterns and texts longer than this, repeated groups and more repetitions are not tried: each multiplies the time. */
const MAX_PATTERN = 100;
const MAX_REPETITIONS = 4;
const MAX_TRANSFORMS = 50;

function transformed(text: string, pattern: string, replacement: string): string | undefined {
  if ([text, pattern, replacement].some(({ length }) => length > MAX_PATTERN)) return undefined;
  if (/[*+})][*+{]/.test(pattern) || (pattern.match(/[*+{]/g) ?? []).length > MAX_REPETITIONS)
    return undefined;
  try {
    return text.replaceAll(new RegExp(pattern, 'g'), replacement.replaceAll(/\$\{?(\d+)\}?/g, '$$$1'));
  } catch {
    return undefined;
  }
}

function environmentOf(environment: Mapping, substitutions: Substitutions): Record<string, string> {
  const entries = Object.entries(environment).flatMap(([name, value]): [string, string][] => {
    const text = textOf(value);
    return text === undefined || !/^[A-Za-z_]\w*$/.test(name) ? [] : [[name, fill(text, substitutions)]];
  });
  return Object.fromEntries(entries);
}
