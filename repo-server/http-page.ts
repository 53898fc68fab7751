/** The page and the health report of a served repository. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno, IcepkgError } from '#schema/error';
import { POOL_FILE } from './layout.ts';
import { repositoryStatus, type RepositoryStatus } from './status.ts';

export class IndexPage {
  readonly #root: string;
  #page = { of: '', html: '' };

  constructor(root: string) {
    this.#root = root;
  }

  /** A JSON report; the HTTP status is 503 where clients refuse what is published. */
  health(now: Date = new Date()): { readonly status: number; readonly body: string } {
    const { name, channels } = this.#status(now);
    const report = channels.map(({ channel, packages, roles }) => {
      const timestamp = roles.find(({ role }) => role === 'timestamp');
      return {
        channel,
        packages: packages.length,
        version: timestamp?.version ?? null,
        expires: timestamp?.expires ?? null,
        expired: roles.some(({ expired }) => expired),
      };
    });
    const expired = report.some((channel) => channel.expired);
    const state = report.length === 0 ? 'unreadable' : expired ? 'expired' : 'ok';
    return {
      status: state === 'ok' ? 200 : 503,
      body: `${JSON.stringify({ status: state, name, channels: report })}\n`,
    };
  }

  /** The list of packages, rendered anew only after the pool changed. */
  render(): string {
    const of = this.#stamp();
    if (this.#page.of !== of) this.#page = { of, html: html(this.#status(new Date())) };
    return this.#page.html;
  }

  #status(now: Date): RepositoryStatus {
    try {
      return repositoryStatus(this.#root, now);
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      return { repository: this.#root, name: 'unreadable', channels: [] };
    }
  }

  #stamp(): string {
    try {
      const { ino, mtimeMs } = statSync(join(this.#root, POOL_FILE));
      return `${ino} ${mtimeMs}`;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return 'none';
      throw error;
    }
  }
}

function html({ name, channels }: RepositoryStatus): string {
  const sections = channels.map(({ channel, packages }) => {
    const rows = packages
      .map((of) => `<tr><td>${escape(of.name)}<td>${escape(of.version)}<td>${of.arch}<td>${of.size}`)
      .join('\n');
    return `<h2>${escape(channel)}</h2>\n<table>\n<tr><th>package<th>version<th>architecture<th>bytes\n${rows}\n</table>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(name)}</title>
<style>body{font:1rem/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}td,th{text-align:left;padding:0 1rem 0 0}</style>
<h1>${escape(name)}</h1>
<p>A signed package repository. Clients need its trusted root, which must come to them by a trusted way, not from here.
${sections.join('\n')}
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign);
