import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { carryOut, readScenarios } from './read-scenario.ts';

const FOLDER = join(import.meta.dirname, 'scenarios');

/** Reverses, then rotates: two orders that differ from the given one in every place. */
const ORDERS = [
  <T>(list: readonly T[]): T[] => [...list].reverse(),
  <T>(list: readonly T[]): T[] => [...list.slice(1), ...list.slice(0, 1)],
];

for (const file of readdirSync(FOLDER).sort()) {
  describe(file.replace('.txt', ''), () => {
    for (const { title, given, expected } of readScenarios(readFileSync(join(FOLDER, file), 'utf8'))) {
      it(title, () => {
        expect(carryOut(given)).toEqual(expected);
        for (const order of ORDERS) expect(carryOut(given, order)).toEqual(expected);
      });
    }
  });
}
