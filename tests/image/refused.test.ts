/** What an image is refused for that is no fault of its definition: the machine it is built on, and its own budgets. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requireTools } from '#bootstrap/fakeroot';
import { loadDefinition } from '#bootstrap/definition';
import { runPiped } from '#bootstrap/run-piped';
import { testImage } from '#bootstrap/test-image';
import { expectError, ImageBench } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-refused-'));
  bench = new ImageBench(depot, scratch);
  const many = Array.from({ length: 11 }, (_, index) => ({
    name: `part-${index}`,
    files: { [`usr/lib/part-${index}`]: 'x'.repeat((index + 1) * 150_000) },
  }));
  await depot.publish(
    { name: 'base-files', files: { 'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n' } },
    { name: 'tool', depends: many.map(({ name }) => name) },
    ...many,
  );
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

/** Stands in for QEMU: a shell behind a console, which knows no interrupt. */
const guest = { program: 'sh', arguments: ['-c', String.raw`echo ready; sed -u 's/\x03//g' | sh`] };

test('an image over its budget is told with the ten largest packages', async () => {
  const definition = bench.define({
    system: {
      budgets: { imageSize: '1M' },
      boot: { sentinel: '^ready$' },
      checks: [{ name: 'a', run: 'true' }],
    },
  });
  const { description } = await bench.build(definition);
  const { exceeded, checks } = await testImage(definition, description, guest);
  expect(checks).toMatchObject([{ name: 'a', passed: true }]);
  expect(exceeded).toEqual([
    expect.stringMatching(
      /^the image has [\d.]+ MiB, and 1\.0 MiB are allowed; the largest packages: part-10 1\.6 MiB, part-9 1\.4 MiB, /,
    ),
  ]);
  expect(exceeded[0]?.match(/part-\d+/g)).toHaveLength(10);
});

test('a boot that never ends tells what it waits for, and shows the end of the console', async () => {
  const definition = bench.define({ system: { boot: { sentinel: 'small login:' } } });
  const { description } = await bench.build(definition);
  const silent = { program: 'sh', arguments: ['-c', 'seq 20; echo no root file system'] };
  const steps: string[] = [];
  const tested = testImage(definition, description, silent, (step) => steps.push(step));
  await expect(tested).rejects.toThrow(
    expect.objectContaining({
      code: 'image-failed',
      message: "the console never showed 'small login:'; QEMU ended",
      hint: expect.stringMatching(/^It ends with:\n7\n8\n[^]*\n20\nno root file system$/) as string,
    }),
  );
  expect(steps).toEqual(["waiting for 'small login:', at most 300 s"]);
});

test('lines from a pipe are typed after the sentinel, each at a prompt', async () => {
  const script = `
    sleep 1; timeout 0.1 cat >/dev/null; printf 'small login: '; read -r name
    sleep 0.5; timeout 0.1 cat >/dev/null; printf 'Password: '; read -r secret
    echo "$name and $secret"; exit 3`;
  const output = new PassThrough();
  const input = Readable.from(['anna\nsec', 'ret\npoweroff\n']);
  const program = { program: 'bash', arguments: ['-c', script] };
  expect(await runPiped(program, { input, output, sentinel: 'small login:' })).toBe(3);
  expect(String(output.read())).toBe('small login: Password: anna and secret\n');
});

test('tools that are not installed are named at once, with the packages of Debian that have them', () => {
  expect(() => requireTools({ sh: 'dash', 'mkfs.none': 'none-tools', 'fsck.none': 'none-tools' })).toThrow(
    expectError('tool-missing', /^mkfs\.none, fsck\.none: not installed on this machine$/),
  );
  expect(() => requireTools({ 'mkfs.none': 'none-tools' })).toThrow(
    expect.objectContaining({ hint: 'On Debian: apt-get install none-tools' }),
  );
});

test.each([
  ['qemu-x86', 'Did you mean qemu-x86_64?'],
  ['rpi5', 'Did you mean rpi3?'],
])('an unknown board %s has a nearest', (board, hint) => {
  expect(() => loadDefinition({ image: 'golinux', board, roots: ['images'] })).toThrow(
    expect.objectContaining({ code: 'not-found', message: `there is no board ${board}`, hint }),
  );
});
