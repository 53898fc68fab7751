/** Boots built images in QEMU: for a person at the console, and for checks. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import type { ImageDescription } from './description.ts';
import type { Definition } from './definition.ts';
import { requireTools } from './fakeroot.ts';

export interface Machine {
  readonly program: string;
  readonly arguments: readonly string[];
}

/** Who runs the guest's instructions: the processor, or QEMU itself. */
export const ACCELERATORS = ['kvm', 'tcg'] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

export interface MachineOptions {
  readonly folder: string;
  readonly definition: Definition;
  readonly description: ImageDescription;
  /** Changes of the guest go to the disk, not to a copy that is thrown away. */
  readonly persistent: boolean;
  /** `HOST:GUEST` pairs of TCP ports on loopback. */
  readonly forwards: readonly string[];
  /** In place of the board's own. */
  readonly firmware?: 'bios' | 'uefi';
  /** `tcg` without. */
  readonly accelerator?: Accelerator;
}

/** @throws IcepkgError `image-failed` for a board that QEMU cannot play, or without a disk */
export function qemuMachine(options: MachineOptions): Machine {
  const { folder, definition, description, persistent, forwards } = options;
  const { qemu } = definition.hardware;
  if (qemu === undefined)
    throw new IcepkgError('image-failed', `QEMU cannot play the board ${definition.board}`, {
      hint: 'Such an image is checked by its structure alone; flash it to try it',
    });
  const disk = description.files.find(({ format }) => ['img', 'qcow2', 'iso'].includes(format));
  const kernel = description.files.find(({ format }) => format === 'kernel');
  const initramfs = description.files.find(({ format }) => format === 'initramfs');
  const deviceTree = description.files.find(({ format }) => format === 'device-tree');
  const uBoot = description.files.find(({ format }) => format === 'u-boot');
  if (disk === undefined)
    throw new IcepkgError('image-failed', `${description.name} has no disk to boot`, {
      hint: 'Add img, qcow2 or iso to the formats of the definition',
    });
  const wanted = options.firmware ?? qemu.firmware ?? 'uefi';
  const format = disk.format === 'qcow2' ? 'qcow2' : 'raw';
  const slot = qemu.disk === 'sd';
  const hosts = forwards.map((pair) => {
    const ports = /^(\d{1,5}):(\d{1,5})$/.exec(pair);
    if (ports === null)
      throw new IcepkgError('usage', `${pair} is no port forward`, {
        hint: 'Write HOST:GUEST, such as 2222:22',
      });
    return `,hostfwd=tcp:127.0.0.1:${ports[1]}-:${ports[2]}`;
  });
  return {
    program: EMULATORS[definition.arch].program,
    arguments: [
      ...processor(definition, qemu, options.accelerator ?? 'tcg'),
      '-m',
      `${Math.round(qemu.memory / 1024 ** 2)}`,
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      ...Array.from({ length: qemu.serialPort - 1 }, () => ['-serial', 'null']).flat(),
      '-serial',
      'stdio',
      '-no-reboot',
      '-drive',
      `if=${slot ? 'sd' : 'none'},id=disk,format=${format},file=${escaped(path.join(folder, disk.file))}`,
      ...(persistent ? [] : ['-snapshot']),
      ...(slot ? [] : ['-device', `${qemu.disk},drive=disk`]),
      '-netdev',
      `user,id=net${hosts.join('')}`,
      '-device',
      `${qemu.network},netdev=net`,
      ...(kernel === undefined
        ? []
        : ['-kernel', path.join(folder, kernel.file), '-append', description.cmdline]),
      ...(initramfs === undefined ? [] : ['-initrd', path.join(folder, initramfs.file)]),
      ...(deviceTree === undefined ? [] : ['-dtb', path.join(folder, deviceTree.file)]),
      ...(kernel === undefined && wanted === 'uefi' ? uefi(definition.arch) : []),
      ...(wanted === 'u-boot' && uBoot !== undefined ? ['-bios', path.join(folder, uBoot.file)] : []),
      ...(qemu.arguments ?? []),
    ],
  };
}

/** Machines that are no particular board take the host's processor. */
export const GENERIC = /^(?:q35|pc|microvm|virt)\b/;

function processor(
  { arch, board }: Definition,
  { machine, cpu }: NonNullable<Definition['hardware']['qemu']>,
  accelerator: Accelerator,
): string[] {
  if (accelerator === 'tcg')
    return ['-machine', machine, '-accel', 'tcg', ...(cpu === undefined ? [] : ['-cpu', cpu])];
  if (!GENERIC.test(machine))
    throw new IcepkgError('usage', `KVM cannot play the board ${board}`, {
      hint: 'Leave out --accelerator: QEMU emulates it',
    });
  const host = arch === 'aarch64' ? `${machine},gic-version=max` : machine;
  return ['-machine', host, '-accel', 'kvm', '-cpu', 'host'];
}

/** Where Debian has the UEFI firmware for virtual machines, and in which package. */
const FIRMWARE: Readonly<Record<MachineArch, readonly [file: string, debian: string]>> = {
  x86_64: ['/usr/share/ovmf/OVMF.fd', 'ovmf'],
  aarch64: ['/usr/share/qemu-efi-aarch64/QEMU_EFI.fd', 'qemu-efi-aarch64'],
};

function uefi(arch: MachineArch): string[] {
  const [file, debian] = FIRMWARE[arch];
  // Else the firmware waits seconds for somebody who wants its menu.
  if (fs.existsSync(file)) return ['-bios', file, '-boot', 'menu=on,splash-time=0'];
  throw new IcepkgError('tool-missing', `${file}: the UEFI firmware for virtual machines is not installed`, {
    hint: `On Debian: apt-get install ${debian}`,
  });
}

/** QEMU takes a doubled comma for one in a value. */
const escaped = (file: string): string => file.replaceAll(',', ',,');

/** Which program of QEMU plays an architecture, and in which package Debian has it. */
export const EMULATORS: Readonly<Record<MachineArch, { readonly program: string; readonly debian: string }>> =
  {
    x86_64: { program: 'qemu-system-x86_64', debian: 'qemu-system-x86' },
    aarch64: { program: 'qemu-system-aarch64', debian: 'qemu-system-arm' },
  };

/** The command of a guest that does not outlive us, however we end. */
const boundToUs = ({ program, arguments: words }: Machine): [string, ...string[]] => [
  'setpriv',
  '--pdeathsig',
  'KILL',
  '--',
  program,
  ...words,
];

function requireEmulator({ program }: Machine): void {
  requireTools({ setpriv: 'util-linux' });
  for (const emulator of Object.values(EMULATORS))
    if (emulator.program === program) requireTools({ [program]: emulator.debian });
}

/**
 * Hands the terminal to the guest until it powers off. @returns QEMU's exit status
 * @throws IcepkgError `tool-missing`
 */
export function runMachine(machine: Machine): Promise<number> {
  requireEmulator(machine);
  return new Promise((resolve, reject) => {
    const [program, ...words] = boundToUs(machine);
    const child = spawn(program, words, { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 255));
  });
}

/** The serial console of a running guest. */
export interface Console {
  /** Everything that was shown so far. */
  readonly text: () => string;
  readonly send: (line: string) => void;
  /** Waits until what came since `from` matches. @throws IcepkgError `image-failed` at the end of `seconds` or of the guest */
  expect(pattern: RegExp, seconds: number, from?: number): Promise<RegExpExecArray>;
  /** Waits until QEMU ended by itself. @returns its exit status */
  readonly ended: () => Promise<number>;
  /** Processor time that QEMU took so far, in seconds; unlike the clock's, hardly more where others keep the host busy. */
  readonly processorSeconds: () => number;
  readonly close: () => Promise<void>;
}

/**
 * Boots headless; the console is ours.
 * @param onOutput is given what the console shows, as it comes
 * @throws IcepkgError `tool-missing`
 */
export function openConsole(machine: Machine, onOutput: (chunk: Buffer) => void = () => undefined): Console {
  requireEmulator(machine);
  const [program, ...words] = boundToUs(machine);
  const child = spawn(program, words);
  let shown = '';
  let ended = false;
  let wake: () => void = () => undefined;
  const more = (chunk: Buffer): void => {
    onOutput(chunk);
    shown += chunk.toString('latin1').replaceAll('\r', '');
    wake();
  };
  child.stdout.on('data', more);
  child.stderr.on('data', more);
  // What is typed at a guest that has just ended goes nowhere.
  child.stdin.on('error', () => undefined);
  const over = new Promise<number>((resolve) => {
    const end = (status: number | null): void => {
      ended = true;
      wake();
      resolve(status ?? 255);
    };
    child.on('close', end);
    child.on('error', () => end(255));
  });
  const expect = async (pattern: RegExp, seconds: number, from = 0): Promise<RegExpExecArray> => {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const found = pattern.exec(shown.slice(from));
      if (found !== null) return found;
      const left = deadline - Date.now();
      if (ended || left <= 0) throw unseen(pattern, ended, shown);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  return {
    text: () => shown,
    send: (line) => void child.stdin.write(`${line}\n`),
    expect,
    ended: () => over,
    processorSeconds: () => processorSeconds(child.pid),
    close: () => end(child, over),
  };
}

/** Of user and kernel, as in proc(5), stat; the kernel counts hundredths for programs everywhere. */
function processorSeconds(pid: number | undefined): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function end(child: ChildProcessWithoutNullStreams, over: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL');
  await over;
}

function unseen(pattern: RegExp, ended: boolean, shown: string): IcepkgError {
  const tail = shown.trimEnd().split('\n').slice(-15).join('\n');
  return new IcepkgError(
    'image-failed',
    `the console never showed '${pattern.source}'${ended ? '; QEMU ended' : ' in time'}`,
    { hint: `It ends with:\n${tail}` },
  );
}
