/** Rules on what a recipe says of its packages, and on how it is written. */
import { basename } from 'node:path';
import { nearest } from '#schema/nearest';
import { describedBy } from './described.ts';
import { BASE_ACCOUNTS, type RecipeRule, type RecipeView, type Remark } from './rule.ts';

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
  const [field = '', other = ''] = [fields[at], wanted[at]];
  return at === -1 ? [] : [{ at: [field], message: `${field} stands before ${other}` }];
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
    what === undefined ? [] : [{ at: [what.replace(/:.*/, '')], message: `${what} is what it is without` }],
  );
}

/** False for what only repackages: there is nothing that a check in the build could find. */
const isBuilt = ({ build, uses }: RecipeView['recipe']): boolean => build !== undefined || uses !== undefined;

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
      describedBy(view).flatMap(({ about: { name, description }, at }) => {
        const bad = description === undefined ? undefined : badDescription(name, description);
        return bad === undefined ? [] : [{ at: [...at, 'description'], message: bad }];
      }),
  },
  {
    name: 'subpackage-description-missing',
    severity: 'style',
    why: 'Without words of its own a subpackage looks like the main package in lists.',
    fix: 'Say in one line what is in the subpackage.',
    check: (view) =>
      describedBy(view)
        .slice(1)
        .filter(({ about }) => about.description === undefined)
        .map(({ about, at }) => ({ at, message: `subpackage ${about.name} has no description` })),
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
      recipe.url?.startsWith('http:') === true
        ? [{ at: ['url'], message: `${recipe.url} is unencrypted` }]
        : [],
  },
  {
    name: 'folder-name-differs',
    severity: 'warning',
    why: 'Recipes are found by the name of their folder, so another name cannot be built or depended on.',
    fix: 'Rename the folder, or correct `name`.',
    check: ({ recipe: { name }, folder }) =>
      basename(folder) === name
        ? []
        : [{ at: ['name'], message: `the recipe ${name} is in a folder called ${basename(folder)}` }],
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
      describedBy(view).some(({ about }) => about.test !== undefined) ||
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
            ? [{ at: index + 1, message: `the line has ${line.length} letters` }]
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
          /[ \t]$/.test(line) ? [{ at: index + 1, message: 'the line ends with spaces' }] : [],
        ),
      ...(text.endsWith('\n')
        ? []
        : [{ at: text.split('\n').length, message: 'the last line does not end' }]),
    ],
  },
  {
    name: 'schema-comment-missing',
    severity: 'style',
    why: 'With the comment in the first line, editors complete the fields of a recipe and check them as it is typed. It is asked for where the schema lies beside the folder of recipes.',
    fix: 'Begin with `# yaml-language-server: $schema=../../index-schema/recipe.schema.json`.',
    check: ({ text, hasSchema }) =>
      !hasSchema || text.startsWith('# yaml-language-server: $schema=')
        ? []
        : [{ at: 1, message: 'the first line does not name the schema' }],
  },
  {
    name: 'config-pattern-elsewhere',
    severity: 'style',
    why: 'Operators look for configuration below `etc`, and read-only systems keep only that writable.',
    fix: 'Install it below `etc`, or take it off `configFiles`.',
    check: (view) =>
      describedBy(view).flatMap(({ about: { name, configFiles = [] }, at }) =>
        configFiles.flatMap((pattern, index) => {
          if (pattern.startsWith('etc/')) return [];
          const message = `configFiles of ${name} holds ${pattern}, which is not below etc`;
          return [{ at: [...at, 'configFiles', index], message }];
        }),
      ),
  },
  {
    name: 'service-account-undeclared',
    severity: 'warning',
    why: 'A service that runs as an account that no package makes does not start.',
    fix: 'Declare the account under `users`.',
    check: (view) => {
      const packages = describedBy(view);
      const users = new Set(packages.flatMap(({ about }) => (about.users ?? []).map(({ name }) => name)));
      return packages.flatMap(({ about: { services = [] }, at }) =>
        services.flatMap(({ name, user }, index) => {
          if (user === undefined || users.has(user) || BASE_ACCOUNTS.has(user)) return [];
          const message = `service ${name} runs as ${user}, which is not declared`;
          return [{ at: [...at, 'services', index, 'user'], message }];
        }),
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
      return (recipe.subpackages ?? []).flatMap(({ name, files = [] }, index) =>
        files.flatMap((pattern, place) => {
          const other = first.get(pattern);
          if (other === undefined) first.set(pattern, name);
          const at = ['subpackages', index, 'files', place];
          return other === undefined ? [] : [{ at, message: `${pattern} of ${name} is taken by ${other}` }];
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
      const places = [
        { at: [], env: recipe.env },
        { at: ['perArch', 'x86_64'], env: recipe.perArch?.x86_64?.env },
        { at: ['perArch', 'aarch64'], env: recipe.perArch?.aarch64?.env },
      ];
      return places.flatMap(({ at, env }) =>
        Object.keys(env ?? {})
          .filter((name) => REPLACED_VARIABLES.has(name))
          .map((name) => ({ at: [...at, 'env', name], message: `env replaces ${name}` })),
      );
    },
  },
  {
    name: 'allow-unknown',
    severity: 'error',
    why: 'The recipe allows a rule that does not exist, so what was meant is not allowed.',
    fix: 'Correct the name; `docs/lint.md` lists all rules.',
    check: ({ recipe, ruleNames }) =>
      (recipe.lint?.allow ?? []).flatMap(({ rule }, index) => {
        if (ruleNames.includes(rule)) return [];
        const guess = nearest(rule, ruleNames);
        const message = `there is no rule ${rule}${guess === undefined ? '' : `; did you mean ${guess}?`}`;
        return [{ at: ['lint', 'allow', index, 'rule'], message }];
      }),
  },
];
