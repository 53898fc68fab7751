/** HTTP and HTTPS mirrors: bounded redirects, a time limit for answers and a least rate for bodies. */
import type * as http from 'node:http';
import { UNPRINTABLE } from '#schema/fields';
import type { NetworkConfig } from '../config.ts';
import { networkError, transient, type GetRequest, type Reply, type Transport } from './transport.ts';

const MAX_REDIRECTS = 5;
const USER_AGENT = 'icepkg';

type Limits = Pick<NetworkConfig, 'timeout' | 'minimumRate'>;
interface Client {
  readonly request: typeof http.request;
  readonly agent: http.Agent;
}

/** @param base address of the folder that paths are relative to */
export function httpTransport(base: string, limits: Limits): Transport {
  const root = base.replace(/\/*$/, '/');
  const clients = new Map<string, Promise<Client>>();
  const clientFor = (protocol: string): Promise<Client> => {
    const known = clients.get(protocol);
    if (known !== undefined) return known;
    const made = loadClient(protocol);
    clients.set(protocol, made);
    return made;
  };
  return {
    addressOf: (path) => withoutSecrets(root + path),
    get: (path, request = {}) => follow(new URL(root + path), request, { limits, clientFor }),
    close: () => {
      for (const client of clients.values()) void client.then(({ agent }) => agent.destroy());
    },
  };
}

/** Loaded with the first request, so that nobody else pays for it. */
async function loadClient(protocol: string): Promise<Client> {
  const { request, Agent } = protocol === 'https:' ? await import('node:https') : await import('node:http');
  return { request, agent: new Agent({ keepAlive: true, maxSockets: 8 }) };
}

interface Means {
  readonly limits: Limits;
  readonly clientFor: (protocol: string) => Promise<Client>;
}

async function follow(first: URL, request: GetRequest, means: Means): Promise<Reply | undefined> {
  let url = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await send(url, request, means);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
      return accept(url, response, request, means.limits);
    }
    response.destroy();
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

async function send(
  url: URL,
  { offset, ifRange, signal }: GetRequest,
  means: Means,
): Promise<http.IncomingMessage> {
  const { request, agent } = await means.clientFor(url.protocol);
  const headers: Record<string, string> = { 'user-agent': USER_AGENT, 'accept-encoding': 'identity' };
  if (offset !== undefined && offset > 0) {
    headers['range'] = `bytes=${offset}-`;
    if (ifRange !== undefined) headers['if-range'] = ifRange;
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers, ...(signal === undefined ? {} : { signal }) });
    const timer = setTimeout(() => {
      sent.destroy(transient(`${shown(url)}: no answer within ${means.limits.timeout} seconds`));
    }, means.limits.timeout * 1000);
    const settle = (): void => clearTimeout(timer);
    sent.once('response', (response) => {
      settle();
      resolve(response);
    });
    sent.once('error', (error) => {
      settle();
      reject(networkErrorOf(url, error));
    });
    sent.end();
  });
}

/** Tells from status and headers what the body is; anything unexpected is refused before a byte is used. */
function accept(
  url: URL,
  response: http.IncomingMessage,
  { offset = 0 }: GetRequest,
  limits: Limits,
): Reply | undefined {
  const refuse = (error: Error): never => {
    response.destroy();
    throw error;
  };
  const status = response.statusCode ?? 0;
  if (status === 404 || status === 410 || status === 403) {
    response.resume();
    return undefined;
  }
  if (status >= 500 || status === 408 || status === 429) {
    const wait = waitOf(response.headers['retry-after']);
    const plea = wait === 0 ? '' : ` and asks to wait ${wait} seconds`;
    return refuse(transient(`${shown(url)}: the server answers ${status}${plea}`, undefined, wait));
  }
  if (status === 416) return refuse(new RangeRefused(`${shown(url)}: the server refuses the range`));
  if (status !== 200 && status !== 206)
    return refuse(networkError(`${shown(url)}: the server answers ${status}`));
  const encoding = response.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return refuse(
      networkError(
        `${shown(url)}: the server sends ${printable(encoding)} though plain bytes were asked for`,
      ),
    );
  }
  if (response.headers['content-type']?.startsWith('text/html') === true) {
    return refuse(networkError(`${shown(url)}: the server answers with a web page, not with the file`));
  }
  const length = sizeOf(response.headers['content-length']);
  const body = bodyOf(url, response, limits);
  const etag = strongTag(response.headers.etag);
  if (status === 200) return { offset: 0, total: length, etag, body };
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
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
async function* bodyOf(url: URL, response: http.IncomingMessage, limits: Limits): AsyncGenerator<Uint8Array> {
  let inWindow = 0;
  const timer = setInterval(() => {
    if (inWindow < Math.max(1, limits.minimumRate * limits.timeout)) {
      response.destroy(transient(`${shown(url)}: slower than ${limits.minimumRate} bytes a second`));
    }
    inWindow = 0;
  }, limits.timeout * 1000);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      inWindow += chunk.length;
      yield chunk;
    }
    if (!response.complete) throw transient(`${shown(url)}: the connection ended early`);
  } catch (error) {
    throw networkErrorOf(url, error);
  } finally {
    clearInterval(timer);
    response.destroy();
  }
}

function networkErrorOf(url: URL, error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'IcepkgError' || error.name === 'AbortError') return error;
  const code = 'code' in error ? String(error.code) : error.message;
  const reason: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'the connection was reset',
    ENOTFOUND: 'no such host',
    EAI_AGAIN: 'the name cannot be resolved now',
    ETIMEDOUT: 'the connection timed out',
  };
  const message = `${shown(url)}: ${reason[code] ?? printable(code)}`;
  return transient(message, error);
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
