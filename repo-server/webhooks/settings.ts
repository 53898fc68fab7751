/** Who is told of what happens to a repository: `.icepkg/webhooks.json`. Secrets are in files of their own. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError, isErrno } from '#schema/error';
import { readRepositoryConfig } from '../config.ts';
import { PRIVATE_FOLDER, readIfAny, writeDurably } from '../layout.ts';
import { withLock } from '../lock.ts';

const WEBHOOKS_FILE = `${PRIVATE_FOLDER}/webhooks.json`;
export const OUTBOX = `${PRIVATE_FOLDER}/outbox`;

export const EVENTS = ['publish', 'promote', 'rollback', 'upload'] as const;
export type EventName = (typeof EVENTS)[number];

const WebhookSchema = v.strictObject({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/)),
  url: v.pipe(v.string(), v.check(isWebAddress, 'expected an http:// or https:// address')),
  /** Absolute path. */
  secretFile: v.string(),
  events: v.pipe(v.array(v.picklist(EVENTS)), v.minLength(1)),
});
const WebhooksSchema = v.strictObject({ format: v.literal(1), webhooks: v.array(WebhookSchema) });
export type Webhook = v.InferOutput<typeof WebhookSchema>;

/** Shorter ones could be guessed. */
const LEAST_SECRET_BYTES = 16;

/** @throws IcepkgError `format-invalid` where the file was edited wrongly */
export function readWebhooks(repository: string): readonly Webhook[] {
  const file = join(repository, WEBHOOKS_FILE);
  const bytes = readIfAny(file);
  return bytes === undefined ? [] : decode(WebhooksSchema, parseJson(bytes, file), file).webhooks;
}

/** A secret is made where its file is not there. @throws IcepkgError `usage`, `not-found` */
export async function addWebhook(
  repository: string,
  { url, secretFile, events }: Omit<Webhook, 'id'>,
): Promise<Webhook> {
  if (!isWebAddress(url)) {
    throw new IcepkgError('usage', `${JSON.stringify(url)} is no web address`, {
      hint: 'Give one that begins with https:// or http://',
    });
  }
  readRepositoryConfig(repository);
  const file = resolve(secretFile);
  makeSecret(file);
  readSecret(file);
  const webhook = { id: randomBytes(4).toString('hex'), url, secretFile: file, events: [...new Set(events)] };
  await withLock(repository, () => writeWebhooks(repository, [...readWebhooks(repository), webhook]));
  return webhook;
}

/** What it was not told yet, it never is. @throws IcepkgError `not-found` */
export async function removeWebhook(repository: string, id: string): Promise<void> {
  readRepositoryConfig(repository);
  await withLock(repository, () => {
    const webhooks = readWebhooks(repository);
    if (!webhooks.some((of) => of.id === id)) {
      throw new IcepkgError('not-found', `there is no webhook ${id}`, {
        hint: 'See which there are: icepkg repo webhook list',
      });
    }
    writeWebhooks(
      repository,
      webhooks.filter((of) => of.id !== id),
    );
    fs.rmSync(join(repository, OUTBOX, id), { recursive: true, force: true });
  });
}

/**
 * The key of the signature: `whsec_` and base64, as Standard Webhooks has it, or any other text as it stands.
 * @throws IcepkgError `not-found`, `io-failed`, `usage` where it is too short
 */
export function readSecret(file: string): Buffer {
  const bytes = readIfAny(file);
  if (bytes === undefined) {
    throw new IcepkgError('not-found', `${file}: the secret of the webhook is not there`, {
      hint: 'Put it back, or remove the webhook and add it anew',
    });
  }
  const text = Buffer.from(bytes).toString('utf8').trim();
  const key = text.startsWith('whsec_') ? Buffer.from(text.slice(6), 'base64') : Buffer.from(text);
  if (key.length >= LEAST_SECRET_BYTES) return key;
  throw new IcepkgError('usage', `${file}: the secret is shorter than ${LEAST_SECRET_BYTES} bytes`, {
    hint: 'Remove the file; icepkg repo webhook add makes a good one',
  });
}

function makeSecret(file: string): void {
  try {
    fs.writeFileSync(file, `whsec_${randomBytes(32).toString('base64')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if (isErrno(cause, 'EEXIST')) return;
    if (!isErrno(cause, 'ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR')) throw cause;
    throw new IcepkgError('io-failed', `${file}: the secret cannot be written (${cause.code})`, {
      hint: 'Name a file in a folder that is there',
      cause,
    });
  }
}

const writeWebhooks = (repository: string, webhooks: readonly Webhook[]): void =>
  writeDurably(join(repository, WEBHOOKS_FILE), canonicalJson({ format: 1, webhooks }), 0o600);

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

/** For logs: neither a login nor the path, which with some receivers is the secret. */
export const shownWebhook = ({ id, url }: Pick<Webhook, 'id' | 'url'>): string =>
  `webhook ${id} (${new URL(url).origin})`;
