/** Subpackages of a melange file, one for each item of their ranges, under their conditions. */
import { MAX_SUBPACKAGES } from './draft.ts';
import { conditionIn, conditionOf } from './melange-pipelines.ts';
import type { Telling } from './melange-rest.ts';
import { melangeSubpackage, type MelangePart } from './melange-subpackages.ts';
import { fill, listOf, recordOf, textOf, type Mapping, type Substitutions } from './yaml-values.ts';

export function subpackagesOf(
  top: Mapping,
  of: Telling & { readonly substitutions: Substitutions; readonly name: string },
): MelangePart {
  const ranges = new Map(
    listOf(top['data'])
      .map(recordOf)
      .map((one) => [textOf(one['name']) ?? '', recordOf(one['items'])]),
  );
  let left = MAX_SUBPACKAGES;
  const parts = listOf(top['subpackages'])
    .map(recordOf)
    .flatMap((subpackage) => {
      const range = textOf(subpackage['range']);
      const each: readonly (readonly [string, unknown])[] =
        range === undefined ? [['', '']] : Object.entries(ranges.get(range) ?? {}).slice(0, MAX_SUBPACKAGES);
      if (range !== undefined && each.length === 0)
        of.context.notes.add('lost', 'subpackages', `its range ${range} has no items`, of.line('range'));
      return each.flatMap(([key, value]) => {
        const substitutions = new Map([
          ...of.substitutions,
          ...(range === undefined
            ? []
            : ([
                ['range.key', key],
                ['range.value', textOf(value) ?? ''],
              ] as const)),
        ]);
        const condition = conditionIn(subpackage);
        const known = condition === undefined ? 'always' : conditionOf(fill(condition, substitutions));
        if (known === 'never') return [];
        const notes = of.context.notes;
        if (left-- <= 0) {
          notes.add('lost', 'subpackages', `there are more than ${MAX_SUBPACKAGES}`, of.line('subpackages'));
          return [];
        }
        const part = melangeSubpackage(subpackage, { ...of, notes, substitutions });
        if (known === 'always') return [part];
        if (known !== undefined && part.steps.length === 0)
          return [{ ...part, made: part.made.map((one) => ({ ...one, if: known })) }];
        notes.add(
          'lost',
          'subpackages',
          `the condition ${condition ?? ''} is not carried over`,
          of.line('if', condition),
        );
        return [part];
      });
    });
  return { made: parts.flatMap(({ made }) => made), steps: parts.flatMap(({ steps }) => steps) };
}
