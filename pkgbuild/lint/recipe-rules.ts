/** Rules on what a recipe says of its packages. */
import { nearest } from '#schema/nearest';
import { BASE_ACCOUNTS, bareName, type RecipeRule, type RecipeView, type Remark } from './rule.ts';

type Described = RecipeView['recipe'] | NonNullable<RecipeView['recipe']['subpackages']>[number];

/** The recipe and its subpackages, each of which describes a package. */
const packagesOf = ({ recipe }: RecipeView): Described[] => [recipe, ...(recipe.subpackages ?? [])];

const LONGEST_DESCRIPTION = 80;
const LONGEST_LINE = 140;

function badDescription(name: string, text: string): string | undefined {
  const says = (what: string): string => `the description of ${name} ${what}`;
  if (text.length > LONGEST_DESCRIPTION) return says(`has ${text.length} letters`);
  if (text.endsWith('.')) return says('ends with a stop');
  if (/^(?:an?|the)\s/i.test(text)) return says('begins with an article');
  if (/^[a-z]+(?:\s|$)/.test(text)) return says('begins in lower case');
  const first = text.split(/[\s:,-]/)[0] ?? '';
  return first.toLowerCase() === name.toLowerCase() ? says('begins with the name') : undefined;
}

const LISTS = ['depends', 'recommends', 'provides', 'replaces', 'installIf'] as const;

interface NamedList {
  readonly name: string;
  readonly list: readonly string[];
}

/** The C library and the kernel's headers stand first by custom. */
const FIRST = new Set(['musl', 'linux-headers']);

function isSorted(list: readonly string[]): boolean {
  const rest = list.filter((item) => !FIRST.has(item));
  return rest.every((item, index) => index === 0 || item >= (rest[index - 1] ?? ''));
}

const namesOf = (depends: RecipeView['recipe']['buildDepends'] = []): string[] =>
  depends.map((one) => (typeof one === 'string' ? one : one.name));

/** Every list of names in the recipe. */
function listsOf(view: RecipeView): NamedList[] {
  const { recipe } = view;
  const builds = [
    { name: 'buildDepends', list: namesOf(recipe.buildDepends) },
    ...(['x86_64', 'aarch64'] as const).map((arch) => ({
      name: `perArch.${arch}.buildDepends`,
      list: namesOf(recipe.perArch?.[arch]?.buildDepends),
    })),
  ];
  const relations = packagesOf(view).flatMap((one) =>
    LISTS.map((field) => ({ name: `${field} of ${one.name}`, list: one[field] ?? [] })),
  );
  return [...builds, ...relations].filter(({ list }) => list.length > 0);
}

const relations = (view: RecipeView): { package: string; dependency: string; names: string[] }[] =>
  packagesOf(view).flatMap((one) =>
    [...(one.depends ?? []), ...(one.recommends ?? [])]
      .filter((dependency) => !dependency.startsWith('!'))
      .map((dependency) => ({
        package: one.name,
        dependency,
        names: dependency.split('|').map((part) => bareName(part.trim())),
      })),
  );

const ORDER =
  'name version release upstreamVersion description license url maintainer arch sources patches buildDepends'.split(
    ' ',
  );

/** Fields at the top, in the order they are written. */
const fieldsOf = (text: string): string[] =>
  [...text.matchAll(/^([A-Za-z]+):/gm)].map((match) => match[1] ?? '');

function misplaced({ text }: RecipeView): Remark[] {
  const fields = fieldsOf(text).filter((field) => ORDER.includes(field));
  const wanted = fields.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  const at = fields.findIndex((field, index) => field !== wanted[index]);
  return at === -1 ? [] : [{ message: `${fields[at] ?? ''} stands before ${wanted[at] ?? ''}` }];
}

/** Fields that the recipe writes out with the value that they have without. */
function defaults({ recipe, text }: RecipeView): Remark[] {
  const said = new Set(fieldsOf(text));
  const remarks = [
    said.has('release') && recipe.release === 0 ? 'release: 0' : undefined,
    said.has('split') && recipe.split ? 'split: true' : undefined,
    said.has('strip') && recipe.strip ? 'strip: true' : undefined,
    said.has('arch') && recipe.arch !== 'noarch' && recipe.arch.length === 2 ? 'arch' : undefined,
    recipe.upstreamVersion !== undefined && recipe.upstreamVersion === recipe.version
      ? 'upstreamVersion'
      : undefined,
  ];
  return remarks.flatMap((what) =>
    what === undefined ? [] : [{ message: `${what} is what it is without` }],
  );
}

/** False for what only repackages: there is nothing that a check in the build could find. */
const isBuilt = ({ build, uses }: RecipeView['recipe']): boolean => build !== undefined || uses !== undefined;

const FOUND_BY_ITSELF = /^(?:so|pc|cmd):/;
const REPLACED_VARIABLES = new Set([
  'PATH',
  'CC',
  'CFLAGS',
  'DESTDIR',
  'SYSROOT',
  'SOURCE_DATE_EPOCH',
  'HOME',
  'TZ',
]);

export const ABOUT_RULES: readonly RecipeRule[] = [
  {
    name: 'description-missing',
    severity: 'warning',
    why: 'Lists and searches show the description.',
    fix: 'Say in one line what the package is for.',
    check: ({ recipe }) =>
      recipe.description === undefined ? [{ message: `${recipe.name} has no description` }] : [],
  },
  {
    name: 'description-style',
    severity: 'style',
    why: 'Descriptions stand below each other in lists, so they are of one form: a phrase of at most 80 letters that begins with a capital, without article, name of the package or trailing stop.',
    fix: 'Rewrite it: "Compression library for the deflate format".',
    check: (view) =>
      packagesOf(view).flatMap(({ name, description }) => {
        const bad = description === undefined ? undefined : badDescription(name, description);
        return bad === undefined ? [] : [{ message: bad }];
      }),
  },
  {
    name: 'subpackage-description-missing',
    severity: 'style',
    why: 'Without words of its own a subpackage looks like the main package in lists.',
    fix: 'Say in one line what is in the subpackage.',
    check: ({ recipe }) =>
      (recipe.subpackages ?? [])
        .filter(({ description }) => description === undefined)
        .map(({ name }) => ({ message: `subpackage ${name} has no description` })),
  },
  {
    name: 'url-missing',
    severity: 'style',
    why: 'The home page is where an operator reads on, and where an author looks for the next version.',
    fix: 'Say `url`.',
    check: ({ recipe }) => (recipe.url === undefined ? [{ message: `${recipe.name} has no url` }] : []),
  },
  {
    name: 'url-unencrypted',
    severity: 'style',
    why: 'Whoever is on the way can change an http page.',
    fix: 'Use https where the server has it.',
    check: ({ recipe }) =>
      recipe.url?.startsWith('http:') === true ? [{ message: `${recipe.url} is unencrypted` }] : [],
  },
  {
    name: 'folder-name-differs',
    severity: 'warning',
    why: 'Recipes are found by the name of their folder, so another name cannot be built or depended on.',
    fix: 'Rename the folder, or correct `name`.',
    check: ({ recipe, folder }) =>
      folder.endsWith(`/${recipe.name}`)
        ? []
        : [{ message: `the recipe of ${recipe.name} is in a folder of another name` }],
  },
  {
    name: 'check-missing',
    severity: 'style',
    why: 'A check in the build finds a program that compiles and does not work, on both architectures.',
    fix: 'Run upstream\'s tests, or start the program once: `run ./NAME --version | grep -q "$VERSION"`.',
    check: ({ recipe, scripts }) =>
      recipe.arch === 'noarch' ||
      !isBuilt(recipe) ||
      scripts.some(({ where }) => /(?:^|\.)check$/.test(where))
        ? []
        : [{ message: `${recipe.name} checks nothing` }],
  },
  {
    name: 'test-missing',
    severity: 'style',
    why: 'A test in a fresh root finds what a check in the build cannot: a dependency that is missing, a path that is wrong on the system.',
    fix: 'Start what the package brings, under `test`: `NAME --version | grep -q "$VERSION"`.',
    check: (view) =>
      packagesOf(view).some(({ test }) => test !== undefined) ||
      [view.recipe.perArch?.x86_64, view.recipe.perArch?.aarch64].some((one) => one?.test !== undefined)
        ? []
        : [{ message: `${view.recipe.name} has no test` }],
  },
  {
    name: 'update-missing',
    severity: 'style',
    why: 'Without it nobody is told of a new version, which is how faults that upstream mended stay. A prebuilt Debian package is asked for by its own name.',
    fix: 'Name under `update` where new versions show, or say under `manual` why nobody looks.',
    check: ({ recipe }) =>
      recipe.update === undefined && recipe.sources.some((source) => !('path' in source || 'deb' in source))
        ? [{ message: `${recipe.name} does not say where new versions show` }]
        : [],
  },
  {
    name: 'depends-unprovided',
    severity: 'warning',
    why: 'No recipe around makes or provides what the package asks for, so it could never be installed.',
    fix: 'Correct the name, or add the recipe that is missing.',
    check: (view) =>
      relations(view)
        .filter(
          ({ names }) => view.neighbours !== undefined && !names.some((name) => FOUND_BY_ITSELF.test(name)),
        )
        .filter(({ names }) => !names.some((name) => view.neighbours?.provided.has(name)))
        .map(({ package: name, dependency }) => {
          const guess = nearest(dependency, view.neighbours?.provided ?? []);
          const hint = guess === undefined ? '' : `; ${guess} is near`;
          return { message: `${name} needs ${dependency}, which no recipe makes${hint}` };
        }),
  },
  {
    name: 'depends-on-itself',
    severity: 'warning',
    why: 'A package that needs itself or what it provides says nothing.',
    fix: 'Drop the dependency.',
    check: (view) =>
      relations(view)
        .filter(({ package: name, names }) => names.includes(name))
        .map(({ package: name }) => ({ message: `${name} depends on itself` })),
  },
  {
    name: 'depends-found-anyway',
    severity: 'style',
    why: 'Libraries, commands and pkg-config files are found in the built files; what is typed besides grows wrong without notice.',
    fix: 'Drop it, unless the program loads the library while it runs.',
    check: (view) =>
      packagesOf(view).flatMap((one) =>
        [...(one.depends ?? []), ...(one.provides ?? [])]
          .filter((text) => /^(?:so|pc):/.test(text))
          .map((text) => ({ message: `${one.name} names ${text}, which the builder finds` })),
      ),
  },
  {
    name: 'list-unsorted',
    severity: 'style',
    why: 'Sorted lists show at a glance whether something is in them, and two authors add to them without conflict.',
    fix: 'Sort the list by the alphabet; `musl` and `linux-headers` may stand first.',
    check: (view) =>
      listsOf(view)
        .filter(({ list }) => !isSorted(list))
        .map(({ name }) => ({ message: `${name} is not sorted` })),
  },
  {
    name: 'list-repeats',
    severity: 'warning',
    why: 'A name that stands in a list twice was probably meant to be another one.',
    fix: 'Drop one of them, or correct it.',
    check: (view) =>
      listsOf(view).flatMap(({ name, list }) =>
        list
          .filter((item, index) => list.indexOf(item) !== index)
          .map((item) => ({ message: `${name} holds ${item} twice` })),
      ),
  },
  {
    name: 'fields-unsorted',
    severity: 'style',
    why: 'Readers find their way in a recipe by the order of its fields: who it is, where it comes from, how it is built, what comes out.',
    fix: `Write them in this order: ${ORDER.map((field) => `\`${field}\``).join(', ')}, then the steps.`,
    check: misplaced,
  },
  {
    name: 'default-written',
    severity: 'style',
    why: 'A field with the value that it has anyway hides those that matter.',
    fix: 'Drop the field.',
    check: defaults,
  },
  {
    name: 'line-long',
    severity: 'style',
    why: `Lines of more than ${LONGEST_LINE} letters are hard to read and to compare.`,
    fix: 'Break the line; in shell with a backslash.',
    check: ({ text }) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          line.length > LONGEST_LINE && !/https?:/.test(line)
            ? [{ message: `line ${index + 1} has ${line.length} letters` }]
            : [],
        ),
  },
  {
    name: 'space-at-end',
    severity: 'style',
    why: 'Spaces at the end of a line, tabs and a missing last line break make noise in comparisons.',
    fix: 'Remove them.',
    check: ({ text }) => [
      ...text
        .split('\n')
        .flatMap((line, index) =>
          /[ \t]$/.test(line) ? [{ message: `line ${index + 1} ends with spaces` }] : [],
        ),
      ...(text.endsWith('\n') ? [] : [{ message: 'the last line does not end' }]),
    ],
  },
  {
    name: 'schema-comment-missing',
    severity: 'style',
    why: 'With the comment in the first line, editors complete the fields of a recipe and check them as it is typed.',
    fix: 'Begin with `# yaml-language-server: $schema=../../index-schema/recipe.schema.json`.',
    check: ({ text }) =>
      text.startsWith('# yaml-language-server: $schema=')
        ? []
        : [{ message: 'the first line does not name the schema' }],
  },
  {
    name: 'config-pattern-elsewhere',
    severity: 'style',
    why: 'Operators look for configuration below `etc`, and read-only systems keep only that writable.',
    fix: 'Install it below `etc`, or take it off `configFiles`.',
    check: (view) =>
      packagesOf(view).flatMap(({ name, configFiles }) =>
        (configFiles ?? [])
          .filter((pattern) => !pattern.startsWith('etc/'))
          .map((pattern) => ({ message: `configFiles of ${name} holds ${pattern}, which is not below etc` })),
      ),
  },
  {
    name: 'service-account-undeclared',
    severity: 'warning',
    why: 'A service that runs as an account that no package makes does not start.',
    fix: 'Declare the account under `users`.',
    check: (view) => {
      const users = new Set(packagesOf(view).flatMap((one) => (one.users ?? []).map(({ name }) => name)));
      return packagesOf(view).flatMap((one) =>
        (one.services ?? [])
          .filter(({ user }) => user !== undefined && !users.has(user) && !BASE_ACCOUNTS.has(user))
          .map(({ name, user }) => ({
            message: `service ${name} runs as ${user ?? ''}, which is not declared`,
          })),
      );
    },
  },
  {
    name: 'subpackage-pattern-repeated',
    severity: 'warning',
    why: 'A path goes to the first subpackage that names it, so the same pattern in a later one never matches.',
    fix: 'Drop one of them, or change the order.',
    check: ({ recipe }) => {
      const first = new Map<string, string>();
      return (recipe.subpackages ?? []).flatMap(({ name, files = [] }) =>
        files.flatMap((pattern) => {
          const other = first.get(pattern);
          if (other === undefined) first.set(pattern, name);
          return other === undefined ? [] : [{ message: `${pattern} of ${name} is taken by ${other}` }];
        }),
      );
    },
  },
  {
    name: 'variable-replaced',
    severity: 'warning',
    why: 'The builder sets the variable; another value loses what it is for, such as reproducible paths.',
    fix: 'Add to it in the step: `CFLAGS="$CFLAGS -O2"`.',
    check: ({ recipe }) => {
      const names = [recipe.env, recipe.perArch?.x86_64?.env, recipe.perArch?.aarch64?.env].flatMap((env) =>
        Object.keys(env ?? {}),
      );
      return [...new Set(names)]
        .filter((name) => REPLACED_VARIABLES.has(name))
        .map((name) => ({ message: `env replaces ${name}` }));
    },
  },
  {
    name: 'allow-unknown',
    severity: 'error',
    why: 'The recipe allows a rule that does not exist, so what was meant is not allowed.',
    fix: 'Correct the name; `docs/lint.md` lists all rules.',
    check: ({ recipe, ruleNames }) =>
      (recipe.lint?.allow ?? [])
        .filter(({ rule }) => !ruleNames.includes(rule))
        .map(({ rule }) => {
          const guess = nearest(rule, ruleNames);
          return { message: `there is no rule ${rule}${guess === undefined ? '' : `; ${guess} is near`}` };
        }),
  },
];
