/** What a rule is, and what it may look at. Rules are pure: what they need was read before. */
import type { FileEntry, Manifest, RegularFile } from '#schema/manifest';
import type { ElfDetails } from '../elf-details.ts';
import type { LoadedRecipe } from '../recipe.ts';
import type { Recipe } from '../recipe-schema.ts';
import type { Keys } from '../yaml.ts';

/** An error blocks `icepkg build`; a warning is probably a fault; style is a matter of one look for all recipes. */
export const SEVERITIES = ['error', 'warning', 'style'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What a rule has to say. */
export interface Remark {
  /** Path in the package, or beside the recipe. */
  readonly path?: string;
  /** Field or line of the recipe that it is about. */
  readonly at?: Keys | number;
  /** One sentence that names the thing, without a trailing stop. */
  readonly message: string;
}

interface RuleText {
  /** In lower case with hyphens; names what is wrong, not what is right. */
  readonly name: string;
  readonly severity: Severity;
  /** Why it matters, for the manual: whole sentences. */
  readonly why: string;
  /** What to do about it: whole sentences. */
  readonly fix: string;
}

export interface RecipeRule extends RuleText {
  /** It looks for other recipes, which a build has found already when it looks at one. */
  readonly needsAround?: true;
  readonly check: (view: RecipeView) => Iterable<Remark>;
}

export interface PackageRule extends RuleText {
  /** It judges by what is missing, so it needs to see everything that is installed with a package. */
  readonly needsAll?: true;
  readonly check: (view: PackageView) => Iterable<Remark>;
}

export type Rule = RecipeRule | PackageRule;

/** One shell text of a recipe. */
export interface Script {
  /** Where it stands: `build`, `perArch.aarch64.install`. */
  readonly where: string;
  readonly text: string;
}

export interface RecipeView extends LoadedRecipe {
  /** Whether the schema of recipes is where the first line of a recipe names it. */
  readonly hasSchema: boolean;
  /** The YAML as it was written. */
  readonly text: string;
  /** Every shell text of the steps, comments removed. */
  readonly scripts: readonly Script[];
  /** Whether there is anything at a path that is relative to the recipe's folder. */
  readonly isThere: (path: string) => boolean;
  /** Files beside the recipe, by path. */
  readonly files: ReadonlyMap<string, string>;
  /** Names of its packages and of what it says that they provide, without versions. */
  readonly makes: readonly string[];
  /** The recipes around it; read when they are first asked for. */
  readonly around: () => Around;
  /** Names of all rules. */
  readonly ruleNames: readonly string[];
}

export interface Around {
  readonly recipes: ReadonlySet<string>;
  /** By the name of each package, and of what one is said to provide, a recipe that makes it. */
  readonly makers: ReadonlyMap<string, string>;
}

/** What is known of the content of a regular file. */
export interface FileFacts {
  readonly entry: RegularFile;
  readonly elf: ElfDetails | undefined;
  /** It begins as an ELF file, but does not go on as one. */
  readonly brokenElf: boolean;
  /** The first line of a script, after `#!`. */
  readonly shebang: string | undefined;
  /** Time in the header of a gzip file, in seconds. */
  readonly gzipTime: number | undefined;
  /** The first path of the build that the content mentions. */
  readonly buildPath: string | undefined;
  /** A static library whose members carry debug sections. */
  readonly debugArchive: boolean;
}

export interface PackageView {
  readonly manifest: Manifest;
  /** Regular files in the order of the manifest. */
  readonly files: readonly FileFacts[];
  readonly entries: ReadonlyMap<string, FileEntry>;
  /** The recipe that it was built from, where that is known. */
  readonly recipe: Recipe | undefined;
  /** Packages that are looked at together: those of one recipe, or of one folder. This one is among them. */
  readonly together: readonly Manifest[];
}

/** A dependency or capability without version and range. */
export const bareName = (text: string): string => text.replace(/^!/, '').replace(/@.*/, '');

/** Accounts that every root has. */
export const BASE_ACCOUNTS: ReadonlySet<string> = new Set(['root', 'nobody']);
