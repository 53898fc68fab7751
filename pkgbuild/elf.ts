/** What linking needs to know of an ELF file: class, machine, interpreter, SONAME and NEEDED. */
import { PT, textAt, withElf, type ElfImage } from './elf-image.ts';

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
const DT = { NEEDED: 1, SONAME: 14, RPATH: 15, RUNPATH: 29 } as const;

/** Returns `undefined` for anything that is no well-formed ELF file. */
export const parseElf = (bytes: Uint8Array): ElfFile | undefined => withElf(bytes, describeElf);

/** @throws RangeError where a string lies outside the file */
export function describeElf(image: ElfImage): ElfFile {
  const { bytes, machine, segments, type, wide } = image;
  const interpreter = segments.find((segment) => segment.type === PT.INTERP);
  return {
    kind: KINDS[type] ?? 'other',
    machine: wide || machine !== 62 ? (MACHINES[machine] ?? `machine ${machine}`) : 'x32',
    interpreter: interpreter === undefined ? undefined : textAt(bytes, interpreter.offset),
    soname: image.named(DT.SONAME)[0],
    needed: image.named(DT.NEEDED),
    runpath: image.named(DT.RUNPATH)[0] ?? image.named(DT.RPATH)[0],
    dynamic: segments.some((segment) => segment.type === PT.DYNAMIC),
  };
}
