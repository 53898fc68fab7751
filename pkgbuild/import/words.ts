/** Names, versions, dependencies and licences of other package managers in the words of recipes. */
import { isVersion } from '#schema/version';
import { isLicenseExpression } from '../license-expression.ts';
import { mapDebianVersion } from '../sources/debian-version.ts';
import type { Notes } from './draft.ts';
import { BUILD_TOOLS, HOST_PACKAGES, LAYOUT, RECIPE_NAMES, TOOLCHAIN, VAGUE_LICENSES } from './names.ts';
import { LICENSE_NAMES } from '../license-names.ts';

export interface ImportedVersion {
  readonly version: string;
  /** Absent where upstream's is the semantic one. */
  readonly upstreamVersion: string | undefined;
}

/**
 * `_alpha`, `_beta`, `_pre`, `_rc` of Alpine begin a pre-release; `_p`, `_git` and the like come after.
 * What begins with no number is build metadata of 0.0.0.
 */
export function importVersion(text: string): ImportedVersion {
  if (isVersion(`${text}-r0`)) return { version: text, upstreamVersion: undefined };
  const debian = text
    .replace(/^v(?=\d)/, '')
    .replaceAll(/[_-](alpha|beta|pre|rc)/g, '~$1')
    .replaceAll(/[^A-Za-z0-9.+~]+/g, '+');
  const mapped = mapDebianVersion(/^\d/.test(debian) ? debian : `0+${debian}`);
  const version = mapped?.version ?? '0.0.0';
  return { version, upstreamVersion: text };
}

/** `foo>=1.2`, `foo~1.2`, `!foo`, `so:libz.so.1`, `foo=1.2-r3` as dependencies; what is none becomes `undefined`. */
export function importDependency(text: string): string | undefined {
  const conflict = text.startsWith('!') ? '!' : '';
  const match = /^([A-Za-z0-9_][^\s<>=~@!]*)(?:(>=|<=|=~|><|[<>=~])(.+))?$/.exec(text.slice(conflict.length));
  if (match === null) return undefined;
  const [, name = '', operator, wanted = ''] = match;
  const mapped = /^[a-z][a-z0-9-]*:/.test(name) ? name : (RECIPE_NAMES[name] ?? name);
  if (operator === undefined) return `${conflict}${mapped}`;
  const exact = /^(.*?)(?:-r?(\d+))?$/.exec(wanted.replace(/^\d+:/, ''));
  const { version } = importVersion(exact?.[1] ?? wanted);
  const release = exact?.[2] === undefined ? '' : `-r${exact[2]}`;
  const range = {
    '>=': `>=${version}`,
    '<=': `<=${version}`,
    '>': `>${version}`,
    '<': `<${version}`,
    '=': `=${version}${release}`,
    '~': `~${version}`,
    '=~': `~${version}`,
    '><': `!=${version}`,
  }[operator];
  return `${conflict}${mapped}@${range ?? ''}`;
}

/** `NAME=VERSION` as a capability. */
export function importProvide(text: string): string {
  const [name = '', version] = text.split(/=(.*)/s);
  if (version === undefined || version === '') return name;
  return `${name}@=${importVersion(version.replace(/-r?\d+$/, '').replace(/^\d+:/, '')).version}`;
}

/** Dependencies without the packages that stand for the layout of another distribution. */
export const withoutLayout = (texts: readonly string[], notes: Notes, field: string): string[] =>
  texts.filter((text) => {
    if (!LAYOUT.has(text)) return true;
    notes.add('left', field, `${text} stands for the layout of the other distribution`);
    return false;
  });

export interface BuildNeeds {
  /** Recipes. */
  readonly recipes: readonly string[];
  /** Debian packages of the machine that builds. */
  readonly host: readonly string[];
}

/**
 * The recipes that build dependencies stand for, and the tools; a `-dev` package comes with its recipe.
 * @param known names of the recipes that there are
 */
export function importBuildDepends(
  texts: readonly string[],
  of: {
    readonly known: ReadonlySet<string>;
    readonly field: string;
    readonly line?: number | undefined;
    readonly notes: Notes;
  },
): BuildNeeds {
  const found: string[] = [];
  const host: string[] = [];
  for (const text of texts) {
    const name = text.replace(/[<>=~].*$/, '').replace(/^\d+:/, '');
    const bare = name.replace(/-(?:dev|devel|static)$/, '');
    const unversioned = bare.replace(/-?\d+(?:\.\d+)*$/, '');
    const named = of.known.has(bare) || !of.known.has(unversioned) ? bare : unversioned;
    const recipe = RECIPE_NAMES[name] ?? RECIPE_NAMES[bare] ?? named;
    if (text.startsWith('!') || name === '')
      of.notes.add('left', of.field, `${text}: nothing else is in the sysroot anyway`, of.line);
    else if (TOOLCHAIN.has(bare) || TOOLCHAIN.has(unversioned) || LAYOUT.has(name)) continue;
    else if (of.known.has(recipe) && (name !== bare || !BUILD_TOOLS.has(name))) found.push(recipe);
    else if (Object.hasOwn(HOST_PACKAGES, unversioned) && name === bare)
      host.push(HOST_PACKAGES[unversioned] ?? '');
    else if (
      BUILD_TOOLS.has(name) ||
      /^(?:perl|py3|python|ruby|docbook|texlive|gcc|clang|llvm|openjdk|rust|cmd|pkgconf)[-:\d]/.test(name)
    )
      of.notes.add(
        'left',
        of.field,
        `${name} runs while building: the machine that builds must have it`,
        of.line,
      );
    else if (/^[a-z]+:/.test(name)) of.notes.add('lost', of.field, `${name} names no recipe`, of.line);
    else if (!/^[A-Za-z0-9_][A-Za-z0-9_+.-]{0,127}$/.test(recipe))
      of.notes.add('lost', of.field, `${name} cannot be the name of a recipe`, of.line);
    else {
      found.push(recipe);
      of.notes.add('open', of.field, `there is no recipe ${recipe} yet`, of.line);
    }
  }
  return { recipes: found, host: host.filter((name) => name !== '') };
}

/** Several of them as one, sorted. */
export const joinNeeds = (needs: readonly BuildNeeds[]): BuildNeeds => ({
  recipes: [...new Set(needs.flatMap(({ recipes }) => recipes))].sort(),
  host: [...new Set(needs.flatMap(({ host }) => host))].sort(),
});

const SPDX_WORD = /^(?:[A-Za-z0-9.+-]+|DocumentRef-[A-Za-z0-9.-]+:LicenseRef-[A-Za-z0-9.-]+)$/;

/** @param texts one expression, or names that hold together */
export function importLicense(
  texts: readonly string[],
  of: { readonly line?: number | undefined; readonly notes: Notes },
): string {
  const mapped = texts
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => importExpression(text, of));
  const parts = [...new Set(mapped)];
  const expression = parts
    .map((part) => (parts.length > 1 && / OR /.test(part) ? `(${part})` : part))
    .join(' AND ');
  if (isLicenseExpression(expression)) return expression;
  if (parts.length > 0) {
    of.notes.add('open', 'license', `${expression} is no SPDX expression`, of.line);
    return 'LicenseRef-unknown';
  }
  of.notes.add('open', 'license', 'it names none: write the SPDX expression', of.line);
  return 'LicenseRef-unknown';
}

function importExpression(
  text: string,
  of: { readonly line?: number | undefined; readonly notes: Notes },
): string {
  const whole = LICENSE_NAMES[text.toLowerCase()];
  if (whole !== undefined) return whole;
  const custom = /^custom:\s*"?([^"]*)"?$/i.exec(text)?.[1];
  if (custom !== undefined && custom !== '') return importExpression(custom, of);
  const words = text.split(/(\(|\)|\s+)/).filter((word) => word.trim() !== '');
  const expression = words.some((word) => /^(?:AND|OR|WITH|and|or|with)$/.test(word));
  const named = words.map((word) => importLicenseWord(word, of));
  if (expression || words.length === 1) return named.join(' ').replaceAll('( ', '(').replaceAll(' )', ')');
  // Several names in a row, as older files have them.
  return [...new Set(named)].join(' AND ');
}

function importLicenseWord(
  word: string,
  of: { readonly line?: number | undefined; readonly notes: Notes },
): string {
  if (/^(?:and|or|with)$/i.test(word)) return word.toUpperCase();
  if (word === '(' || word === ')') return word;
  const lower = word.toLowerCase();
  const known = LICENSE_NAMES[lower];
  if (known !== undefined) return known;
  if (VAGUE_LICENSES.has(lower)) {
    of.notes.add('open', 'license', `${word} is no SPDX licence: read the source and say which`, of.line);
    return `LicenseRef-${word.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`;
  }
  if (SPDX_WORD.test(word)) {
    // Short ones are often in lower case: mit, isc.
    const id = [word, word.toUpperCase()].find(isLicenseExpression);
    if (id !== undefined || /exception/i.test(word)) return id ?? word;
  }
  of.notes.add('open', 'license', `${word} is no SPDX licence`, of.line);
  return `LicenseRef-${word.replaceAll(/[^A-Za-z0-9.]+/g, '-').replaceAll(/^-+|-+$/g, '') || 'unknown'}`;
}

/** Names of architectures as a recipe says them; `undefined` where it builds for both, empty for neither. */
export function importArch(words: readonly string[]): 'noarch' | string[] | undefined {
  if (words.includes('noarch') || (words.length === 1 && words[0] === 'any')) return 'noarch';
  const without = new Set(words.filter((word) => word.startsWith('!')).map((word) => word.slice(1)));
  const all = words.includes('all') || words.every((word) => word.startsWith('!'));
  const machines = ['x86_64', 'aarch64'].filter(
    (arch) => !without.has(arch) && (all || words.includes(arch)),
  );
  return machines.length === 2 ? undefined : machines;
}
