/**
 * Repositories over HTTP: static files with ranges and conditions, reports, and uploads for whom a token allows them. It
 * is the convenient way and never the only one; clients check every byte and trust neither this server nor any other.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { IcepkgError } from '#schema/error';
import type { PrivateKey } from '#schema/keys';
import { AccessLog } from './access-log.ts';
import { prepareCache, PullThrough, type CacheOptions, type Unavailable } from './cache/pull-through.ts';
import { HotFiles } from './hot-files.ts';
import { sendFile } from './http-file.ts';
import { answer, refuse, type FilesAtHand } from './http-answer.ts';
import { addressOf, listen, mostConnections, newApp, useIdentity } from './http-app.ts';
import { RateLimit } from './http-limits.ts';
import { decodeRequestPath } from './http-path.ts';
import { Metrics, type Gauge } from './http-metrics.ts';
import { openSites, siteOf, type Site, type Sites } from './sites.ts';
import { Renewal } from './renewal.ts';
import { SharedFiles } from './shared-files.ts';
import { readTlsIdentity, type TlsFiles, type TlsIdentity } from './tls.ts';
import { uploadRoutes } from './upload-routes.ts';
import { Web } from './web/web.ts';
import { Courier } from './webhooks/courier.ts';

export interface ServeOptions {
  /** Loopback unless the operator says otherwise. */
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port?: number;
  /** Where metrics are, on loopback; nowhere without. */
  readonly metricsPort?: number;
  /** Over HTTPS with these, which `reload` reads again; metrics stay on HTTP. */
  readonly tls?: TlsFiles;
  /** Keys of the role timestamp, which is signed anew in time; with all keys of a channel, uploads can be published. */
  readonly keys?: readonly PrivateKey[];
  readonly accessLog?: string;
  /** Requests a second that one address may send, ten times as many at once; no bound without. */
  readonly rateLimit?: number;
  /** Bytes of a package that is uploaded. */
  readonly maxUpload?: number;
  /** The one repository is a cache before another one. */
  readonly cache?: CacheOptions;
  /** Whether there are pages for people; unless said otherwise there are. */
  readonly web?: boolean;
  /** Called with each request once it was answered. */
  readonly onRequest?: (line: RequestLine) => void;
  /** Called with a sentence on each upload that was refused. */
  readonly onRefused?: (what: string) => void;
  /** Called with what kept a request from being answered, or a timestamp from being signed; serving goes on. */
  readonly onError?: (error: unknown) => void;
}

export interface RequestLine {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface RepositoryServer {
  /** `http://HOST:PORT` or `https://HOST:PORT`, without a slash at the end. */
  readonly url: string;
  /** Where metrics are. */
  readonly metricsUrl: string | undefined;
  /** Who comes beyond so many clients is turned away until one leaves. */
  readonly mostConnections: number;
  /**
   * Reads the settings of all repositories and the certificate again and goes on with a new access log; no connection is
   * lost. @throws IcepkgError where something cannot be read; then the former settings and certificate stay
   */
  reload(): Promise<void>;
  /** Lets running answers end, for at most a few seconds. */
  close(): Promise<void>;
}

const GRACE_MS = 5000;
const NOT_ALLOWED = { Allow: 'GET, HEAD', Connection: 'close' } as const;
const DEFAULT_MAX_UPLOAD = 1024 * 1024 * 1024;

/**
 * Starts to serve and returns once requests are accepted. Several repositories are below their names each.
 * @throws IcepkgError `usage`, `io-failed`, `not-found`
 */
export async function serve(
  repositories: string | readonly string[],
  options: ServeOptions = {},
): Promise<RepositoryServer> {
  const folders = typeof repositories === 'string' ? [repositories] : repositories;
  const [folder] = folders;
  if (options.cache !== undefined && folder !== undefined) {
    checkAlone(folders);
    prepareCache(folder, options.cache);
  }
  const server = new Server(await openSites(folders), options);
  await server.start();
  return {
    url: server.url,
    metricsUrl: server.metricsUrl,
    mostConnections: server.mostConnections,
    reload: async () => server.reload(await openSites(folders)),
    close: () => server.close(),
  };
}

function checkAlone(folders: readonly string[]): void {
  if (folders.length === 1) return;
  throw new IcepkgError('usage', 'a cache is the only repository of its server', {
    hint: 'Start a server for each upstream, with a port of its own',
  });
}

class Server {
  readonly #options: ServeOptions;
  readonly #metrics = new Metrics();
  readonly #limit: RateLimit | undefined;
  readonly #log: AccessLog | undefined;
  readonly #renewal: Renewal;
  readonly #web: Web | undefined;
  readonly #courier: Courier;
  readonly #cache: PullThrough | undefined;
  readonly #files: FilesAtHand;
  #sites: Sites;
  #app: FastifyInstance | undefined;
  #metricsApp: FastifyInstance | undefined;
  #identity: TlsIdentity | undefined;
  #closing = false;
  readonly mostConnections = mostConnections();

  constructor(sites: Sites, options: ServeOptions) {
    this.#sites = sites;
    this.#options = options;
    this.#identity = options.tls === undefined ? undefined : readTlsIdentity(options.tls);
    this.#limit = options.rateLimit === undefined ? undefined : new RateLimit(options.rateLimit);
    this.#log = options.accessLog === undefined ? undefined : new AccessLog(options.accessLog);
    this.#web =
      options.web === false
        ? undefined
        : new Web(async (path) => this.#cache?.during(path, async () => undefined));
    this.#renewal = new Renewal({
      keys: options.keys ?? [],
      repositories: () => this.#sites.all.map(({ root }) => root),
      onDone: (outcome) => this.#metrics.count('icepkg_timestamp_renewals_total', { outcome }),
      onError: (error) => options.onError?.(error),
    });
    const [first] = sites.all;
    // A cache goes by what is asked for.
    const hot = options.cache === undefined ? new HotFiles() : undefined;
    this.#files = { shared: new SharedFiles(), hot };
    this.#cache =
      options.cache === undefined || first === undefined ? undefined : this.#openCache(first, options.cache);
    this.#courier = new Courier({
      repositories: () => this.#sites.all,
      onOutcome: (repository, outcome, count) =>
        this.#metrics.count('icepkg_webhook_deliveries_total', { repository, outcome }, count),
      onError: (error) => options.onError?.(error),
    });
  }

  #openCache({ root }: Site, cache: CacheOptions): PullThrough {
    return new PullThrough(root, cache, {
      count: (name, labels, by) => this.#metrics.count(name, labels, by),
      onError: (error) => this.#options.onError?.(error),
    });
  }

  get url(): string {
    return this.#app === undefined ? '' : addressOf(this.#app);
  }

  get metricsUrl(): string | undefined {
    return this.#metricsApp === undefined ? undefined : addressOf(this.#metricsApp);
  }

  async start(): Promise<void> {
    const { host = '127.0.0.1', port = 0, metricsPort } = this.#options;
    await Promise.all([this.#renewal.start(), this.#cache?.start()]);
    this.#app = await this.#publicApp();
    await listen(this.#app, { host, port });
    this.#courier.start();
    if (metricsPort === undefined) return;
    this.#metricsApp = await this.#adminApp();
    await listen(this.#metricsApp, { host: '127.0.0.1', port: metricsPort });
  }

  reload(sites: Sites): void {
    this.#log?.reopen();
    const { tls } = this.#options;
    if (tls !== undefined && this.#app !== undefined) {
      this.#identity = readTlsIdentity(tls);
      useIdentity(this.#app, this.#identity);
    }
    this.#sites = sites;
    this.#files.hot?.clear();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#renewal.stop();
    this.#web?.close();
    const force = setTimeout(() => this.#app?.server.closeAllConnections(), GRACE_MS);
    await Promise.all([this.#app?.close(), this.#metricsApp?.close(), this.#courier.stop()]);
    await this.#cache?.close();
    clearTimeout(force);
    await this.#log?.close();
  }

  async #publicApp(): Promise<FastifyInstance> {
    const app = await newApp(this.#identity);
    app.server.maxConnections = this.mostConnections;
    app.addHook('onRequest', (request, reply, done) => {
      this.#observe(request, reply);
      const wait = this.#limit?.take(request.ip, Date.now()) ?? 0;
      // What no route is for is answered before its body is looked at.
      if (wait === 0 && !request.is404) return done();
      reply.hijack();
      if (wait === 0) return void this.#answer(request, reply);
      this.#metrics.count('icepkg_http_rate_limited_total', {});
      refuse(reply.raw, 429, { 'Retry-After': String(wait) });
    });
    const { maxUpload = DEFAULT_MAX_UPLOAD, keys = [], onError, onRefused } = this.#options;
    await uploadRoutes(app, {
      siteOf: (url) => siteOf(this.#sites, url),
      mostBytes: maxUpload,
      keys,
      count: (outcome, repository) => this.#metrics.count('icepkg_uploads_total', { repository, outcome }),
      onRefused: (what) => onRefused?.(what),
      onError: (error) => onError?.(error),
    });
    const others = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      reply.hijack();
      await this.#answer(request, reply);
    };
    app.get('/*', others);
    app.setNotFoundHandler(others);
    return app;
  }

  async #answer({ raw: request }: FastifyRequest, { raw: response }: FastifyReply): Promise<void> {
    try {
      const kept = this.#files.hot?.find(request);
      if (kept !== undefined) return await sendFile(request, response, kept);
      const url = request.url ?? '/';
      const path = url.split('?', 1)[0] ?? '/';
      const reads = request.method === 'GET' || request.method === 'HEAD';
      if (reads && path === '/ready') return refuse(response, this.#closing ? 503 : 200);
      if (reads && path === '/health' && this.#sites.prefixed) return this.#overview(response);
      if ((await this.#web?.answer(this.#sites, request, response)) === true) return;
      const found = siteOf(this.#sites, path);
      if (found === undefined) return refuse(response, reads ? 404 : 405, reads ? {} : NOT_ALLOWED);
      const send = async (why?: Unavailable): Promise<void> => {
        if (why !== undefined) return refuse(response, why, { 'Retry-After': '10' });
        return answer({
          root: found.site.root,
          health: found.site.health,
          path: found.path,
          request,
          response,
          files: this.#files,
        });
      };
      const cached = this.#cache && reads ? decodeRequestPath(found.path) : undefined;
      await (cached === undefined ? send() : this.#cache?.during(cached, send));
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response, 500);
      this.#options.onError?.(error);
    }
  }

  #overview(response: FastifyReply['raw']): void {
    const repositories = this.#sites.all.map(({ health }) => health.report());
    const well = repositories.every(({ status }) => status === 'ok');
    const body = `${JSON.stringify({ status: well ? 'ok' : 'failing', repositories })}\n`;
    response
      .writeHead(well ? 200 : 503, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
      .end(body);
  }

  #observe(request: FastifyRequest, { raw: response }: FastifyReply): void {
    const started = performance.now();
    // Taken now: a response that is over has no socket any more.
    const { socket } = request.raw;
    const sentBefore = socket.bytesWritten;
    this.#metrics.begin();
    response.on('close', () => {
      const { method = '', url = '' } = request.raw;
      const seconds = (performance.now() - started) / 1000;
      const bytes = Math.max(0, socket.bytesWritten - sentBefore);
      const status = response.statusCode;
      const repository = this.#nameOf(url);
      this.#metrics.end({ repository, method, status, bytes, seconds });
      this.#options.onRequest?.({ method, path: url, status });
      this.#log?.write({
        time: new Date().toISOString(),
        address: request.ip,
        method,
        path: url,
        status,
        bytes,
        milliseconds: Math.round(seconds * 1000),
      });
    });
  }

  #nameOf(url: string): string {
    const site: Site | undefined = siteOf(this.#sites, url.split('?', 1)[0] ?? '/')?.site;
    return site?.name ?? '';
  }

  #connections(): Promise<number> {
    return new Promise((resolve) => {
      if (this.#app === undefined) resolve(0);
      else this.#app.server.getConnections((error, count) => resolve(error === null ? count : 0));
    });
  }

  async #gauges(): Promise<readonly Gauge[]> {
    const gauges: Gauge[] = this.#courier.waiting().map(({ repository, events }) => ({
      name: 'icepkg_webhook_events_waiting',
      labels: { repository },
      value: events,
    }));
    gauges.push(
      { name: 'icepkg_http_connections', labels: {}, value: await this.#connections() },
      { name: 'icepkg_http_connections_limit', labels: {}, value: this.mostConnections },
    );
    if (this.#cache !== undefined)
      gauges.push({ name: 'icepkg_cache_bytes', labels: {}, value: this.#cache.bytes });
    if (this.#identity !== undefined) {
      const value = this.#identity.expires.getTime() / 1000;
      gauges.push({ name: 'icepkg_tls_certificate_expires_seconds', labels: {}, value });
    }
    return gauges;
  }

  async #adminApp(): Promise<FastifyInstance> {
    const app = await newApp();
    app.get('/metrics', async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(
        this.#metrics.render(
          this.#sites.all.map(({ health }) => health.report()),
          await this.#gauges(),
        ),
      ),
    );
    return app;
  }
}
