/** What the body of an upload brings: a package alone, or a tar with a package and the documents about it. */
import * as fs from 'node:fs';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadEntry } from 'tar';
import { DOCUMENT_SUFFIX } from '#schema/document';
import { IcepkgError, isErrno } from '#schema/error';

/** Media type of a package with documents; any other one is that of a package alone. */
const TAR_TYPE = 'application/x-tar';

export interface UploadBody {
  readonly body: Readable;
  readonly mediaType?: string | undefined;
  readonly mostBytes: number;
}

/** More bytes than the operator takes. */
export class PackageTooLarge extends IcepkgError {
  constructor(mostBytes: number) {
    super('usage', `the package is larger than ${mostBytes} bytes`, {
      hint: 'The operator sets the bound with --max-upload',
    });
  }
}

/**
 * Writes the package to `file`, which is not there yet, and documents beside it, where `icepkg build` puts them.
 * @throws IcepkgError `usage` where it is too large, `package-corrupt` where it is cut off, `format-invalid` where the
 * tar is none, `disk-full`
 */
export async function receiveBody({ body, mediaType, mostBytes }: UploadBody, file: string): Promise<void> {
  try {
    if (mediaType === TAR_TYPE) await unpack(body, new Intake(file, mostBytes));
    else await pipeline(body, bound(mostBytes), fs.createWriteStream(file, { flags: 'wx', mode: 0o600 }));
  } catch (cause) {
    if (isErrno(cause, 'ENOSPC', 'EDQUOT'))
      throw new IcepkgError('disk-full', 'no space left for the package', { cause });
    if (isErrno(cause, 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE')) {
      throw new IcepkgError('package-corrupt', 'the upload was cut off before its end', {
        hint: 'Upload it again',
        cause,
      });
    }
    throw cause;
  }
}

function bound(mostBytes: number): Transform {
  let size = 0;
  return new Transform({
    transform(part: Buffer, _encoding, done) {
      size += part.length;
      if (size <= mostBytes) done(null, part);
      else done(new PackageTooLarge(mostBytes));
    },
  });
}

const SUFFIXES: ReadonlySet<string> = new Set(['', ...Object.values(DOCUMENT_SUFFIX)]);

/** Puts the files of a tar where they belong: the package first, then what is called like it and ends as documents do. */
class Intake {
  readonly #file: string;
  readonly #mostBytes: number;
  #name: string | undefined;
  #bytes = 0;

  constructor(file: string, mostBytes: number) {
    this.#file = file;
    this.#mostBytes = mostBytes;
  }

  /** @returns where the file goes. @throws IcepkgError `format-invalid` where it has no place */
  begin({ path, type }: Pick<ReadEntry, 'path' | 'type'>): string {
    const name = path.replace(/^\.\//, '');
    this.#name ??= name;
    const suffix = name.slice(this.#name.length);
    const isPackage = !this.#name.includes('/') && this.#name.endsWith('.icepkg');
    const belongs = isPackage && name.startsWith(this.#name) && SUFFIXES.has(suffix);
    const target = `${this.#file}${suffix}`;
    if (type !== 'File' || !belongs || fs.existsSync(target)) throw noUpload();
    fs.writeFileSync(target, '', { flag: 'wx', mode: 0o600 });
    return target;
  }

  /** What is unpacked counts: the tar may have come compressed. @throws IcepkgError `usage` */
  write(target: string, part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#mostBytes) throw new PackageTooLarge(this.#mostBytes);
    fs.appendFileSync(target, part);
  }

  /** @throws IcepkgError `format-invalid` where nothing came */
  end(): void {
    if (this.#name === undefined) throw noUpload();
  }
}

async function unpack(body: Readable, intake: Intake): Promise<void> {
  const { Parser } = await import('tar');
  const failures: unknown[] = [];
  const trying = (work: () => void): void => {
    if (failures.length > 0) return;
    try {
      work();
    } catch (error) {
      failures.push(error);
    }
  };
  const parser = new Parser({
    strict: true,
    // Not every Node.js unpacks it.
    zstd: false,
    onReadEntry: (entry) =>
      trying(() => {
        const target = intake.begin(entry);
        entry.on('data', (part) => trying(() => intake.write(target, part)));
      }),
  });
  const ended = new Promise<void>((resolve) => {
    parser.on('end', resolve);
    parser.on('error', (cause) => {
      failures.push(noUpload(cause));
      resolve();
    });
  });
  for await (const part of body) {
    parser.write(part as Buffer);
    if (failures.length > 0) throw failures[0];
  }
  parser.end();
  await ended;
  if (failures.length > 0) throw failures[0];
  intake.end();
}

const noUpload = (cause?: unknown): IcepkgError =>
  new IcepkgError('format-invalid', 'the upload is no tar of a package and its documents', {
    hint: 'Put NAME.icepkg first, then NAME.icepkg.spdx.json, NAME.icepkg.spdx3.json and NAME.icepkg.intoto.jsonl',
    cause,
  });
