/**
 * The repository over HTTP: static files with ranges and conditions. It is the convenient way and never the only
 * one; clients check every byte and trust neither this server nor any other.
 */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { realpath } from 'node:fs/promises';
import { readRepositoryConfig } from './config.ts';
import { IcepkgError } from '#schema/error';
import { answer } from './http-answer.ts';
import { IndexPage } from './http-page.ts';

export interface ServeOptions {
  /** Loopback unless the operator says otherwise. */
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port?: number;
  /** Called with each request once it was answered. */
  readonly onRequest?: (line: RequestLine) => void;
  /** Called with what kept a request from being answered; serving goes on. */
  readonly onError?: (error: unknown) => void;
}

export interface RequestLine {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface RepositoryServer {
  /** `http://HOST:PORT`, without a slash at the end. */
  readonly url: string;
  /** Lets running answers end, for at most a few seconds. */
  close(): Promise<void>;
}

const GRACE_MS = 5000;

/** Starts to serve and returns once requests are accepted. @throws IcepkgError `usage`, `io-failed`, `not-found` */
export async function serve(repository: string, options: ServeOptions = {}): Promise<RepositoryServer> {
  const { host = '127.0.0.1', port = 0, onRequest, onError } = options;
  readRepositoryConfig(repository);
  const root = await realpath(repository);
  const page = new IndexPage(root);
  const server = http.createServer(
    { maxHeaderSize: 16 * 1024, requestTimeout: 30_000, headersTimeout: 15_000, keepAliveTimeout: 15_000 },
    (request, response) => {
      response.on('close', () => {
        const { method = '', url = '' } = request;
        onRequest?.({ method, path: url, status: response.statusCode });
      });
      answer({ root, page, request, response }).catch((error: unknown) => {
        if (response.headersSent) response.destroy();
        else response.writeHead(500, { 'Content-Length': 0, 'Cache-Control': 'no-store' }).end();
        onError?.(error);
      });
    },
  );
  server.maxRequestsPerSocket = 10_000;
  server.maxConnections = 1024;
  // What sends no byte for so long is gone, or wants to hold the connection.
  server.setTimeout(60_000, (socket) => void socket.destroy());
  await listen(server, { host, port });
  return {
    url: addressOf(server),
    close: () => close(server),
  };
}

function listen(server: http.Server, at: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const where = `${at.host}:${at.port}`;
      reject(
        new IcepkgError(
          'io-failed',
          `cannot listen on ${where} (${'code' in cause ? String(cause.code) : cause.message})`,
          {
            hint: 'Choose another one with --port, or 0 for any that is free',
            cause,
          },
        ),
      );
    });
    server.listen(at.port, at.host, () => resolve());
  });
}

function addressOf(server: http.Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function close(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), GRACE_MS);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
