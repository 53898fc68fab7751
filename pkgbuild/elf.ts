/**
 * Reads what linking needs to know from an ELF file (gABI, "Object Files" and "Dynamic Linking"): class, machine,
 * interpreter, SONAME and NEEDED. Every offset is checked against the file, so a broken file ends as `undefined`.
 */

type ElfKind = 'relocatable' | 'executable' | 'shared' | 'other';

export interface ElfFile {
  readonly kind: ElfKind;
  /** `x86_64`, `aarch64`, or the machine's number for all others. */
  readonly machine: string;
  readonly interpreter: string | undefined;
  readonly soname: string | undefined;
  readonly needed: readonly string[];
  readonly runpath: string | undefined;
  readonly dynamic: boolean;
}

const MACHINES: Readonly<Record<number, string>> = {
  3: 'i386',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv',
};
const KINDS: Readonly<Record<number, ElfKind>> = { 1: 'relocatable', 2: 'executable', 3: 'shared' };
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

export const isElf = (bytes: Uint8Array): boolean =>
  bytes.length >= 20 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Returns `undefined` for anything that is no well-formed ELF file. */
export function parseElf(bytes: Uint8Array): ElfFile | undefined {
  if (!isElf(bytes)) return undefined;
  try {
    return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes);
  } catch (error) {
    // A DataView refuses what lies outside the file.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function read(view: DataView, bytes: Uint8Array): ElfFile {
  const wide = bytes[4] === 2;
  const little = bytes[5] === 1;
  const u16 = (at: number): number => view.getUint16(at, little);
  const u32 = (at: number): number => view.getUint32(at, little);
  const word = (at: number): number => (wide ? Number(view.getBigUint64(at, little)) : u32(at));
  const machine = u16(18);
  const segments: Segment[] = [];
  const table = word(wide ? 32 : 28);
  const entrySize = u16(wide ? 54 : 42);
  const count = u16(wide ? 56 : 44);
  for (let i = 0; i < count; i++) {
    const at = table + i * entrySize;
    segments.push(
      wide
        ? { type: u32(at), offset: word(at + 8), address: word(at + 16), size: word(at + 32) }
        : { type: u32(at), offset: u32(at + 4), address: u32(at + 8), size: u32(at + 16) },
    );
  }
  const text = (at: number): string => {
    const end = bytes.indexOf(0, at);
    if (at >= bytes.length || end === -1 || end - at > 4096) throw new RangeError('string outside the file');
    return Buffer.from(bytes.subarray(at, end)).toString('utf8');
  };
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const tags: { tag: number; value: number }[] = [];
  if (dynamic !== undefined) {
    const step = wide ? 16 : 8;
    for (let at = dynamic.offset; at + step <= dynamic.offset + dynamic.size; at += step) {
      const tag = word(at);
      if (tag === 0) break;
      tags.push({ tag, value: word(at + step / 2) });
    }
  }
  const address = tags.find(({ tag }) => tag === DT_STRTAB)?.value;
  const load = segments.find(
    (s) =>
      s.type === PT_LOAD && address !== undefined && address >= s.address && address < s.address + s.size,
  );
  const strings =
    address === undefined || load === undefined ? undefined : address - load.address + load.offset;
  const named = (wanted: number): string[] =>
    strings === undefined
      ? []
      : tags.filter(({ tag }) => tag === wanted).map(({ value }) => text(strings + value));
  return {
    kind: KINDS[u16(16)] ?? 'other',
    machine: wide || machine !== 62 ? (MACHINES[machine] ?? `machine ${machine}`) : 'x32',
    interpreter: interpreter === undefined ? undefined : text(interpreter.offset),
    soname: named(DT_SONAME)[0],
    needed: named(DT_NEEDED),
    runpath: named(DT_RUNPATH)[0] ?? named(DT_RPATH)[0],
    dynamic: dynamic !== undefined,
  };
}
