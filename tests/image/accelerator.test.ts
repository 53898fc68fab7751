/** Who runs a guest: found out by booting one, where QEMU is installed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { probeAccelerator, runsGuests } from '#bootstrap/accelerator';
import { defaultImageRoots, loadDefinition } from '#bootstrap/definition';
import type { ImageDescription } from '#bootstrap/description';
import { qemuMachine, type Accelerator, type Machine } from '#bootstrap/qemu';
import { expectError } from '../support/images.ts';

const define = (board: string): ReturnType<typeof loadDefinition> =>
  loadDefinition({ image: 'golinux', board, roots: defaultImageRoots() });
const installed = (program: string): boolean => fs.existsSync(`/usr/bin/${program}`);

describe.each([
  ['x86_64', 'qemu-system-x86_64'],
  ['aarch64', 'qemu-system-aarch64'],
] as const)('%s', (arch, program) => {
  test.runIf(installed(program))('the guest of the probe gets through where it is emulated', async () => {
    expect(await runsGuests(arch, 'tcg')).toBe(true);
  });
});

test('a board of its own, and one for another processor, are emulated', async () => {
  const foreign = process.arch === 'x64' ? 'qemu-aarch64' : 'qemu-x86_64';
  expect(await probeAccelerator(define(foreign))).toBe('tcg');
  expect(await probeAccelerator(define('rpi3'))).toBe('tcg');
});

describe('the machine', () => {
  const machine = (board: string, accelerator: Accelerator): Machine => {
    const definition = define(board);
    const description: ImageDescription = {
      format: 1,
      name: 'x',
      system: 'golinux',
      board,
      arch: definition.arch,
      key: '',
      cmdline: '',
      files: [{ format: 'img', file: 'x.img', size: 1, sha256: '0'.repeat(64) }],
      packages: [],
      locked: [],
      entries: [],
    };
    const options = { folder: '/tmp', definition, description, persistent: false, forwards: [] };
    return qemuMachine({ ...options, accelerator });
  };

  test.each([
    ['microvm-x86_64', 'tcg', /-machine microvm\S* -accel tcg -(?!cpu host)/],
    ['microvm-x86_64', 'kvm', /-machine microvm\S* -accel kvm -cpu host /],
    ['qemu-aarch64', 'tcg', /-machine virt -accel tcg -cpu (?!host)/],
    ['qemu-aarch64', 'kvm', /-machine virt,gic-version=max -accel kvm -cpu host /],
  ] as const)('%s by %s', (board, accelerator, expected) => {
    expect(machine(board, accelerator).arguments.join(' ')).toMatch(expected);
  });

  test('KVM cannot play another board than the host is like', () => {
    expect(() => machine('rpi3', 'kvm')).toThrow(expectError('usage', /KVM cannot play the board rpi3/));
  });
});

test('no guest outlives the program that booted it', async () => {
  const script = `const { openConsole } = await import('#bootstrap/qemu');
    openConsole({ program: 'sh', arguments: ['-c', 'echo $$; exec sleep 600'] }, (text) => process.stdout.write(text));`;
  const options = ['--conditions=source', '--import', 'tsx', '--input-type=module', '-e', script];
  const parent = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(parent.stdout, 'data')) as [Buffer];
  const guest = Number(said.toString());
  expect(fs.existsSync(`/proc/${guest}`)).toBe(true);
  parent.kill('SIGKILL');
  await once(parent, 'close');
  await vi.waitFor(() => expect(isRunning(guest)).toBe(false), { timeout: 5000 });
});

/** A process that ended and waits for its parent does not run. */
function isRunning(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return fs.existsSync(file) && !/\) Z /.test(fs.readFileSync(file, 'latin1'));
}
