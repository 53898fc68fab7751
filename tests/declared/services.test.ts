/** What runit is given for a declared service, read by a real shell. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { finishText, runText } from '#engine/declared/services';

/** Runs the text with `chpst` and the program replaced by one that prints its arguments. */
function printed(script: string): string[] {
  const { stdout, status } = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8' });
  expect(status).toBe(0);
  return stdout.split('\0').slice(0, -1);
}

it('hands every word and variable over as it is', () => {
  const word = fc
    .string({ minLength: 1, maxLength: 20 })
    .filter((text) => !/[\u0000-\u001f\u007f]/u.test(text));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 4 }), word, (words, value) => {
      const command = ['/usr/bin/printf', String.raw`%s\0`, 'first', ...words];
      expect(printed(runText({ name: 'x', command, environment: { VALUE: value } }))).toEqual([
        'first',
        ...words,
      ]);
      const shown = ['/bin/sh', '-c', String.raw`printf '%s\0' "$VALUE"`];
      expect(printed(runText({ name: 'x', command: shown, environment: { VALUE: value } }))).toEqual([value]);
    }),
    { numRuns: 30 },
  );
});

it('waits for other services and takes a user', () => {
  const text = runText({ name: 'x', command: ['/bin/x'], user: 'web', after: ['db', 'net'] });
  expect(text.split('\n')).toEqual([
    '#!/bin/sh',
    'exec 2>&1',
    'sv check /etc/service/db >/dev/null || exit 1',
    'sv check /etc/service/net >/dev/null || exit 1',
    'exec chpst -u web /bin/x',
    '',
  ]);
});

it.each([
  ['always', 0, undefined],
  ['on-failure', 0, 'down'],
  ['on-failure', 1, ''],
  ['never', 1, 'down'],
] as const)('restarts %s after exit status %i', (restart, status, expected) => {
  const text = finishText({ name: 'x', command: ['/bin/x'], restart });
  if (text === undefined || expected === undefined) {
    expect([text, expected]).toEqual([undefined, undefined]);
    return;
  }
  const body = text.replace('exec sv down .', 'exec echo down');
  const { stdout } = spawnSync('/bin/sh', ['-c', body, 'finish', String(status)], { encoding: 'utf8' });
  expect(stdout.trim()).toBe(expected);
});
