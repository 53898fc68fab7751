/** A recipe in the making, and everything that an import could not carry over. */
import { isCapability, isDependency } from '#schema/dependency';
import type { DeclaredUser } from '#schema/manifest';

/**
 * What became of something:
 * - `lost`: the package would differ, and an author must look at it;
 * - `open`: a value that only the author can fill in;
 * - `left`: nothing of the package is lost, it only has no place in a recipe.
 */
export type NoteKind = 'lost' | 'open' | 'left';

export interface ImportNote {
  readonly kind: NoteKind;
  /** Line of the imported file. */
  readonly line: number | undefined;
  /** Name of the field there. */
  readonly field: string;
  readonly why: string;
}

export interface DraftSource {
  readonly url?: string;
  readonly git?: { readonly url: string; readonly commit: string };
  /** A file beside the imported one. */
  readonly local?: string;
  readonly file: string;
  readonly sha256?: string;
  readonly sha512?: string;
  readonly into?: string;
  readonly extract?: false;
  readonly arch?: 'x86_64' | 'aarch64';
}

/** A path and what is said of it, in the words of a recipe. */
export interface OwnerRule {
  readonly path: string;
  readonly user?: string;
  readonly group?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: string;
}

/** What the engine does for a package besides its files. */
export interface DraftDeclared {
  readonly users?: readonly DeclaredUser[];
  readonly groups?: readonly { readonly name: string; readonly gid?: number }[];
  readonly directories?: readonly OwnerRule[];
  readonly scripts?: Readonly<Record<string, string>>;
}

export interface DraftSubpackage extends DraftDeclared {
  readonly name: string;
  readonly files: readonly string[];
  readonly description?: string;
  readonly depends?: readonly string[];
  readonly replaces?: readonly string[];
  readonly provides?: readonly string[];
  readonly installIf?: readonly string[];
  readonly providerPriority?: number;
  /** A condition in the words of a recipe. */
  readonly if?: string;
}

export type DraftInputs = Readonly<Record<string, string | boolean | readonly string[]>>;

/** Shell, or a pipeline with its inputs. */
export type DraftStep = (
  { readonly run: string } | { readonly uses: string; readonly with?: DraftInputs }
) & {
  /** A condition in the words of a recipe. */
  readonly if?: string;
};
export type DraftSteps = Readonly<
  Partial<Record<'prepare' | 'build' | 'check' | 'install', readonly DraftStep[]>>
>;

export interface Draft extends DraftDeclared {
  readonly name: string;
  readonly version: string;
  readonly release: number;
  readonly upstreamVersion: string | undefined;
  readonly license: string;
  readonly arch?: 'noarch' | readonly string[] | undefined;
  readonly text: Readonly<Record<'description' | 'url' | 'maintainer' | 'cpe', string | undefined>>;
  readonly sources: readonly DraftSource[];
  readonly patches: readonly string[];
  readonly buildDepends: readonly string[];
  /** Debian packages of the machine that builds. */
  readonly hostDepends: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly steps: DraftSteps;
  readonly relations: Readonly<
    Partial<Record<'depends' | 'provides' | 'replaces' | 'installIf' | 'recommends', readonly string[]>>
  >;
  readonly configFiles?: readonly string[];
  /** Of files that steps install. */
  readonly owners?: readonly OwnerRule[];
  readonly providerPriority?: number | undefined;
  readonly subpackages: readonly DraftSubpackage[];
  readonly strip?: false | undefined;
  /** Where new versions show. */
  readonly update?: Readonly<Record<string, string>> | undefined;
}

/** Subpackages of one file; more are no work of people. */
export const MAX_SUBPACKAGES = 300;

/** Collects notes; the same one is kept once. */
export class Notes {
  readonly list: ImportNote[] = [];
  readonly #known = new Set<string>();

  add(kind: NoteKind, field: string, why: string, line?: number): void {
    const key = `${kind}\0${field}\0${why}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.list.push({ kind, line, field, why: why.slice(0, 300) });
  }
}

/** Dependencies that the language can say; the others are told. */
export function sayable(
  texts: readonly string[],
  of: {
    readonly field: string;
    readonly line?: number | undefined;
    readonly notes: Notes;
    readonly provides?: boolean;
  },
): string[] {
  const known = of.provides === true ? isCapability : isDependency;
  return [...new Set(texts)].filter((text) => {
    if (known(text)) return true;
    of.notes.add('lost', of.field, `${text} cannot be said in a recipe`, of.line);
    return false;
  });
}
