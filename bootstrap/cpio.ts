/** Writes cpio archives of the "new ASCII" format, which the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst). */
import { BUILD_EPOCH } from '#pkgbuild/epoch';

export interface CpioEntry {
  readonly path: string;
  /** Type and permissions, as in `st_mode`. */
  readonly mode: number;
  readonly content?: Uint8Array;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** Bits of the type in `mode`. */
export const S_IF = { directory: 0o040000, file: 0o100000, symlink: 0o120000, character: 0o020000 } as const;

const TRAILER = 'TRAILER!!!';

/** All owners are root, all times those of the packages; entries come in the order given, parents first. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => encode(entry, index + 1));
  return Buffer.concat([...parts, ...encode({ path: TRAILER, mode: 0 }, 0)]);
}

function encode({ path, mode, content, device }: CpioEntry, inode: number): Uint8Array[] {
  const name = Buffer.from(`${path}\0`);
  const size = content?.length ?? 0;
  const links = (mode & 0o170000) === S_IF.directory ? 2 : 1;
  const time = inode === 0 ? 0 : BUILD_EPOCH;
  const fields = [inode, mode, 0, 0, links, time, size, 0, 0];
  const last = [device?.major ?? 0, device?.minor ?? 0, name.length, 0];
  const header = Buffer.from(`070701${[...fields, ...last].map(hex).join('')}`);
  const parts: Uint8Array[] = [header, name, padding(header.length + name.length)];
  if (content !== undefined) parts.push(content, padding(size));
  return parts;
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const padding = (length: number): Uint8Array => Buffer.alloc((4 - (length % 4)) % 4);
