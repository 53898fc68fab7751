/** What a linter and a comparison of packages look at in an ELF file, beyond what linking needs. */
import { PT, readSections, textAt, withElf, type ElfImage } from './elf-image.ts';
import { describeElf, type ElfFile } from './elf.ts';

export interface ElfDetails extends ElfFile {
  /** The stack may hold code: `PT_GNU_STACK` says so or, on x86_64 where that is the default, is missing. */
  readonly executableStack: boolean;
  readonly textRelocations: boolean;
  readonly relro: boolean;
  /** All symbols are resolved at start, so that the whole relocation table becomes read-only. */
  readonly bindNow: boolean;
  /** A full symbol table, which running does not need. */
  readonly symbolTable: boolean;
  readonly debugSections: boolean;
}

const DT = { TEXTREL: 22, BIND_NOW: 24, FLAGS: 30, FLAGS_1: 0x6fff_fffb } as const;
const DF_TEXTREL = 4;
const DF_BIND_NOW = 8;
const DF_1_NOW = 1;
const PF_X = 1;
const SHT_DYNSYM = 11;

/** Returns `undefined` for anything that is no well-formed ELF file. */
export const elfDetails = (bytes: Uint8Array): ElfDetails | undefined => withElf(bytes, detail);

function detail(image: ElfImage): ElfDetails {
  const flags = (wanted: number): number => image.tags.find(({ tag }) => tag === wanted)?.value ?? 0;
  const has = (wanted: number): boolean => image.tags.some(({ tag }) => tag === wanted);
  const stack = image.segments.find(({ type }) => type === PT.GNU_STACK);
  const sections = readSections(image);
  const file = describeElf(image);
  const executableByDefault = file.machine === 'x86_64' && image.segments.length > 0;
  return {
    ...file,
    executableStack: stack === undefined ? executableByDefault : (stack.flags & PF_X) !== 0,
    textRelocations: has(DT.TEXTREL) || (flags(DT.FLAGS) & DF_TEXTREL) !== 0,
    relro: image.segments.some(({ type }) => type === PT.GNU_RELRO),
    bindNow:
      has(DT.BIND_NOW) || (flags(DT.FLAGS) & DF_BIND_NOW) !== 0 || (flags(DT.FLAGS_1) & DF_1_NOW) !== 0,
    symbolTable: sections.some(({ name }) => name === '.symtab'),
    debugSections: sections.some(({ name }) => name.startsWith('.debug_')),
  };
}

/** Names of the dynamic symbols that others may link to, sorted. */
export const exportedSymbols = (bytes: Uint8Array): string[] =>
  withElf(bytes, (image) => readSymbols(image).sort()) ?? [];

const UNDEFINED = 0;
/** STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE. */
const EXPORTED_BINDINGS = new Set([1, 2, 10]);
/** STV_DEFAULT, STV_PROTECTED. */
const EXPORTED_VISIBILITY = new Set([0, 3]);

function readSymbols({ view, wide, little, bytes, ...image }: ElfImage): string[] {
  const sections = readSections({ view, wide, little, bytes, ...image });
  const table = sections.find(({ type }) => type === SHT_DYNSYM);
  const strings = table === undefined ? undefined : sections[table.link];
  if (table === undefined || strings === undefined) return [];
  const names: string[] = [];
  const step = wide ? 24 : 16;
  for (let at = table.offset; at + step <= table.offset + table.size; at += step) {
    const info = view.getUint8(at + (wide ? 4 : 12));
    const other = view.getUint8(at + (wide ? 5 : 13));
    const section = view.getUint16(at + (wide ? 6 : 14), little);
    const exported =
      section !== UNDEFINED && EXPORTED_BINDINGS.has(info >> 4) && EXPORTED_VISIBILITY.has(other & 3);
    if (exported) names.push(textAt(bytes, strings.offset + view.getUint32(at, little)));
  }
  return names.filter((name) => name !== '');
}
