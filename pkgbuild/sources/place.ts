/** Names in an error the place in the recipe that it is about. */
import { IcepkgError } from '#schema/error';
import type { LoadedRecipe } from '../recipe.ts';
import { placeText, type Keys } from '../yaml.ts';
import type { Source } from './schema.ts';

interface Part {
  readonly sources?: readonly Source[] | undefined;
  readonly patches?: readonly string[] | undefined;
}

/** Where a source or a patch stands that fits; the whole list where none does. */
function keysOf({ recipe }: LoadedRecipe, is: (one: Source | string) => boolean): Keys {
  const parts: [Keys, Part][] = [
    [[], recipe],
    [['perArch', 'x86_64'], recipe.perArch?.x86_64 ?? {}],
    [['perArch', 'aarch64'], recipe.perArch?.aarch64 ?? {}],
  ];
  for (const [keys, part] of parts)
    for (const field of ['sources', 'patches'] as const) {
      const index = (part[field] ?? []).findIndex(is);
      if (index !== -1) return [...keys, field, index];
    }
  return ['sources'];
}

/** True for the source that has a sha256, of one architecture perhaps. */
export const hasSum =
  (sum: string) =>
  (source: Source | string): boolean => {
    if (typeof source === 'string' || !('sha256' in source)) return false;
    return typeof source.sha256 === 'string'
      ? source.sha256 === sum
      : Object.values(source.sha256).includes(sum);
  };

/**
 * What was thrown, with the place in front where it is an error of a source.
 * @param is true for the source, or the path of a patch, that it is about
 */
export function placed(error: unknown, loaded: LoadedRecipe, is: (one: Source | string) => boolean): unknown {
  if (!(error instanceof IcepkgError) || error.code !== 'source-failed') return error;
  const { message, hint, data, cause } = error;
  const place = loaded.place(keysOf(loaded, is));
  return new IcepkgError('source-failed', `${placeText(place)}: ${message}`, {
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
    data: { ...data, place },
  });
}
