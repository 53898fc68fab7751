/** The HTTP server below the routes: its bounds and timeouts, its certificate, and where it listens. */
import * as fs from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { IcepkgError, isErrno } from '#schema/error';
import { refuse } from './http-answer.ts';
import type { TlsIdentity } from './tls.ts';

const HEADER_BOUNDS = { maxHeaderSize: 16 * 1024, headersTimeout: 15_000 } as const;
const KEEP_ALIVE_MS = 15_000;
/** What sends no byte for so long is gone, or wants to hold the connection. */
const SILENCE_MS = 60_000;
const MOST_REQUESTS_PER_SOCKET = 10_000;

/** Open files that are left for everything else. */
const SPARE_FILES = 256;
const MOST_CONNECTIONS = 65_536;

/**
 * How many clients can be connected at once, as the system bounds open files (`ulimit -n`; Node takes all that the hard limit
 * allows). A quarter is left for what they are sent, each file open once.
 */
export function mostConnections(): number {
  const limits = fs.readFileSync('/proc/self/limits', 'latin1');
  const files = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? MOST_CONNECTIONS * 2);
  return Math.max(64, Math.min(MOST_CONNECTIONS, Math.floor((files - SPARE_FILES) * 0.75)));
}

/** @param identity over HTTPS with it, else over HTTP */
export async function newApp(identity?: TlsIdentity): Promise<FastifyInstance> {
  const fastify = await loadFastify();
  return fastify({
    http: HEADER_BOUNDS,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionTimeout: SILENCE_MS,
    maxRequestsPerSocket: MOST_REQUESTS_PER_SOCKET,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 16 * 1024 },
    exposeHeadRoutes: true,
    frameworkErrors: (_error, _request, reply) => {
      reply.hijack();
      refuse(reply.raw, 400);
    },
    ...(identity === undefined
      ? {}
      : { serverFactory: (handler: RequestListener) => tlsServer(handler, identity) }),
  });
}

function tlsServer(handler: RequestListener, { cert, key }: TlsIdentity): TlsServer {
  const options = { ...HEADER_BOUNDS, cert, key, minVersion: 'TLSv1.2', handshakeTimeout: 15_000 } as const;
  const server = createServer(options, handler);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = 0;
  server.setTimeout(SILENCE_MS);
  server.maxRequestsPerSocket = MOST_REQUESTS_PER_SOCKET;
  return server;
}

/** Connections that come from now on see this certificate; those that are there go on. */
export function useIdentity({ server }: FastifyInstance, { cert, key }: TlsIdentity): void {
  (server as TlsServer).setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
}

/** A device can have icepkg without what serves repositories. */
async function loadFastify(): Promise<typeof Fastify> {
  try {
    return (await import('fastify')).default;
  } catch (error) {
    if (!isErrno(error, 'ERR_MODULE_NOT_FOUND')) throw error;
    throw new IcepkgError('not-found', 'fastify is not installed, which serves repositories', {
      hint: 'On a device: icepkg install icepkg-fastify; in a clone: npm ci',
    });
  }
}

export async function listen(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    await app.close();
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new IcepkgError('io-failed', `cannot listen on ${host}:${port} (${why})`, {
      hint: 'Choose another one with --port, or 0 for any that is free',
      cause,
    });
  }
}

/** `HOST:PORT` behind the scheme, without a slash at the end. */
export function addressOf({ server }: FastifyInstance): string {
  const { address, port, family } = server.address() as AddressInfo;
  const scheme = 'setSecureContext' in server ? 'https' : 'http';
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
