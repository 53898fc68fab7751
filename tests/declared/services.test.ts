/** What a supervisor is given for a declared service, read by a real shell. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    expect.stringContaining('sv check /etc/service/db'),
    expect.stringContaining('sv check /etc/service/net'),
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
  const supervisors = [
    { sv: 'echo down' },
    { sv: 'echo down', 's6-svc': 'exit 100' },
    { 's6-svc': 'echo down' },
  ];
  for (const programs of supervisors)
    expect(runWith(programs, text, String(status)).stdout.trim()).toBe(expected);
});

it.each([
  ['s6 says that it is up', { 's6-svstat': 'echo true' }, 'started'],
  ['s6 says that it is down', { 's6-svstat': 'echo false' }, ''],
  ['runit says that it is up', { sv: 'echo run' }, 'started'],
  ['runit says that it is down', { sv: 'exit 1' }, ''],
  [
    's6 knows nothing of it, runit says that it is up',
    { 's6-svstat': 'exit 100', sv: 'echo run' },
    'started',
  ],
])('starts after another: %s', (_, programs, expected) => {
  const text = runText({ name: 'x', command: ['/bin/echo', 'started'], after: ['db'] });
  expect(runWith(programs, text).stdout.trim()).toBe(expected);
});

/** Runs a script where these are the only programs, each with its text. */
function runWith(
  programs: Readonly<Record<string, string>>,
  text: string,
  ...args: readonly string[]
): SpawnSyncReturns<string> {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-services-'));
  try {
    for (const [name, body] of Object.entries(programs))
      writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return spawnSync('/bin/sh', ['-c', text, 'script', ...args], { encoding: 'utf8', env: { PATH: folder } });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
