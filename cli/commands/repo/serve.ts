import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { limitRateFlag, rateFromFlag } from '#cli/mirror-flags';
import { parseSize } from '#cli/size';
import type { CacheOptions } from '#repo-server/cache/pull-through';

export default class RepoServe extends BaseCommand {
  static override summary = 'Serve repositories over HTTP';
  static override description = `Prints its address once it accepts requests, and runs until SIGINT or SIGTERM; running answers may end. SIGHUP makes
it read the settings of the repositories and the certificate again and go on with a new access log. Any other server of static files
does as well. The address is loopback unless --host says otherwise.

One repository is at the top, several are below their names each: /NAME/. /health tells what is published, /ready
whether requests are taken. With --key it signs timestamps anew, well before they run out; with all keys of a channel
it publishes what is uploaded, for tokens that allow it (icepkg repo token).

With --upstream the folder is a cache before another repository: what clients ask for is fetched once, verified against
the trusted root, kept up to --cache-size and served, also while upstream cannot be reached.`;
  static override examples = [
    'icepkg repo serve ./repo --port 8080',
    'icepkg repo serve ./repo --host 0.0.0.0 --port 80 --key timestamp.key --access-log access.log',
    'icepkg repo serve ./repo --port 443 --tls-certificate fullchain.pem --tls-key privkey.pem',
    'icepkg repo serve ./cache --upstream https://packages.example.org --trust root.json --cache-size 20G',
    'icepkg repo serve ./main ./extra --metrics-port 9090 --rate-limit 50',
  ];
  static override strict = false;
  static override args = {
    repository: Args.string({ required: true, description: 'folder of a repository; several may follow' }),
  };
  static override flags = {
    host: Flags.string({ default: '127.0.0.1', helpValue: 'ADDRESS', summary: 'address to listen on' }),
    port: Flags.integer({
      char: 'p',
      min: 0,
      max: 65_535,
      default: 8080,
      helpValue: 'PORT',
      summary: 'port to listen on, 0 for any that is free',
    }),
    'tls-certificate': Flags.string({
      helpValue: 'FILE',
      summary: 'serve over HTTPS with this certificate in PEM, those between it and its authority after it',
      dependsOn: ['tls-key'],
    }),
    'tls-key': Flags.string({
      helpValue: 'FILE',
      summary: 'private key of the certificate, in PEM and without a passphrase',
      dependsOn: ['tls-certificate'],
    }),
    'metrics-port': Flags.integer({
      min: 0,
      max: 65_535,
      helpValue: 'PORT',
      summary: 'port on loopback for /metrics, in the format of Prometheus',
    }),
    key: Flags.string({
      multiple: true,
      helpValue: 'FILE',
      summary: 'private key of the role timestamp, or of all roles to publish what is uploaded',
    }),
    'access-log': Flags.string({ helpValue: 'FILE', summary: 'write a line of JSON for each request' }),
    'no-web': Flags.boolean({ summary: 'leave out the pages for people' }),
    'rate-limit': Flags.integer({
      min: 1,
      helpValue: 'N',
      summary: 'requests a second from one address, ten times as many at once',
    }),
    'max-upload': Flags.string({
      default: '1G',
      helpValue: 'SIZE',
      summary: 'how large a package may be that is uploaded, such as 500M',
    }),
    upstream: Flags.string({
      helpValue: 'URL',
      summary: 'cache the repository at this address or in this folder',
    }),
    trust: Flags.string({
      helpValue: 'FILE',
      summary: 'with --upstream: trusted root, which the first run needs',
      dependsOn: ['upstream'],
    }),
    channel: Flags.string({
      multiple: true,
      helpValue: 'CHANNEL',
      summary: 'with --upstream: channel to offer (stable)',
      dependsOn: ['upstream'],
    }),
    'cache-size': Flags.string({
      helpValue: 'SIZE',
      summary: 'with --upstream: how much to keep, such as 20G (10G)',
      dependsOn: ['upstream'],
    }),
    'limit-rate': limitRateFlag,
    verbose: Flags.boolean({ char: 'v', summary: 'print each request on stderr' }),
  };

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(RepoServe);
    const cache = await cacheOf(flags);
    const { serve } = await import('#repo-server/serve');
    const { readKeyFile } = await import('#repo-server/key-files');
    // Listened for first, so that a signal right after the address was printed is not lost.
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    const repositories = argv.map(String);
    const { 'tls-certificate': certificate, 'tls-key': tlsKey } = flags;
    const problem = (error: unknown): void =>
      this.remark(`failed: ${error instanceof Error ? error.message : String(error)}`);
    const server = await serve(repositories, {
      host: flags.host,
      port: flags.port,
      keys: (flags.key ?? []).map(readKeyFile),
      maxUpload: parseSize(flags['max-upload']),
      web: !flags['no-web'],
      ...(cache === undefined ? {} : { cache }),
      ...(certificate === undefined || tlsKey === undefined ? {} : { tls: { certificate, key: tlsKey } }),
      ...(flags['metrics-port'] === undefined ? {} : { metricsPort: flags['metrics-port'] }),
      ...(flags['access-log'] === undefined ? {} : { accessLog: flags['access-log'] }),
      ...(flags['rate-limit'] === undefined ? {} : { rateLimit: flags['rate-limit'] }),
      onRefused: (what) => this.remark(`refused: ${what}`),
      onError: problem,
      ...(flags.verbose
        ? { onRequest: ({ method, path, status }) => this.remark(`${status} ${method} ${path}`) }
        : {}),
    });
    const { url, metricsUrl, mostConnections } = server;
    process.on('SIGHUP', () => void server.reload().catch(problem));
    if (this.jsonEnabled()) process.stdout.write(`${JSON.stringify({ url, metricsUrl, mostConnections })}\n`);
    this.print(`serving ${repositories.join(', ')} at ${url}`);
    if (metricsUrl !== undefined) this.print(`metrics at ${metricsUrl}/metrics`);
    this.print(`at most ${mostConnections} clients at once, as the limit of open files allows`);
    await stopped;
    await server.close();
    return { url, closed: true };
  }
}

interface CacheFlags {
  readonly upstream?: string | undefined;
  readonly trust?: string | undefined;
  readonly channel?: string[] | undefined;
  readonly 'cache-size'?: string | undefined;
  readonly 'limit-rate'?: string | undefined;
}

async function cacheOf(flags: CacheFlags): Promise<CacheOptions | undefined> {
  if (flags.upstream === undefined) return undefined;
  const { readRootFile } = await import('#repo-server/root-change');
  return {
    from: flags.upstream,
    channels: flags.channel ?? ['stable'],
    size: parseSize(flags['cache-size'] ?? '10G'),
    ...rateFromFlag(flags['limit-rate']),
    ...(flags.trust === undefined ? {} : { trustedRoot: readRootFile(flags.trust) }),
  };
}
