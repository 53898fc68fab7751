/** Turns `unknown` into a checked value, once, at the edge. */
import * as v from 'valibot';
import { FETCH_OR_MAKE_AGAIN, IcepkgError, type ErrorCode } from './error.ts';

/**
 * Returns `value` as the schema's type.
 * @param what names the document in the error, e.g. `manifest of zlib-1.3.1-r0`
 * @throws IcepkgError `code` naming the path and what was expected there (`depends[2]: expected a string`)
 */
export function decode<const S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  what: string,
  code: ErrorCode = 'format-invalid',
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const at = formatPath(issue.path ?? []);
  throw new IcepkgError(code, `${what}: ${at === '' ? '' : `${at}: `}${reasonOf(issue)}`, {
    hint: FETCH_OR_MAKE_AGAIN,
    data: { path: at },
  });
}

function formatPath(path: readonly { readonly key: unknown }[]): string {
  let text = '';
  for (const { key } of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else text += text === '' ? String(key) : `.${String(key)}`;
  }
  return text;
}

function reasonOf({ type, received, expected, message }: v.BaseIssue<unknown>): string {
  if (type.endsWith('_object') && received === 'undefined') return 'missing';
  return type === 'strict_object' && expected === 'never' ? 'not a known field' : lowerFirst(message);
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
