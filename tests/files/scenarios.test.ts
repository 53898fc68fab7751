import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { listed, openBench, type Result } from './carry-out.ts';
import { readScenarios, type Scenario } from './read-scenario.ts';

const FOLDER = join(import.meta.dirname, 'scenarios');
const bench = openBench();
afterAll(() => bench.dispose());

for (const file of readdirSync(FOLDER).sort()) {
  describe(file.replace('.txt', ''), () => {
    for (const scenario of readScenarios(readFileSync(join(FOLDER, file), 'utf8'))) {
      it(scenario.title, async () => check(scenario, await bench.carryOut(scenario)));
    }
  });
}

function check({ expected }: Scenario, { before, after, error, notices, wrong, undone }: Result): void {
  const lines = expected.map((line) => /^([a-z]+): ?(.*)$/.exec(line) ?? [line, '', '']);
  const of = (key: string): string | undefined => lines.find((line) => line[1] === key)?.[2];
  expect(lines.filter(([, key = '']) => !KEYS.has(key))).toEqual([]);
  const failure = of('no');
  if (failure !== undefined) {
    const [code = '', ...parts] = failure.split(', ');
    expect(error, `nothing failed: ${after.packages.join('; ')}`).toMatchObject({ code });
    for (const part of parts) expect(error?.message).toContain(part);
    expect(after).toEqual(before);
    return;
  }
  if (error !== undefined) throw error;
  expect(after.packages).toEqual(listed(of('packages') ?? '', ';'));
  expect(after.files).toEqual(listed(of('files') ?? '', ','));
  const world = of('world');
  if (world !== undefined) expect(after.world.depends).toEqual(world.split(' '));
  for (const [, key, text = ''] of lines) if (key === 'says') expect(notices.join('\n')).toContain(text);
  expect(wrong).toEqual([]);
  if (undone !== undefined) expect(undone).toEqual(before);
}

const KEYS = new Set(['no', 'packages', 'files', 'world', 'says']);
