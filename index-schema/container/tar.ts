/**
 * The tar entries of a package, one canonical byte sequence for each manifest entry: ustar with numeric
 * owners, and a pax header only for what ustar cannot hold. Reading a package compares bytes with these; nothing
 * here or anywhere parses tar headers by their fields.
 */
import type { FileEntry } from '../manifest.ts';

export const BLOCK = 512;
/** Two zero blocks end an archive. */
export const END_OF_ARCHIVE = 2 * BLOCK;

/** Bytes that fill the last block of `size` bytes. */
export const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

interface Fields {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly time: number;
  readonly type: string;
  readonly target?: string;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly major?: number;
  readonly minor?: number;
}

const TYPE_FLAG = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
} as const satisfies Record<FileEntry['type'], string>;

/** The header blocks of an entry; a file's content and padding follow. `time` is in seconds. */
export function tarHeader(entry: FileEntry, time: number): Uint8Array {
  const type = TYPE_FLAG[entry.type];
  const owner = {
    uid: ('uid' in entry ? entry.uid : undefined) ?? 0,
    gid: ('gid' in entry ? entry.gid : undefined) ?? 0,
    user: 'user' in entry ? entry.user : undefined,
    group: 'group' in entry ? entry.group : undefined,
  };
  const common = { path: entry.path, time, type, size: 0, ...owner };
  switch (entry.type) {
    case 'file':
      return withPax({ ...common, mode: entry.mode, size: entry.size }, entry.xattrs);
    case 'directory':
      return withPax({ ...common, path: `${entry.path}/`, mode: entry.mode }, entry.xattrs);
    case 'symlink':
      return withPax({ ...common, mode: 0o777, target: entry.target });
    case 'hardlink':
      return withPax({ ...common, mode: 0o644, target: entry.target });
    case 'character-device':
    case 'block-device':
      return withPax({ ...common, mode: entry.mode, major: entry.major, minor: entry.minor });
    case 'fifo':
      return withPax({ ...common, mode: entry.mode });
  }
}

/** The header block of a file of the package's own, `.icepkg/…`. */
export function metadataHeader(path: string, size: number): Uint8Array {
  return ustar({ path, mode: 0o644, uid: 0, gid: 0, size, time: 0, type: '0' });
}

const MAX_OCTAL_7 = 0o7777777;
const MAX_SIZE = 0o77777777777;

function withPax(fields: Fields, xattrs: Readonly<Record<string, string>> = {}): Uint8Array {
  const records: Uint8Array[] = [];
  const short = { ...fields };
  if (splitPath(fields.path) === undefined) {
    records.push(paxRecord('path', Buffer.from(fields.path)));
    short.path = shorten(fields.path, 100);
  }
  if (fields.target !== undefined && Buffer.byteLength(fields.target) > 100) {
    records.push(paxRecord('linkpath', Buffer.from(fields.target)));
    short.target = shorten(fields.target, 100);
  }
  for (const key of ['uid', 'gid'] as const) {
    if (fields[key] <= MAX_OCTAL_7) continue;
    records.push(paxRecord(key, Buffer.from(String(fields[key]))));
    short[key] = 0;
  }
  if (fields.size > MAX_SIZE) {
    records.push(paxRecord('size', Buffer.from(String(fields.size))));
    short.size = 0;
  }
  for (const name of Object.keys(xattrs).sort()) {
    records.push(paxRecord(`SCHILY.xattr.${name}`, Buffer.from(xattrs[name] ?? '', 'base64')));
  }
  if (records.length === 0) return ustar(fields);
  const body = Buffer.concat(records);
  const paxHeader = ustar({ ...PAX_FIELDS, size: body.length, time: fields.time });
  return Buffer.concat([paxHeader, body, Buffer.alloc(padding(body.length)), ustar(short)]);
}

const PAX_FIELDS = { path: 'PaxHeaders/entry', mode: 0o644, uid: 0, gid: 0, type: 'x' } as const;

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: Uint8Array): Uint8Array {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** The first characters of `text` that fit into `bytes` bytes. */
function shorten(text: string, bytes: number): string {
  let short = text.slice(0, bytes);
  while (Buffer.byteLength(short) > bytes || !short.isWellFormed()) short = short.slice(0, -1);
  return short;
}

/** Splits a path into ustar's prefix and name, or returns `undefined` where it does not fit. */
function splitPath(path: string): { readonly prefix: string; readonly name: string } | undefined {
  if (Buffer.byteLength(path) <= 100) return { prefix: '', name: path };
  for (
    let slash = path.indexOf('/');
    slash > 0 && slash < path.length - 1;
    slash = path.indexOf('/', slash + 1)
  ) {
    const prefix = path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (Buffer.byteLength(name) <= 100)
      return Buffer.byteLength(prefix) <= 155 ? { prefix, name } : undefined;
  }
  return undefined;
}

function ustar(fields: Fields): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const { prefix, name } = splitPath(fields.path) ?? { prefix: '', name: fields.path };
  const octal = (value: number, at: number, digits: number): void => {
    block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  block.write(name, 0);
  octal(fields.mode, 100, 7);
  octal(fields.uid, 108, 7);
  octal(fields.gid, 116, 7);
  octal(fields.size, 124, 11);
  octal(Math.min(fields.time, MAX_SIZE), 136, 11);
  block.write(fields.type, 156);
  if (fields.target !== undefined) block.write(fields.target, 157);
  block.write('ustar\u000000', 257, 'latin1');
  if (fields.user !== undefined) block.write(fields.user, 265);
  if (fields.group !== undefined) block.write(fields.group, 297);
  octal(fields.major ?? 0, 329, 7);
  octal(fields.minor ?? 0, 337, 7);
  block.write(prefix, 345);
  let sum = 8 * 0x20;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
