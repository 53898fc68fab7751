import * as fs from 'node:fs';
import * as http from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runSandboxed } from '#pkgbuild/sandbox';
import type { CommandResult } from '#pkgbuild/command';

let workspace: string;
let outside: string;
beforeAll(() => {
  workspace = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-sandbox-'));
  outside = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-outside-'));
  for (const name of ['src', 'ro']) fs.mkdirSync(path.join(workspace, name));
  fs.writeFileSync(path.join(outside, 'input'), 'input');
});
afterAll(() => {
  for (const folder of [workspace, outside]) fs.rmSync(folder, { recursive: true, force: true });
});

const inside = (script: string): Promise<CommandResult> =>
  runSandboxed({
    workspace,
    readOnly: [{ from: outside, to: '/build/ro' }],
    environment: { PATH: '/usr/bin:/bin', MARK: 'set' },
    script,
    directory: '/build/src',
  });

test('steps see a fixed path and only the variables that were given', async () => {
  process.env['ICEPKG_TEST_SECRET'] = 'secret';
  const { stdout, status } = await inside(
    'pwd; env | cut -d= -f1 | sort | tr "\\n" " "; cat /build/ro/input',
  );
  delete process.env['ICEPKG_TEST_SECRET'];
  expect({ stdout, status }).toEqual({ stdout: '/build/src\nMARK PATH PWD input', status: 0 });
});

test('there is no network, not even loopback to the machine', async () => {
  const server = http.createServer((_, response) => response.end('reached'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const script = `exec 3<>/dev/tcp/127.0.0.1/${port} && echo reached`;
    expect(
      (
        await inside(`bash -c '${script}' 2>/dev/null || true; tail -n +3 /proc/net/dev | cut -d: -f1`)
      ).stdout.trim(),
    ).toBe('lo');
  } finally {
    server.close();
  }
});

test.each([
  '/usr/bin/planted',
  '/etc/planted',
  '/planted',
  '/build/ro/planted',
  '/build/ro/input',
  '/home/planted',
  '/dev/planted',
])('nothing can be written to %s', async (target) => {
  const { status } = await inside(`echo planted 2>/dev/null >${target}`);
  expect(status).not.toBe(0);
  expect(fs.readFileSync(path.join(outside, 'input'), 'utf8')).toBe('input');
});

test('what is outside cannot be seen, and /build can be written', async () => {
  const { stdout } = await inside(
    `ls ${outside} /root /home 2>/dev/null || true; echo made >/build/src/made; ls -d /etc/*`,
  );
  expect(stdout).toBe('/etc/alternatives\n');
  expect(fs.readFileSync(path.join(workspace, 'src/made'), 'utf8')).toBe('made\n');
});
