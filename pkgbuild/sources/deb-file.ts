/**
 * Reads what a `.deb` says of itself (deb(5), deb-control(5)): an `ar` archive whose member `control.tar.*` holds the
 * control file, the names of configuration files and the maintainer's scripts. Nothing in it is believed or run.
 */
import * as fs from 'node:fs';
import * as zlib from 'node:zlib';
import { decodeFirstFrame, detectCodec } from '#schema/container/codec';
import { IcepkgError } from '#schema/error';
import { isSafePath } from '#schema/path';

export interface DebControl {
  /** By name in lower case: `package`, `version`, `depends`. */
  readonly fields: ReadonlyMap<string, string>;
  /** Paths below the root. */
  readonly configFiles: readonly string[];
  /** Names of the maintainer's scripts that it has. */
  readonly scripts: readonly string[];
}

const AR_MAGIC = '!<arch>\n';
const AR_HEADER = 60;
/** No control archive of Debian comes near, in bytes. */
const MAX_CONTROL = 16 * 1024 * 1024;
const BLOCK = 512;
const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm', 'config'];

/** @throws IcepkgError `source-failed` where the file is no Debian package */
export function readDeb(file: string): DebControl {
  const broken = (why: string, cause?: unknown): IcepkgError =>
    new IcepkgError('source-failed', `${file} is no Debian package: ${why}`, {
      cause,
      hint: 'Delete the file; it is fetched again',
    });
  const packed = readControlMember(file, broken);
  let members: ReadonlyMap<string, Buffer>;
  try {
    members = readTar(decompress(packed));
  } catch (cause) {
    throw broken('its control archive is damaged', cause);
  }
  const text = (name: string): string => members.get(name)?.toString('utf8') ?? '';
  if (!members.has('control')) throw broken('it has no control file');
  const configFiles = text('conffiles')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('/'))
    .map((line) => line.slice(1));
  const unsafe = configFiles.find((name) => !isSafePath(name));
  if (unsafe !== undefined) throw broken(`it names the configuration file ${JSON.stringify(unsafe)}`);
  return {
    fields: readFields(text('control')),
    configFiles,
    scripts: SCRIPTS.filter((name) => members.has(name)),
  };
}

function readControlMember(file: string, broken: (why: string) => IcepkgError): Buffer {
  const fd = fs.openSync(file, 'r');
  try {
    const read = (position: number, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, position));
    };
    if (read(0, AR_MAGIC.length).toString('latin1') !== AR_MAGIC) throw broken('it is no ar archive');
    for (let at = AR_MAGIC.length; ;) {
      const header = read(at, AR_HEADER).toString('latin1');
      const size = Number(header.slice(48, 58).trim());
      if (header.length < AR_HEADER || !Number.isSafeInteger(size) || size < 0)
        throw broken('it has no control archive');
      if (header.startsWith('control.tar')) {
        if (size > MAX_CONTROL) throw broken('its control archive is too large');
        return read(at + AR_HEADER, size);
      }
      at += AR_HEADER + size + (size % 2);
    }
  } finally {
    fs.closeSync(fd);
  }
}

function decompress(packed: Buffer): Uint8Array {
  if (packed[0] === 0x1f && packed[1] === 0x8b)
    return zlib.gunzipSync(packed, { maxOutputLength: MAX_CONTROL });
  const codec = detectCodec(packed);
  if (codec === undefined) return packed;
  let rest: Uint8Array = packed;
  const next = (): Uint8Array => {
    const piece = rest;
    rest = new Uint8Array();
    return piece;
  };
  return decodeFirstFrame(codec, next, MAX_CONTROL).bytes;
}

/** Regular files at the top of a tar. */
function readTar(bytes: Uint8Array): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + BLOCK <= view.length;) {
    const field = (from: number, to: number): string =>
      (
        view
          .subarray(at + from, at + to)
          .toString('latin1')
          .split('\0')[0] ?? ''
      ).trim();
    const name = field(0, 100).replace(/^\.\//, '');
    const size = Number.parseInt(field(124, 136) || '0', 8);
    if (!Number.isSafeInteger(size) || size < 0 || at + BLOCK + size > view.length)
      throw new Error('a file reaches beyond the archive');
    if (field(156, 157) === '0') files.set(name, view.subarray(at + BLOCK, at + BLOCK + size));
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

function readFields(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z][A-Za-z0-9-]*):\s*(.*?)\s*$/.exec(line);
    if (match !== null) fields.set((match[1] ?? '').toLowerCase(), match[2] ?? '');
  }
  return fields;
}
