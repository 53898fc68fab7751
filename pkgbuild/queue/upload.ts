/** The client of a repository's upload API. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { DOCUMENT_SUFFIX } from '#schema/document';
import { IcepkgError, isErrno } from '#schema/error';

export interface UploadTarget {
  /** Address of the repository. */
  readonly url: string;
  readonly token: string;
  readonly channel: string;
}

/** The token in a file. @throws IcepkgError `not-found` */
export function readToken(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'EACCES', 'EISDIR')) throw cause;
    throw new IcepkgError('not-found', `${file}: no token can be read there`, {
      hint: 'Let the operator of the repository make one: icepkg repo token create',
      cause,
    });
  }
}

/**
 * Brings a package, together with the documents that lie beside it.
 * @throws IcepkgError `network-failed` naming what the server says
 */
export async function uploadPackage(target: UploadTarget, file: string): Promise<void> {
  const { create } = await import('tar');
  const [what, folder] = [path.basename(file), path.dirname(file)];
  const documents = Object.values(DOCUMENT_SUFFIX)
    .map((suffix) => `${what}${suffix}`)
    .filter((name) => fs.existsSync(path.join(folder, name)));
  const archive = create({ cwd: folder, portable: true, strict: true }, [what, ...documents]);
  await post(target, 'packages', { what, body: Readable.toWeb(Readable.from(archive)) });
}

/** Lets the repository publish what was uploaded. @throws IcepkgError `network-failed` */
export async function publishUploaded(target: UploadTarget, message: string): Promise<void> {
  await post(target, 'publish', { what: 'publishing', query: { message } });
}

interface Posted {
  readonly what: string;
  /** A tar. */
  readonly body?: ReadableStream;
  readonly query?: Readonly<Record<string, string>>;
}

async function post({ url, token, channel }: UploadTarget, action: string, posted: Posted): Promise<void> {
  const address = new URL(`api/v1/${action}`, url.replace(/\/*$/, '/'));
  address.search = new URLSearchParams({ channel, ...posted.query }).toString();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/x-tar' };
  let answer: Response;
  try {
    const body = posted.body && { body: posted.body, duplex: 'half' as const };
    answer = await fetch(address, { method: 'POST', headers, ...body });
  } catch (cause) {
    throw failed(posted.what, `${address.origin} does not answer`, cause);
  }
  const text = await answer.text();
  if (!answer.ok)
    throw failed(posted.what, `${address.origin} answers ${answer.status} ${text.slice(0, 500)}`);
}

const failed = (what: string, why: string, cause?: unknown): IcepkgError =>
  new IcepkgError('network-failed', `${what} was not taken: ${why}`, {
    hint: 'Check the address of the repository, the scopes of the token and the keys in .icepkg/upload-keys/',
    cause,
  });
