/** Whether the processor of this machine can run guests for QEMU, or all of them must be emulated. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { MachineArch } from '#schema/fields';
import type { Definition } from './definition.ts';
import { EMULATORS, GENERIC, openConsole, type Accelerator, type Console } from './qemu.ts';

const DEVICE = '/dev/kvm';
/** What the probe says at its serial port once it got through its loop, and QEMU in no message. */
const DONE = '\x06';
/** An emulated probe takes about a fifth of a second. */
const LIMIT = 2;

/** `kvm` where a guest gets on with it: the device may be there and be of no use, as it often is in virtual machines. */
export async function probeAccelerator({ arch, hardware }: Definition): Promise<Accelerator> {
  const own = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string];
  const generic = GENERIC.test(hardware.qemu?.machine ?? '');
  if (own !== arch || !generic || !mayUse(DEVICE)) return 'tcg';
  return (await runsGuests(arch, 'kvm')) ? 'kvm' : 'tcg';
}

/** Boots a guest that counts to some millions and tells so. @throws IcepkgError `tool-missing` */
export async function runsGuests(arch: MachineArch, accelerator: Accelerator): Promise<boolean> {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-probe-'));
  try {
    const firmware = path.join(folder, 'firmware');
    fs.writeFileSync(firmware, FIRMWARE[arch]());
    const console = openConsole({
      program: EMULATORS[arch].program,
      arguments: [
        '-machine',
        arch === 'x86_64' ? 'pc' : 'virt,gic-version=max',
        '-accel',
        accelerator,
        '-cpu',
        accelerator === 'kvm' ? 'host' : 'max',
        '-m',
        '16',
        '-nodefaults',
        '-no-user-config',
        '-display',
        'none',
        '-serial',
        'stdio',
        '-bios',
        firmware,
      ],
    });
    return await answers(console);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

async function answers(console: Console): Promise<boolean> {
  try {
    return await console.expect(new RegExp(DONE), LIMIT).then(
      () => true,
      () => false,
    );
  } finally {
    await console.close();
  }
}

const FIRMWARE: Readonly<Record<MachineArch, () => Buffer>> = { x86_64: firmwareX86, aarch64: firmwareArm };

/** The processor starts in real mode, 16 bytes before the end of 64 KiB. */
function firmwareX86(): Buffer {
  const rom = Buffer.alloc(0x10000, 0xf4);
  const program = [
    [0x66, 0xb9, 0x00, 0x2d, 0x31, 0x01], // mov ecx, 20000000
    [0x66, 0x49], // dec ecx
    [0x75, 0xfc], // jnz to the line before
    [0xba, 0xf8, 0x03], // mov dx, 0x3f8: the first serial port
    [0xb0, DONE.charCodeAt(0)], // mov al, DONE
    [0xee], // out dx, al
    [0xf4], // hlt
  ];
  rom.set(program.flat(), 0);
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0); // jmp f000:0000
  return rom;
}

/** The processor starts at the first instruction. */
function firmwareArm(): Buffer {
  const program = [
    0xd2a12001, // movz x1, 0x900, lsl 16: the serial port of the machine virt
    0xd2a02622, // movz x2, 0x131, lsl 16
    0xf1000442, // subs x2, x2, 1
    0x54ffffe1, // b.ne to the line before
    0x52800000 | (DONE.charCodeAt(0) << 5), // movz w0, DONE
    0xb9000020, // str w0, [x1]
    0xd503207f, // wfi
  ];
  const rom = Buffer.alloc(program.length * 4);
  for (const [index, word] of program.entries()) rom.writeUInt32LE(word, index * 4);
  return rom;
}

function mayUse(device: string): boolean {
  try {
    fs.accessSync(device, fs.constants.R_OK | fs.constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
