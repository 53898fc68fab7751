/** Values of a YAML document that nobody checked: what is not of the wanted kind is empty. */

export type Mapping = Readonly<Record<string, unknown>>;

export const recordOf = (value: unknown): Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Mapping) : {};

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : undefined;

export const textsOf = (value: unknown): string[] => listOf(value).flatMap((one) => textOf(one) ?? []);

export type Substitutions = ReadonlyMap<string, string>;
/** Line of the first place where a key stands, with that value if one is given. */
export type LineFinder = (key: string, value?: string) => number | undefined;

/** Replaces `${{NAME}}` where its value is known. All packages are in one tree here. */
export const fill = (text: string, substitutions: Substitutions): string =>
  text
    .replaceAll(/(\$\{\{\s*targets\.)outdir(\s*\}\}"?)\/[\w.+-]+/g, '$1destdir$2')
    .replaceAll(/\$\{\{\s*([^}]{1,200}?)\s*\}\}/g, (whole, name: string) => substitutions.get(name) ?? whole);
