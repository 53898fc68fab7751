import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';

export default class RepoServe extends BaseCommand {
  static override summary = 'Serve a repository over HTTP';
  static override description = `Prints its address once it accepts requests, and runs until SIGINT or SIGTERM. Any other server of static files
does as well. The address is loopback unless --host says otherwise; /health tells what is published.`;
  static override examples = [
    'icepkg repo serve ./repo --port 8080',
    'icepkg repo serve ./repo --host 0.0.0.0 --port 80',
  ];
  static override args = {
    repository: Args.string({ required: true, description: 'folder of the repository' }),
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
    verbose: Flags.boolean({ char: 'v', summary: 'print each request on stderr' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RepoServe);
    const { serve } = await import('#repo-server/serve');
    // Listened for first, so that a signal right after the address was printed is not lost.
    const stopped = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    const server = await serve(args.repository, {
      host: flags.host,
      port: flags.port,
      onError: (error) =>
        this.remark(`a request failed: ${error instanceof Error ? error.message : String(error)}`),
      ...(flags.verbose
        ? { onRequest: ({ method, path, status }) => this.remark(`${status} ${method} ${path}`) }
        : {}),
    });
    if (this.jsonEnabled()) process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
    this.print(`serving ${args.repository} at ${server.url}`);
    await stopped;
    await server.close();
    return { url: server.url, closed: true };
  }
}
