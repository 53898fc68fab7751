/** Ctrl-C and SIGTERM while a change is under way. */
import { spawn, spawnSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDepot, type Depot } from '../support/repository.ts';
import { program } from './icepkg.ts';

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'app' });
});
afterAll(() => depot.dispose());

const hasScript = spawnSync('script', ['--version']).status === 0;

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while a mirror keeps silent ends with %i', async (signal, expected) => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const { root } = depot.root({ mirror: `http://127.0.0.1:${port}` });
  const child = spawn(process.execPath, program('install', 'app', '--root', root, '--yes'));
  silent.on('connection', (socket) => {
    socket.on('error', () => undefined);
    child.kill(signal);
  });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const status = await new Promise((resolve) => child.once('close', resolve));
  silent.close();
  expect({ status, stderr }).toEqual({
    status: expected,
    stderr: 'icepkg: interrupted; nothing was changed\n',
  });
});

test.skipIf(!hasScript)('Ctrl-C at the question ends with 130', async () => {
  const { root } = depot.root();
  const words = [process.execPath, ...program('install', 'app', '--root', root)];
  const child = spawn('script', ['-qec', words.map((word) => `'${word}'`).join(' '), '/dev/null']);
  let shown = '';
  let asked = false;
  child.stdout.on('data', (text: Buffer) => {
    shown += text.toString();
    if (asked || !shown.includes('[y/N]')) return;
    asked = true;
    child.stdin.write('\u0003');
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  expect(shown).toContain('icepkg: interrupted; nothing was changed');
  expect(status).toBe(130);
});
