/** Takes packages in over HTTP: who may, how large, and whether what arrived may become part of a channel. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { readHeader } from '#schema/container/read';
import { IcepkgError, isErrno } from '#schema/error';
import { decodePublicKey, type PrivateKey, type PublicKey } from '#schema/keys';
import { packageFileName } from '#schema/record';
import { addPackages, type AddedPackage } from './add.ts';
import { makeFolder, PRIVATE_FOLDER } from './layout.ts';
import { publish, type Published } from './publish.ts';
import { receiveBody, type UploadBody } from './upload-body.ts';
import { announce } from './webhooks/outbox.ts';

export const UPLOAD_KEYS = `${PRIVATE_FOLDER}/upload-keys`;
const INCOMING = `${PRIVATE_FOLDER}/incoming`;
/** For the lock: another upload is soon done. */
const WAIT_SECONDS = 30;
let uploads = 0;

export interface Upload extends UploadBody {
  readonly repository: string;
  readonly channel: string;
}

/**
 * Takes one package into a channel, with the documents that come along, as `icepkg repo add` does. Nothing is served before it is published.
 * @throws IcepkgError `usage` where it is too large, older than what the channel has or another one under a known
 * name, `package-corrupt`, `package-unsigned`, `disk-full`
 */
export async function receivePackage(upload: Upload): Promise<AddedPackage> {
  const { repository, channel } = upload;
  const trustedKeys = uploadKeys(repository);
  const folder = join(repository, INCOMING, `.${process.pid}.${++uploads}.part`);
  makeFolder(folder);
  const aside = join(folder, 'package');
  try {
    await receiveBody(upload, aside);
    const [added] = await addPackages(repository, [aside], {
      channel,
      trustedKeys,
      refuseOlder: true,
      waitSeconds: WAIT_SECONDS,
    });
    if (added === undefined) throw new Error('a package was added and is not there');
    const { name, version, arch, package: file } = added.record;
    if (added.outcome === 'added')
      announce(repository, {
        type: 'upload',
        channel,
        data: { package: { name, version, arch, path: file.path, sha256: file.sha256 } },
      });
    return added;
  } catch (error) {
    throw withoutPaths(error, repository, aside);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Strangers learn nothing of where things are on the server; the package is called what it calls itself. */
function withoutPaths(error: unknown, repository: string, aside?: string): unknown {
  if (!(error instanceof IcepkgError) || !error.message.includes(repository)) return error;
  const { code, hint, message } = error;
  const told = (aside === undefined ? message : namingPackage(message, aside)).replaceAll(
    `${repository}/`,
    '',
  );
  return new IcepkgError(code, told, { ...(hint === undefined ? {} : { hint }), cause: error });
}

function namingPackage(message: string, aside: string): string {
  if (!message.includes(aside)) return message;
  const name = ownName(aside);
  return message
    .replaceAll(`${aside}.`, name === undefined ? 'the document .' : `${name}.`)
    .replaceAll(aside, name ?? 'the package');
}

/** What a package says it is; nothing where its header cannot be read. */
function ownName(file: string): string | undefined {
  try {
    return packageFileName(readHeader(file, file).manifest);
  } catch (error) {
    if (error instanceof IcepkgError || isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Publishes with the keys that the server holds. @throws IcepkgError `usage` where they do not suffice */
export async function publishUploaded(
  repository: string,
  of: { readonly channel: string; readonly keys: readonly PrivateKey[]; readonly message?: string },
): Promise<Published> {
  try {
    return await publish(repository, { ...of, waitSeconds: WAIT_SECONDS });
  } catch (error) {
    throw withoutPaths(error, repository);
  }
}

/** Whoever signed a package that is uploaded must be among these. @throws IcepkgError `usage` where nobody is */
function uploadKeys(repository: string): PublicKey[] {
  const folder = join(repository, UPLOAD_KEYS);
  const names = namesIn(folder).filter((name) => name.endsWith('.pub'));
  if (names.length === 0) {
    throw new IcepkgError('usage', 'this repository takes no uploads: nobody is named who may sign them', {
      hint: `Copy public keys (NAME.pub) to ${UPLOAD_KEYS}/`,
    });
  }
  return names.map((name) => decodePublicKey(fs.readFileSync(join(folder, name)), name));
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
