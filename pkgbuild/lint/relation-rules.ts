/** Rules on what a recipe says that its packages need and offer, and on its lists of names. */
import { nearest } from '#schema/nearest';
import type { Keys } from '../yaml.ts';
import { describedBy } from './described.ts';
import { bareName, type RecipeRule, type RecipeView } from './rule.ts';

const LISTS = ['depends', 'recommends', 'provides', 'replaces', 'installIf'] as const;

interface NamedList {
  readonly name: string;
  readonly list: readonly string[];
  readonly at: Keys;
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
    { at: ['buildDepends'], list: namesOf(recipe.buildDepends) },
    ...(['x86_64', 'aarch64'] as const).map((arch) => ({
      at: ['perArch', arch, 'buildDepends'],
      list: namesOf(recipe.perArch?.[arch]?.buildDepends),
    })),
  ].map(({ at, list }) => ({ name: at.join('.'), list, at }));
  const relations = describedBy(view).flatMap(({ about, at }) =>
    LISTS.map((field) => ({
      name: `${field} of ${about.name}`,
      list: about[field] ?? [],
      at: [...at, field],
    })),
  );
  return [...builds, ...relations].filter(({ list }) => list.length > 0);
}

interface Relation {
  readonly package: string;
  readonly dependency: string;
  /** Of its alternatives. */
  readonly names: readonly string[];
  readonly at: Keys;
}

/** What packages need or recommend; what they exclude is left out. */
const relations = (view: RecipeView): Relation[] =>
  describedBy(view).flatMap(({ about, at }) =>
    (['depends', 'recommends'] as const).flatMap((field) =>
      (about[field] ?? []).flatMap((dependency, index) => {
        if (dependency.startsWith('!')) return [];
        const names = dependency.split('|').map((part) => bareName(part.trim()));
        return [{ package: about.name, dependency, names, at: [...at, field, index] }];
      }),
    ),
  );

/** Names of recipes that the build and the tests need. */
function buildRelations({ recipe }: RecipeView): { needed: string; at: Keys }[] {
  const lists: { list: readonly string[]; at: Keys }[] = [
    { list: namesOf(recipe.buildDepends), at: ['buildDepends'] },
    { list: recipe.testDepends ?? [], at: ['testDepends'] },
    ...(['x86_64', 'aarch64'] as const).map((arch) => ({
      list: namesOf(recipe.perArch?.[arch]?.buildDepends),
      at: ['perArch', arch, 'buildDepends'],
    })),
  ];
  return lists.flatMap(({ list, at }) => list.map((needed, index) => ({ needed, at: [...at, index] })));
}

const FOUND_BY_ITSELF = /^(?:so|pc|cmd):/;

export const RELATION_RULES: readonly RecipeRule[] = [
  {
    name: 'depends-unprovided',
    severity: 'warning',
    why: 'Neither this recipe nor one around makes or provides what the package asks for, so it could never be installed.',
    fix: 'Correct the name, or add the recipe that is missing.',
    check: (view) => {
      const own = new Set(view.makes);
      return relations(view)
        .filter(({ names }) => !names.some((name) => FOUND_BY_ITSELF.test(name) || own.has(name)))
        .filter(({ names }) => !names.some((name) => view.around().makers.has(name)))
        .map(({ package: name, dependency, names, at }) => {
          const provided = [...own, ...view.around().makers.keys()];
          const guess = names.map((one) => nearest(one, provided)).find((one) => one !== undefined);
          const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
          return { at, message: `${name} needs ${dependency}, which no recipe makes${hint}` };
        });
    },
  },
  {
    name: 'build-depends-unknown',
    severity: 'error',
    needsAround: true,
    why: '`buildDepends` and `testDepends` name recipes, whose packages all come along; no recipe around has that name, so nothing can be built.',
    fix: 'Name the recipe that makes what is needed, or write it.',
    check: (view) =>
      buildRelations(view)
        .filter(({ needed }) => !view.around().recipes.has(needed))
        .map(({ needed, at }) => {
          const { recipes, makers } = view.around();
          const maker = makers.get(needed);
          const guess = nearest(needed, recipes);
          const near = guess === undefined ? '' : `; did you mean ${guess}?`;
          const hint = maker === undefined ? near : `; the recipe ${maker} makes it`;
          return { at, message: `there is no recipe ${needed}${hint}` };
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
        .map(({ package: name, at }) => ({ at, message: `${name} depends on itself` })),
  },
  {
    name: 'depends-found-anyway',
    severity: 'style',
    why: 'Libraries, commands and pkg-config files are found in the built files; what is typed besides grows wrong without notice.',
    fix: 'Drop it, unless the program loads the library while it runs.',
    check: (view) =>
      describedBy(view).flatMap(({ about, at }) =>
        (['depends', 'provides'] as const).flatMap((field) =>
          (about[field] ?? []).flatMap((text, index) =>
            /^(?:so|pc):/.test(text)
              ? [
                  {
                    at: [...at, field, index],
                    message: `${about.name} names ${text}, which the builder finds`,
                  },
                ]
              : [],
          ),
        ),
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
        .map(({ name, at }) => ({ at, message: `${name} is not sorted` })),
  },
  {
    name: 'list-repeats',
    severity: 'warning',
    why: 'A name that stands in a list twice was probably meant to be another one.',
    fix: 'Drop one of them, or correct it.',
    check: (view) =>
      listsOf(view).flatMap(({ name, list, at }) =>
        list.flatMap((item, index) =>
          list.indexOf(item) === index
            ? []
            : [{ at: [...at, index], message: `${name} holds ${item} twice` }],
        ),
      ),
  },
];
