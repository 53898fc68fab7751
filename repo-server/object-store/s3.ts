/** An object store that speaks S3, as far as publishing needs it. Addresses are of the kind `ENDPOINT/BUCKET/KEY`. */
import { createReadStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { transient, type Reply as Stream } from '#engine/client/transport';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { hashFile } from '../hash-file.ts';
import { encodeKey, signRequest, type Credentials } from './sign-request.ts';

export interface StoreOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
  readonly bucket: string;
  /** Of all keys: empty, or with a slash at the end. */
  readonly prefix: string;
  /** False where the store knows no conditional writes: conditions are then looked up before, for whoever is alone. */
  readonly conditional?: boolean;
}

export interface StoredObject {
  readonly size: number;
  /** With its quotes. */
  readonly etag: string;
}

export interface PutOptions {
  readonly type: string;
  readonly cacheControl: string;
  /** Only in the place of what has this tag; `none` only where there is nothing yet. */
  readonly replaces?: string;
}

type Body = { readonly bytes: Uint8Array } | { readonly file: string; readonly size: number };

const ATTEMPTS = 4;
const EMPTY_SHA256 = sha256(new Uint8Array(0));
const MOST_METADATA_BYTES = 16 * 1024 * 1024;

interface Reply {
  readonly status: number;
  readonly etag: string;
  readonly text: string;
}

export class ObjectStore {
  readonly #options: StoreOptions;

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** For messages. */
  addressOf(path: string): string {
    return `s3://${this.#options.bucket}/${this.#options.prefix}${path}`;
  }

  /** All objects whose path behind the prefix begins so, by that path. @throws IcepkgError `network-failed` */
  async list(beginning = ''): Promise<Map<string, StoredObject>> {
    const found = new Map<string, StoredObject>();
    for (let token = ''; ;) {
      const query = { 'list-type': '2', prefix: this.#options.prefix + beginning, 'encoding-type': 'url' };
      const more = token === '' ? {} : { 'continuation-token': token };
      const { text } = await this.#expect([200], 'GET', '', { query: { ...query, ...more } });
      for (const [, entry = ''] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const key = decodeURIComponent((tagged(entry, 'Key') ?? '').replaceAll('+', ' '));
        const etag = (tagged(entry, 'ETag') ?? '').replaceAll('&quot;', '"').replaceAll('&#34;', '"');
        found.set(key.slice(this.#options.prefix.length), { size: Number(tagged(entry, 'Size')), etag });
      }
      if (tagged(text, 'IsTruncated') !== 'true') return found;
      const next = tagged(text, 'NextContinuationToken') ?? '';
      if (next === '' || next === token) throw endless('lists the same objects over and over');
      token = next;
    }
  }

  /** A small object. @throws IcepkgError `network-failed` */
  async get(path: string): Promise<{ readonly text: string; readonly etag: string } | undefined> {
    const reply = await this.#expect([200, 404], 'GET', path, {});
    return reply.status === 404 ? undefined : reply;
  }

  /**
   * An object of any size, as it comes.
   * @returns `undefined` where there is none
   * @throws IcepkgError `network-failed`, also while it comes; worth another attempt where it may pass
   */
  async open(path: string): Promise<Stream | undefined> {
    const answer = await this.#request('GET', path, {}).catch((error: unknown) => {
      throw this.#interrupted(path, error);
    });
    const { statusCode: status, headers } = answer;
    if (status === 200) {
      const total = Number(headers['content-length']);
      return { offset: 0, total, etag: String(headers.etag ?? ''), body: this.#streamed(path, answer.body) };
    }
    const text = await bounded(answer.body);
    if (status === 404) return undefined;
    const refused = this.#refused(path, { status, text, etag: '' });
    throw isPassing(status) ? transient(refused.message, refused) : refused;
  }

  async *#streamed(path: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw this.#interrupted(path, error);
    }
  }

  #interrupted(path: string, error: unknown): unknown {
    if (!(error instanceof Error) || error instanceof IcepkgError) return error;
    return transient(`${this.addressOf(path)}: no answer (${codeOf(error)})`, error);
  }

  /** @returns false where something else is there than `replaces` says. @throws IcepkgError `network-failed` */
  async put(path: string, body: Body, { type, cacheControl, replaces }: PutOptions): Promise<boolean> {
    const headers = { 'content-type': type, 'cache-control': cacheControl };
    const { conditional = true } = this.#options;
    if (!conditional && replaces !== undefined) {
      const stored = await this.get(path);
      if ((stored?.etag ?? 'none') !== replaces) return false;
    }
    for (const condition of conditional ? conditionsOf(replaces) : [{}]) {
      const more = { body, headers: { ...headers, ...condition } };
      const { status } = await this.#expect([200, 409, 412], 'PUT', path, more);
      if (status === 200) return true;
    }
    return false;
  }

  /** What is not there is gone, too. @throws IcepkgError `network-failed` */
  async remove(path: string): Promise<void> {
    await this.#expect([200, 204, 404], 'DELETE', path, {});
  }

  /** Tries again what may pass. */
  async #expect(accepted: readonly number[], method: string, path: string, more: More): Promise<Reply> {
    for (let attempt = 1; ; attempt++) {
      const reply = await this.#send(method, path, more);
      if (reply.status !== 0 && accepted.includes(reply.status)) return reply;
      if (!isPassing(reply.status) || attempt >= ATTEMPTS) throw this.#refused(path, reply);
      await sleep(200 * 2 ** attempt);
    }
  }

  async #send(method: string, path: string, more: More): Promise<Reply> {
    try {
      const { statusCode, headers, body } = await this.#request(method, path, more);
      return { status: statusCode, etag: String(headers.etag ?? ''), text: await bounded(body) };
    } catch (error) {
      if (!(error instanceof Error) || error instanceof IcepkgError) throw error;
      return { status: 0, etag: '', text: `<Code>${codeOf(error)}</Code>` };
    }
  }

  async #request(
    method: string,
    path: string,
    { body, headers = {}, query = {} }: More,
  ): Promise<Dispatcher.ResponseData> {
    const { endpoint, bucket, prefix, credentials, region } = this.#options;
    const key = path === '' ? '' : `/${encodeKey(prefix + path)}`;
    const url = new URL(`${endpoint.replace(/\/*$/, '')}/${bucket}${key}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const digest = await digestOf(body);
    // Not by its name, which a bundle of a CommonJS module does not have.
    const { request } = (await import('undici')).default;
    return request(url, {
      method: method as 'GET' | 'PUT' | 'DELETE',
      headers: {
        ...signRequest({ method, url, headers, sha256: digest }, { credentials, region, now: new Date() }),
        ...(body !== undefined && 'file' in body ? { 'content-length': String(body.size) } : {}),
      },
      body: body === undefined ? null : 'bytes' in body ? body.bytes : createReadStream(body.file),
    });
  }

  #refused(path: string, { status, text }: Reply): IcepkgError {
    const reason = /^[\w.-]{1,80}$/.exec(tagged(text, 'Code') ?? '')?.[0];
    const answer = status === 0 ? 'no answer' : `the store answers ${status}`;
    return new IcepkgError(
      'network-failed',
      `${this.addressOf(path)}: ${answer}${reason === undefined ? '' : ` (${reason})`}`,
      {
        hint: 'Check AWS_ENDPOINT_URL, AWS_REGION and the credentials in the environment, and that the bucket is there',
      },
    );
  }
}

const isPassing = (status: number): boolean => status === 0 || status === 429 || status >= 500;

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.name);

/** A tag stands in quotes, but Ceph compares it with its own, which has none. */
function conditionsOf(replaces: string | undefined): readonly Readonly<Record<string, string>>[] {
  if (replaces === undefined) return [{}];
  if (replaces === 'none') return [{ 'if-none-match': '*' }];
  return [{ 'if-match': replaces }, { 'if-match': replaces.replaceAll('"', '') }];
}

interface More {
  readonly body?: Body;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
}

async function digestOf(body: Body | undefined): Promise<string> {
  if (body === undefined) return EMPTY_SHA256;
  return 'bytes' in body ? sha256(body.bytes) : hashFile(body.file).sha256;
}

async function bounded(answer: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answer) {
    size += part.length;
    if (size > MOST_METADATA_BYTES) throw endless('answers without an end');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

const endless = (what: string): IcepkgError =>
  new IcepkgError('network-failed', `the store ${what}`, {
    hint: 'Check that AWS_ENDPOINT_URL names an object store that speaks S3',
  });

const tagged = (text: string, tag: string): string | undefined =>
  new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1];

/**
 * @param address `s3://BUCKET/PREFIX`
 * @param env AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL
 * @throws IcepkgError `usage`
 */
export function openStore(
  address: string,
  env: Readonly<Record<string, string | undefined>>,
  of: Pick<StoreOptions, 'conditional'> = {},
): ObjectStore {
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,62})(?:\/(.*))?$/.exec(address) ?? [];
  if (bucket === undefined) {
    throw new IcepkgError('usage', `${JSON.stringify(address)} is no place in an object store`, {
      hint: 'Give s3://BUCKET or s3://BUCKET/PREFIX',
    });
  }
  const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_SESSION_TOKEN } = env;
  if (accessKey === undefined || secretKey === undefined) {
    throw new IcepkgError('usage', 'no credentials for the object store', {
      hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment',
    });
  }
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const trimmed = prefix.replace(/^\/+|\/+$/g, '');
  return new ObjectStore({
    endpoint: env['AWS_ENDPOINT_URL'] ?? `https://s3.${region}.amazonaws.com`,
    region,
    credentials: {
      accessKey,
      secretKey,
      ...(AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }),
    },
    bucket,
    prefix: trimmed === '' ? '' : `${trimmed}/`,
    ...of,
  });
}
