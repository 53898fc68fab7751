/** A patch leads from one package to the other, whatever the two hold, and is the same whenever it is made. */
import * as fs from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { readHeader } from '#schema/container/read';
import { openPatchMaker } from '#repo-server/patches/make-patch';
import { makeDepot, type Depot } from '../support/repository.ts';
import { digestsOf, makePair, randomText, rebuildPair } from './support.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
});
afterAll(() => depot.dispose());

const PATHS = ['bin/tool', 'lib/libz.so.1.2.11', 'lib/libz.so.1.3', 'lib/a/b', 'share/doc', 'share/empty'];
const word = fc.constantFrom('alpha ', 'beta ', 'gamma\n', '\0\0\0', 'ünïcode ', '0123456789abcdef');
const content = fc.array(word, { maxLength: 400 }).map((words) => words.join('').repeat(3));
const declared = fc.oneof(
  content,
  content.map((text) => ({ text, config: true as const })),
  fc.constant({ link: 'elsewhere' }),
);
const files = fc.dictionary(fc.constantFrom(...PATHS), declared, { noNullPrototype: true });

describe('a patch between two packages', () => {
  it('leads to the content and the manifest of the new one', async () => {
    await fc.assert(
      fc.asyncProperty(files, files, fc.constantFrom('xz' as const, 'zstd' as const), async (a, b, codec) => {
        const pair = await makePair(depot, [
          { name: 'tool', version: '1.0.0-r0', files: a, codec },
          { name: 'tool', version: '1.1.0-r0', files: b, codec },
        ]);
        const rebuilt = await rebuildPair(pair);
        const { frames: _, ...expected } = readHeader(pair.to, pair.to).manifest;
        const { frames: __, ...actual } = rebuilt.manifest;
        expect(actual).toEqual(expected);
        const whole = readHeader(pair.to, pair.to);
        expect(digestsOf(rebuilt)).toEqual(digestsOf({ ...whole, file: pair.to }));
      }),
      { numRuns: 40 },
    );
  });

  it('covers files of several frames, of several sections, and what lies elsewhere in the new one', async () => {
    const old = randomText(9, 1);
    const pair = await makePair(depot, [
      { name: 'big', version: '1.0.0-r0', files: { 'lib/big-1.0': old, 'lib/same': 'kept '.repeat(999) } },
      {
        name: 'big',
        version: '1.1.0-r0',
        files: { 'lib/big-1.1': `new start${old}new end`, 'share/same': 'kept '.repeat(999) },
      },
    ]);
    expect(fs.statSync(pair.patch).size).toBeLessThan(fs.statSync(pair.to).size / 50);
    const rebuilt = await rebuildPair(pair);
    expect(digestsOf(rebuilt)).toEqual(digestsOf({ ...readHeader(pair.to, pair.to), file: pair.to }));
  });

  it('is the same bytes whenever it is made', async () => {
    const pair = await makePair(depot, [
      { name: 'same', version: '1.0.0-r0', files: { a: randomText(1, 2), b: 'b' } },
      { name: 'same', version: '1.1.0-r0', files: { a: randomText(1, 3), c: 'c' } },
    ]);
    const again = `${pair.patch}.again`;
    const make = openPatchMaker();
    const mostBytes = Number.MAX_SAFE_INTEGER;
    // After something else, and the other way round.
    await make({ from: pair.to, to: pair.from, output: again, mostBytes });
    await make({ ...pair, output: again, mostBytes });
    expect(Buffer.compare(fs.readFileSync(again), fs.readFileSync(pair.patch))).toBe(0);
  });

  it('is given up where it would be too large, and leaves nothing', async () => {
    const pair = await makePair(
      depot,
      [
        { name: 'other', version: '1.0.0-r0', files: { a: randomText(1, 4) } },
        { name: 'other', version: '1.1.0-r0', files: { a: randomText(1, 5) } },
      ],
      10_000,
    );
    expect(pair.made).toBe(false);
    const left = fs.readdirSync(depot.folder).filter((name) => name.startsWith(basename(pair.patch)));
    expect(left).toEqual([]);
  });
});
