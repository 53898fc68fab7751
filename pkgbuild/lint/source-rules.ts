/** Rules on where a recipe takes its sources from, and on its patches. */
import { nearest } from '#schema/nearest';
import type { Source } from '../sources/schema.ts';
import type { Keys } from '../yaml.ts';
import type { RecipeRule, RecipeView, Remark } from './rule.ts';

/** A source and where in the recipe it stands. */
interface Placed {
  readonly source: Source;
  readonly at: Keys;
}

type FetchedSource = Extract<Source, { readonly file: string }>;

const isFetched = (source: Source): source is FetchedSource => 'from' in source && 'file' in source;
const sourcesOf = ({ recipe }: RecipeView): Placed[] =>
  recipe.sources.map((source, index) => ({ source, at: ['sources', index] }));
const fetched = (view: RecipeView): (Placed & { readonly source: FetchedSource })[] =>
  sourcesOf(view).flatMap(({ source, at }) => (isFetched(source) ? [{ source, at }] : []));

interface PlacedLocation {
  readonly location: FetchedSource['from'][number];
  readonly file: string;
  readonly at: Keys;
}

/** Every place that a source may come from. */
const locationsOf = (view: RecipeView): PlacedLocation[] =>
  fetched(view).flatMap(({ source: { file, from }, at }) =>
    from.map((location, index) => ({ location, file, at: [...at, 'from', index] })),
  );

const forUrls =
  (test: (url: string) => boolean, message: (url: string) => string) =>
  (view: RecipeView): Remark[] =>
    locationsOf(view).flatMap(({ location, at }) =>
      'url' in location && test(location.url) ? [{ at, message: message(location.url) }] : [],
    );

/** Hosts that have been closed, or that hand out advertisement pages instead of files. */
const CLOSED =
  /^https?:\/\/(?:[^/]*\.)?(?:googlecode\.com|code\.google\.com|gna\.org|berlios\.de|codehaus\.org|freshmeat\.net|alioth\.debian\.org|gitorious\.org|rubyforge\.org|prdownloads\.sourceforge\.net|fedorahosted\.org|freecode\.com)(?:\/|$)/;
const MOVING =
  /\/archive\/(?:refs\/heads\/|(?:master|main|trunk|develop)\b)|[/_-](?:latest|current|nightly|snapshot)(?:[./]|$)/;
const GENERATED = /\/archive\/(?:refs\/tags\/)?[^/]+\.(?:tar\.gz|zip)$|\/-\/archive\/|[?&](?:h|format|id)=/;
/** All digits alike, or the digest of nothing. */
const PLACEHOLDER = /^(.)\1{63}$|^e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855$/;
const sumsOf = (source: Source): string[] => {
  if (!('sha256' in source)) return [];
  return typeof source.sha256 === 'string'
    ? [source.sha256]
    : Object.values(source.sha256).filter((sum) => sum !== undefined);
};
const nameOf = (source: Source): string => {
  if ('file' in source) return source.file;
  if ('path' in source) return source.path;
  return 'deb' in source ? source.deb : source.npm;
};

function repeatedSums(view: RecipeView): Remark[] {
  const first = new Map<string, string>();
  return sourcesOf(view).flatMap(({ source, at }) =>
    sumsOf(source).flatMap((sum) => {
      const other = first.get(sum);
      if (other === undefined) first.set(sum, nameOf(source));
      return other === undefined || other === nameOf(source)
        ? []
        : [{ at: [...at, 'sha256'], message: `${nameOf(source)} has the sha256 of ${other}` }];
    }),
  );
}

/** True where a name holds the version as upstream or the recipe spells it. */
function holdsVersion(text: string, { recipe }: RecipeView): boolean {
  const plain = (recipe.upstreamVersion ?? recipe.version).replace(/(?:\.0)+$/, '');
  return [plain, recipe.version].some((version) =>
    [version, version.replaceAll('.', '_'), version.replaceAll('.', ''), version.replaceAll('.', '-')].some(
      (spelling) => text.includes(spelling),
    ),
  );
}

const patchesOf = ({ recipe }: RecipeView): { path: string; at: Keys }[] =>
  (recipe.patches ?? []).map((path, index) => ({ path, at: ['patches', index] }));

/** Sources beside the recipe, those of one architecture too. */
const pathsOf = ({ recipe }: RecipeView): { path: string; at: Keys }[] =>
  [
    { list: recipe.sources, at: ['sources'] },
    ...(['x86_64', 'aarch64'] as const).map((arch) => ({
      list: recipe.perArch?.[arch]?.sources ?? [],
      at: ['perArch', arch, 'sources'],
    })),
  ].flatMap(({ list, at }) =>
    list.flatMap((source, index) =>
      'path' in source ? [{ path: source.path, at: [...at, index, 'path'] }] : [],
    ),
  );

function unusedPatches({ recipe, files }: RecipeView): Remark[] {
  const named = new Set(recipe.patches);
  const local = recipe.sources.flatMap((source) => ('path' in source ? [source.path] : []));
  const inSource = (file: string): boolean =>
    local.some((folder) => file === folder || file.startsWith(`${folder}/`));
  return [...files.keys()]
    .filter((file) => /\.(?:patch|diff)$/.test(file) && !named.has(file) && !inSource(file))
    .map((file) => ({ path: file, message: `${file} is listed nowhere` }));
}

/** Files beside the recipe that no build sees. */
function unseenFiles({ recipe, files }: RecipeView): string[] {
  const isSource = (file: string): boolean =>
    recipe.sources.some((source) => 'path' in source && `${file}/`.startsWith(`${source.path}/`));
  return [...files.keys()].filter(
    (file) => !/^pipelines\/|\.(?:patch|diff|md)$/.test(file) && !isSource(file),
  );
}

/** Whether a step calls for the file by `$RECIPE`. */
const isCalledFor = ({ scripts }: RecipeView, file: string): boolean =>
  [file, file.replace(/x86_64|aarch64/, '$ARCH')].some((spelling) =>
    scripts.some(({ text }) => /\$\{?RECIPE\b/.test(text) && text.includes(spelling)),
  );

/** Fields any of which gives a package something to say or to bring. */
const CONTENT = [
  ...(['uses', 'prepare', 'build', 'install', 'subpackages', 'directories'] as const),
  ...([
    'depends',
    'recommends',
    'provides',
    'replaces',
    'users',
    'groups',
    'services',
    'alternatives',
  ] as const),
  'scripts',
] as const;

/** Neither a source nor a step, and no relation to others that an empty package would be made for. */
function isEmpty({ sources, perArch, ...recipe }: RecipeView['recipe']): boolean {
  const parts = [recipe, perArch?.x86_64 ?? {}, perArch?.aarch64 ?? {}];
  const more = [perArch?.x86_64?.sources, perArch?.aarch64?.sources].some((list) => (list ?? []).length > 0);
  return sources.length === 0 && !more && !parts.some((part) => CONTENT.some((field) => field in part));
}

export const SOURCE_RULES: readonly RecipeRule[] = [
  {
    name: 'recipe-empty',
    severity: 'error',
    why: 'Without sources and steps a package is empty; that is meant only where it stands for others.',
    fix: 'Add what it is made of under `sources` and `install`, or say what it stands for: `depends` or `provides`.',
    check: ({ recipe }) =>
      isEmpty(recipe)
        ? [{ message: `${recipe.name} has neither sources nor steps, so it would be empty` }]
        : [],
  },
  {
    name: 'sha256-placeholder',
    severity: 'error',
    why: 'The sha256 is filler, or the digest of an empty file, so no source can ever have it.',
    fix: 'Write what `sha256sum FILE` says; `icepkg recipe bump` does it.',
    check: (view) =>
      sourcesOf(view)
        .filter(({ source }) => sumsOf(source).some((sum) => PLACEHOLDER.test(sum)))
        .map(({ source, at }) => ({
          at: [...at, 'sha256'],
          message: `the sha256 of ${nameOf(source)} is a placeholder`,
        })),
  },
  {
    name: 'sha256-repeated',
    severity: 'warning',
    why: 'Two sources with one sha256 are the same file, or one of the sums was copied and never changed.',
    fix: 'Correct the sum, or drop one of the sources.',
    check: repeatedSums,
  },
  {
    name: 'source-unencrypted',
    severity: 'style',
    why: 'Whoever is on the way sees, and can keep back, what is fetched over http; the sha256 keeps them from changing it.',
    fix: 'Use https where the server has it.',
    check: forUrls(
      (url) => url.startsWith('http:'),
      (url) => `${url} is fetched unencrypted`,
    ),
  },
  {
    name: 'source-single',
    severity: 'style',
    why: 'A source with one place to come from cannot be had on the day that place is gone.',
    fix: 'Add a second place: a mirror, or the Debian source package.',
    check: (view) =>
      fetched(view)
        .filter(({ source: { from } }) => from.length === 1 && from.some((place) => 'url' in place))
        .map(({ source, at }) => ({
          at: [...at, 'from'],
          message: `${source.file} has only one place to come from`,
        })),
  },
  {
    name: 'source-closed-host',
    severity: 'warning',
    why: 'The host was closed, or answers with a page instead of the file.',
    fix: 'Find where upstream went, and use that.',
    check: forUrls(
      (url) => CLOSED.test(url),
      (url) => `${url} is on a host that was closed`,
    ),
  },
  {
    name: 'source-moving',
    severity: 'warning',
    why: 'The address names a branch or the latest release, so its content changes and the sha256 stops fitting.',
    fix: 'Use the address of a release or a tag, or `git` with a commit.',
    check: forUrls(
      (url) => MOVING.test(url),
      (url) => `${url} changes its content`,
    ),
  },
  {
    name: 'source-generated',
    severity: 'style',
    why: 'An archive that a forge makes on request has changed its bytes before, when the program that makes it did.',
    fix: 'Prefer the archive that upstream attached to the release, or `git` with the commit.',
    check: forUrls(
      (url) => GENERATED.test(url) && !MOVING.test(url),
      (url) => `${url} is made on request`,
    ),
  },
  {
    name: 'source-version-differs',
    severity: 'warning',
    why: 'Neither the file nor the address holds the version, so a bump of the version would leave the source behind.',
    fix: 'Correct the version, or say under `upstreamVersion` what upstream calls it.',
    check: (view) => {
      const [first] = fetched(view);
      if (first === undefined) return [];
      const { file, from } = first.source;
      const places = from.flatMap((place) => {
        if ('url' in place) return [place.url];
        if ('git' in place) return [view.recipe.version];
        return [place.version ?? ''];
      });
      return [file, ...places].some((text) => holdsVersion(text, view))
        ? []
        : [{ at: first.at, message: `${file} does not name version ${view.recipe.version}` }];
    },
  },
  {
    name: 'debian-revision-pinned',
    severity: 'style',
    why: "A Debian mirror keeps only the newest revision, while upstream's archive stays the same from revision to revision; a pinned one is gone soon.",
    fix: 'Drop `version`, and pin by sha256 only.',
    check: (view) =>
      locationsOf(view).flatMap(({ location, file, at }) =>
        'debian' in location && location.version !== undefined && /\.orig\.tar/.test(file)
          ? [
              {
                at: [...at, 'version'],
                message: `${file} is pinned to revision ${location.version} of ${location.debian}`,
              },
            ]
          : [],
      ),
  },
  {
    name: 'patch-missing',
    severity: 'error',
    why: 'A patch that is listed is not beside the recipe.',
    fix: 'Add the file, or take it off the list.',
    check: (view) =>
      patchesOf(view)
        .filter(({ path }) => !view.files.has(path))
        .map(({ path, at }) => ({ path, at, message: `${path} is listed and does not exist` })),
  },
  {
    name: 'path-missing',
    severity: 'error',
    why: 'A source that `path` names is not beside the recipe.',
    fix: 'Correct the path, or add the file.',
    check: (view) =>
      pathsOf(view)
        .filter(({ path }) => !view.isThere(path))
        .map(({ path, at }) => {
          const guess = nearest(path, view.files.keys());
          const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
          return { path, at, message: `${path} is no file or folder beside the recipe${hint}` };
        }),
  },
  {
    name: 'patch-unused',
    severity: 'warning',
    why: 'A patch lies beside the recipe and is not applied.',
    fix: 'List it under `patches`, or remove it.',
    check: unusedPatches,
  },
  {
    name: 'patch-unexplained',
    severity: 'style',
    why: 'Whoever bumps the version has to know what a patch is for and whether upstream took it.',
    fix: 'Write above the first `---` line what it does, and where it came from.',
    check: (view) =>
      patchesOf(view)
        .filter(({ path }) => /^(?:---|diff|Index:|\s*$)/.test(view.files.get(path)?.trimStart() ?? 'none'))
        .map(({ path, at }) => ({ path, at, message: `${path} does not say what it is for` })),
  },
  {
    name: 'file-unused',
    severity: 'style',
    why: 'A file lies beside the recipe and nothing in the recipe names it.',
    fix: 'Name it under `sources` with `path`, or remove it.',
    check: (view) =>
      unseenFiles(view)
        .filter((file) => !isCalledFor(view, file))
        .map((file) => ({ path: file, message: `${file} is used nowhere` })),
  },
  {
    name: 'file-undeclared',
    severity: 'error',
    why: 'A step calls for a file beside the recipe that `sources` does not name; `$RECIPE` shows only those, because the digest of the build covers them.',
    fix: 'Name it under `sources` with `path`.',
    check: (view) =>
      unseenFiles(view)
        .filter((file) => isCalledFor(view, file))
        .map((file) => ({ path: file, message: `${file} is named in a step and not under sources` })),
  },
];
