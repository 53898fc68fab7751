/**
 * The layout of an ELF file (gABI, "Object Files" and "Dynamic Linking"): segments, sections, dynamic tags. Every offset
 * is checked against the file, so a broken file ends as `undefined`.
 */

export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  /** Number of the section that this one refers to: a symbol table's strings. */
  readonly link: number;
}

export interface ElfImage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly wide: boolean;
  readonly little: boolean;
  /** `e_type`. */
  readonly type: number;
  /** `e_machine`. */
  readonly machine: number;
  readonly segments: readonly ElfSegment[];
  readonly tags: readonly { readonly tag: number; readonly value: number }[];
  /** Strings that dynamic tags of this number point at. */
  named(tag: number): string[];
}

export const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3, GNU_STACK: 0x6474_e551, GNU_RELRO: 0x6474_e552 } as const;
const DT_STRTAB = 5;
const MAX_STRING = 4096;

export const isElf = (bytes: Uint8Array): boolean =>
  bytes.length >= 20 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** Returns what `use` makes of the file, `undefined` for anything that is no well-formed ELF file. */
export function withElf<T>(bytes: Uint8Array, use: (image: ElfImage) => T): T | undefined {
  if (!isElf(bytes)) return undefined;
  try {
    return use(readImage(bytes));
  } catch (error) {
    // A DataView refuses what lies outside the file.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The string at an offset of the file. @throws RangeError outside of it */
export function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  if (at >= bytes.length || end === -1 || end - at > MAX_STRING)
    throw new RangeError('string outside the file');
  return Buffer.from(bytes.subarray(at, end)).toString('utf8');
}

function readImage(bytes: Uint8Array): ElfImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = { bytes, view, wide: bytes[4] === 2, little: bytes[5] === 1 };
  const segments = readSegments(head);
  const tags = readTags(head, segments);
  const address = tags.find(({ tag }) => tag === DT_STRTAB)?.value;
  const load = segments.find(
    (s) =>
      s.type === PT.LOAD && address !== undefined && address >= s.address && address < s.address + s.size,
  );
  const strings =
    address === undefined || load === undefined ? undefined : address - load.address + load.offset;
  return {
    ...head,
    type: view.getUint16(16, head.little),
    machine: view.getUint16(18, head.little),
    segments,
    tags,
    named: (wanted) =>
      strings === undefined
        ? []
        : tags.filter(({ tag }) => tag === wanted).map(({ value }) => textAt(bytes, strings + value)),
  };
}

type Head = Pick<ElfImage, 'bytes' | 'view' | 'wide' | 'little'>;

/** An address or a size: 8 bytes in a 64-bit file, 4 otherwise. */
const word = ({ view, wide, little }: Head, at: number): number =>
  wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);

function readSegments(head: Head): ElfSegment[] {
  const { view, wide, little } = head;
  const u16 = (at: number): number => view.getUint16(at, little);
  const u32 = (at: number): number => view.getUint32(at, little);
  const table = word(head, wide ? 32 : 28);
  const step = u16(wide ? 54 : 42);
  return Array.from({ length: u16(wide ? 56 : 44) }, (_, index) => {
    const at = table + index * step;
    return {
      type: u32(at),
      flags: u32(at + (wide ? 4 : 24)),
      offset: word(head, at + (wide ? 8 : 4)),
      address: word(head, at + (wide ? 16 : 8)),
      size: word(head, at + (wide ? 32 : 16)),
    };
  });
}

function readTags(head: Head, segments: readonly ElfSegment[]): { tag: number; value: number }[] {
  const dynamic = segments.find(({ type }) => type === PT.DYNAMIC);
  const tags: { tag: number; value: number }[] = [];
  if (dynamic === undefined) return tags;
  const step = head.wide ? 16 : 8;
  for (let at = dynamic.offset; at + step <= dynamic.offset + dynamic.size; at += step) {
    const tag = word(head, at);
    if (tag === 0) break;
    tags.push({ tag, value: word(head, at + step / 2) });
  }
  return tags;
}

/** The section headers; none where the file was stripped of them. @throws RangeError where they lie outside the file */
export function readSections(image: ElfImage): ElfSection[] {
  const { view, wide, little, bytes } = image;
  const u16 = (at: number): number => view.getUint16(at, little);
  const u32 = (at: number): number => view.getUint32(at, little);
  const table = word(image, wide ? 40 : 32);
  if (table === 0) return [];
  const step = u16(wide ? 58 : 46);
  const offsetOf = (index: number): number => word(image, table + index * step + (wide ? 24 : 16));
  const names = offsetOf(u16(wide ? 62 : 50));
  return Array.from({ length: u16(wide ? 60 : 48) }, (_, index) => {
    const at = table + index * step;
    return {
      name: textAt(bytes, names + u32(at)),
      type: u32(at + 4),
      offset: offsetOf(index),
      size: word(image, at + (wide ? 32 : 20)),
      link: u32(at + (wide ? 40 : 24)),
    };
  });
}
