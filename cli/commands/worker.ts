import { availableParallelism, hostname } from 'node:os';
import { resolve } from 'node:path';
import { BaseCommand } from '#cli/base-command';
import { Flags } from '#cli/oclif';

/** `icepkg worker`: builds what others ask for. */
export default class Worker extends BaseCommand {
  static override summary = 'Build what others put into a queue';
  static override description = `Takes jobs that icepkg build --queue put into a queue on a Redis server, builds them in the ordinary sandbox and
brings the packages to a repository by its upload API. Any number of workers may share a queue. The job of a worker that
dies goes to another one. SIGINT or SIGTERM ends it once the job at hand is done.

Whoever may put jobs into the queue decides what is built and signed here: let nobody else reach the Redis server.`;
  static override examples = [
    'icepkg worker --queue redis://10.0.0.2:6379 --repository https://packages.example.org --token builder.token --channel beta --key packager.key',
  ];
  static override flags = {
    queue: Flags.string({ required: true, helpValue: 'URL', summary: 'Redis server that has the queue' }),
    repository: Flags.string({
      required: true,
      helpValue: 'URL',
      summary: 'address of the repository that gets the packages',
    }),
    token: Flags.string({ required: true, helpValue: 'FILE', summary: 'file with the token for uploads' }),
    channel: Flags.string({
      default: 'stable',
      helpValue: 'CHANNEL',
      summary: 'channel that gets the packages',
    }),
    publish: Flags.boolean({ summary: 'let the repository publish after each job' }),
    key: Flags.string({
      multiple: true,
      helpValue: 'FILE',
      summary: 'private key to sign the packages with',
    }),
    name: Flags.string({
      helpValue: 'NAME',
      summary: 'how it is called in messages; the name of the machine without',
    }),
    cache: Flags.string({ helpValue: 'DIR', summary: 'folder for sources, logs and built packages' }),
    jobs: Flags.integer({ char: 'j', min: 1, helpValue: 'N', summary: 'parallel jobs of make' }),
    parallel: Flags.integer({ min: 1, default: 1, helpValue: 'N', summary: 'builds at the same time' }),
    lease: Flags.integer({
      min: 2,
      default: 30,
      helpValue: 'SECONDS',
      summary: 'after how long the job of a worker that is silent goes to another',
    }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Worker);
    const { readToken } = await import('#pkgbuild/queue/upload');
    const { runWorker } = await import('#pkgbuild/queue/work');
    const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
    const { readKeyFile } = await import('#repo-server/key-files');
    const name = flags.name ?? hostname();
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
    await runWorker({
      queue: flags.queue,
      name,
      upload: {
        url: flags.repository,
        token: readToken(flags.token),
        channel: flags.channel,
      },
      publish: flags.publish,
      cacheFolder: resolve(flags.cache ?? defaultCacheFolder()),
      keys: (flags.key ?? []).map(readKeyFile),
      jobs: flags.jobs ?? availableParallelism(),
      parallel: flags.parallel,
      lease: flags.lease,
      stop: stop.signal,
      onReady: () => this.print(`${name} waits for jobs`),
      onProgress: ({ recipe, arch, phase }) => this.remark(`${recipe} for ${arch}: ${phase}`),
      onProblem: (error) => this.remark(`failed: ${error.message}`),
    });
    return { name, ended: true };
  }
}
