/** HTTP and HTTPS mirrors: bounded redirects, a time limit for answers and a least rate for bodies. */
import * as fs from 'node:fs';
import type { Dispatcher, Pool as ConnectionPool } from 'undici';
import { IcepkgError, isErrno } from '#schema/error';
import { UNPRINTABLE } from '#schema/fields';
import type { NetworkConfig } from '../config.ts';
import { networkError, transient, type GetRequest, type Reply, type Transport } from './transport.ts';

const MAX_REDIRECTS = 5;
const USER_AGENT = 'icepkg';

type Limits = Pick<NetworkConfig, 'timeout' | 'minimumRate' | 'caFile'>;
type Response = Dispatcher.ResponseData;
type Send = (url: URL, request: GetRequest) => Promise<Response>;
interface Client {
  /** By origin: redirects may lead elsewhere. */
  readonly pools: ReadonlyMap<string, ConnectionPool>;
  readonly send: Send;
}

/** @param base address of the folder that paths are relative to */
export function httpTransport(base: string, limits: Limits): Transport {
  const root = base.replace(/\/*$/, '/');
  let client: Promise<Client> | undefined;
  const send: Send = async (url, request) => (await (client ??= openClient(limits))).send(url, request);
  return {
    addressOf: (path) => withoutSecrets(root + path),
    get: (path, request = {}) => follow(new URL(root + path), request, { limits, send }),
    close: () => void client?.then(closeAll, () => undefined),
  };
}

const closeAll = ({ pools }: Client): void => {
  for (const pool of pools.values()) void pool.destroy();
};

/** Loaded with the first request, so that nobody else pays for it, and in parts, because the whole of undici takes longer. */
async function openClient(limits: Limits): Promise<Client> {
  const { default: Pool } = await import('undici/lib/dispatcher/pool.js');
  const { default: request } = await import('undici/lib/api/api-request.js');
  const timeout = limits.timeout * 1000;
  const connect =
    limits.caFile === undefined ? { timeout } : { timeout, ca: await authorities(limits.caFile) };
  const options = { connections: 8, connect, headersTimeout: timeout, bodyTimeout: timeout };
  const pools = new Map<string, ConnectionPool>();
  // Not undici's Agent, which after one aborted answer opens a connection for every request.
  const poolOf = (origin: string): ConnectionPool => {
    const pool = pools.get(origin) ?? new Pool(origin, options);
    pools.set(origin, pool);
    return pool;
  };
  const send: Send = (url, wanted) =>
    request
      .call(poolOf(url.origin), {
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers: headersOf(url, wanted),
        ...(wanted.signal === undefined ? {} : { signal: wanted.signal }),
      })
      .catch((error: unknown) => {
        throw networkErrorOf(url, error, limits);
      });
  return { pools, send };
}

/** Those that are known anyway stay known. @throws IcepkgError `config-invalid` where the file cannot be read */
async function authorities(file: string): Promise<string[]> {
  const { rootCertificates } = await import('node:tls');
  try {
    const own = fs.readFileSync(file, 'latin1');
    if (own.includes('-----BEGIN CERTIFICATE-----')) return [...rootCertificates, own];
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) throw cause;
    throw badAuthorities(`${file}: the file of further authorities cannot be read (${cause.code})`, cause);
  }
  throw badAuthorities(`${file}: holds no certificate in PEM`);
}

const badAuthorities = (message: string, cause?: unknown): IcepkgError =>
  new IcepkgError('config-invalid', message, {
    hint: 'etc/icepkg/icepkg.toml names it as network.caFile',
    ...(cause === undefined ? {} : { cause }),
  });

function headersOf({ username, password }: URL, { offset = 0, ifRange }: GetRequest): Record<string, string> {
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return {
    'user-agent': USER_AGENT,
    'accept-encoding': 'identity',
    ...(username + password === '' ? {} : { authorization: `Basic ${login.toString('base64')}` }),
    ...(offset === 0 ? {} : { range: `bytes=${offset}-` }),
    ...(offset === 0 || ifRange === undefined ? {} : { 'if-range': ifRange }),
  };
}

interface Means {
  readonly limits: Limits;
  readonly send: Send;
}

async function follow(first: URL, request: GetRequest, { limits, send }: Means): Promise<Reply | undefined> {
  let url = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await send(url, request);
    const location = header(response, 'location');
    if (![301, 302, 303, 307, 308].includes(response.statusCode) || location === undefined) {
      return accept(url, response, request, limits);
    }
    void response.body.dump();
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
    if (next === undefined || !['http:', 'https:'].includes(next.protocol)) {
      throw networkError(`${shown(url)}: redirects to something that is no web address`);
    }
    if (url.protocol === 'https:' && next.protocol === 'http:') {
      throw networkError(`${shown(url)}: redirects from https to http`);
    }
    url = next;
  }
  throw networkError(`${shown(first)}: more than ${MAX_REDIRECTS} redirects`);
}

/** Tells from status and headers what the body is; anything unexpected is refused before a byte is used. */
function accept(url: URL, response: Response, { offset = 0 }: GetRequest, limits: Limits): Reply | undefined {
  const refuse = (error: Error): never => {
    response.body.on('error', () => undefined).destroy();
    throw error;
  };
  const status = response.statusCode;
  if (status === 404 || status === 410 || status === 403) {
    void response.body.dump();
    return undefined;
  }
  if (status >= 500 || status === 408 || status === 429) {
    const wait = waitOf(header(response, 'retry-after'));
    const plea = wait === 0 ? '' : ` and asks to wait ${wait} seconds`;
    return refuse(transient(`${shown(url)}: the server answers ${status}${plea}`, undefined, wait));
  }
  if (status === 416) return refuse(new RangeRefused(`${shown(url)}: the server refuses the range`));
  if (status !== 200 && status !== 206)
    return refuse(networkError(`${shown(url)}: the server answers ${status}`));
  const encoding = header(response, 'content-encoding');
  if (encoding !== undefined && encoding !== 'identity') {
    return refuse(
      networkError(
        `${shown(url)}: the server sends ${printable(encoding)} though plain bytes were asked for`,
      ),
    );
  }
  if (header(response, 'content-type')?.startsWith('text/html') === true) {
    return refuse(networkError(`${shown(url)}: the server answers with a web page, not with the file`));
  }
  const length = sizeOf(header(response, 'content-length'));
  const body = bodyOf(url, response, limits);
  const etag = strongTag(header(response, 'etag'));
  if (status === 200) return { offset: 0, total: length, etag, body };
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header(response, 'content-range') ?? '');
  const [, from, to, total] = range ?? [];
  const honest =
    Number(from) === offset && (length === undefined || Number(to) - Number(from) + 1 === length);
  if (range === null || offset === 0 || !honest) {
    return refuse(new RangeRefused(`${shown(url)}: the server answers with a range that was not asked for`));
  }
  return { offset, total: total === '*' ? undefined : Number(total), etag, body };
}

/** The file can still be had, only not from the middle. */
export class RangeRefused extends Error {
  override readonly name = 'RangeRefused';
}

/** The body, given up where it comes slower than the least rate (a dripping server) or ends early. */
async function* bodyOf(url: URL, { body }: Response, limits: Limits): AsyncGenerator<Uint8Array> {
  let inWindow = 0;
  const timer = setInterval(() => {
    if (inWindow < Math.max(1, limits.minimumRate * limits.timeout)) {
      body.destroy(transient(`${shown(url)}: ${tooSlow(limits)}`));
    }
    inWindow = 0;
  }, limits.timeout * 1000);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      inWindow += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw networkErrorOf(url, error, limits);
  } finally {
    clearInterval(timer);
  }
}

function networkErrorOf(url: URL, error: unknown, limits: Limits): unknown {
  if (!(error instanceof Error) || error.name === 'IcepkgError' || error.name === 'AbortError') return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  const untrusted = CERTIFICATE_REASONS[code];
  // Another attempt would meet the same certificate.
  if (untrusted !== undefined) return networkError(`${shown(url)}: ${untrusted}`, error);
  const noAnswer = `no answer within ${limits.timeout} seconds`;
  const reason: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'the connection was reset',
    ENOTFOUND: 'no such host',
    EAI_AGAIN: 'the name cannot be resolved now',
    ETIMEDOUT: 'the connection timed out',
    UND_ERR_CONNECT_TIMEOUT: noAnswer,
    UND_ERR_HEADERS_TIMEOUT: noAnswer,
    UND_ERR_BODY_TIMEOUT: tooSlow(limits),
    UND_ERR_SOCKET: 'the connection ended early',
  };
  return transient(`${shown(url)}: ${reason[code] ?? printable(code)}`, error);
}

const NO_AUTHORITY =
  'the certificate is of no authority that is known here (network.caFile or NODE_EXTRA_CA_CERTS name a file of further ones)';

/** Why a server is not believed to be the one that its address names. */
const CERTIFICATE_REASONS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NO_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: NO_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NO_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: NO_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: NO_AUTHORITY,
  CERT_HAS_EXPIRED: 'the certificate has expired, or the clock here is wrong',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet, or the clock here is wrong',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host',
};

const tooSlow = (limits: Limits): string => `slower than ${limits.minimumRate} bytes a second`;

function header({ headers }: Response, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** `Retry-After` in whole seconds, from a number or a date. */
function waitOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? 0 : Math.max(0, Math.ceil(seconds));
}

const sizeOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;

const strongTag = (etag: string | undefined): string | undefined =>
  etag !== undefined && etag.startsWith('"') && etag.length < 256 ? etag : undefined;

const printable = (text: string): string => text.slice(0, 200).replaceAll(new RegExp(UNPRINTABLE, 'gu'), '?');

const shown = (url: URL): string => withoutSecrets(url.href);

/** An address without user name and password, which must not reach a log. */
const withoutSecrets = (address: string): string => address.replace(/^(https?:\/\/)[^/@]*@/, '$1');
