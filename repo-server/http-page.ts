/** The page and the health report of a served repository. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { channelsOf, CONFIG_FILE, metadataFolder, POOL_FILE } from './layout.ts';
import { repositoryStatus, type RepositoryStatus } from './status.ts';

export interface RepositoryHealth {
  readonly status: 'ok' | 'expired' | 'unreadable';
  readonly name: string;
  readonly channels: readonly ChannelHealth[];
}

export interface ChannelHealth {
  readonly channel: string;
  readonly snapshot: number | null;
  readonly packages: number;
  /** Of the timestamp. */
  readonly version: number | null;
  readonly expires: string | null;
  readonly expired: boolean;
  readonly roles: readonly { readonly role: string; readonly expires: string }[];
}

/** What is published, read anew only after something was. */
export class IndexPage {
  readonly #root: string;
  #known: { readonly of: string; readonly status: RepositoryStatus; readonly html: string } | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Anything but `ok` where clients refuse what is published. */
  health(now: Date = new Date()): RepositoryHealth {
    const { name, channels } = this.#current().status;
    const report = channels.map(({ channel, snapshot, packages, roles }): ChannelHealth => {
      const timestamp = roles.find(({ role }) => role === 'timestamp');
      return {
        channel,
        snapshot: snapshot ?? null,
        packages: packages.length,
        version: timestamp?.version ?? null,
        expires: timestamp?.expires ?? null,
        expired: roles.some(({ expires }) => Date.parse(expires) <= now.getTime()),
        roles: roles.map(({ role, expires }) => ({ role, expires })),
      };
    });
    const expired = report.some((channel) => channel.expired);
    return {
      status: report.length === 0 ? 'unreadable' : expired ? 'expired' : 'ok',
      name,
      channels: report,
    };
  }

  /** The list of packages. */
  render(): string {
    return this.#current().html;
  }

  #current(): { readonly status: RepositoryStatus; readonly html: string } {
    const of = this.#stamp();
    if (this.#known?.of !== of) {
      const status = this.#read();
      this.#known = { of, status, html: html(status) };
    }
    return this.#known;
  }

  #read(): RepositoryStatus {
    try {
      return repositoryStatus(this.#root, new Date());
    } catch (error) {
      if (!(error instanceof IcepkgError)) throw error;
      return { repository: this.#root, name: 'unreadable', channels: [] };
    }
  }

  /** Changes with everything that `#read` reads. */
  #stamp(): string {
    const files = [
      CONFIG_FILE,
      POOL_FILE,
      ...channelsOf(this.#root).flatMap((channel) =>
        ['timestamp.json', 'root.json'].map((name) => `${metadataFolder(channel)}/${name}`),
      ),
    ];
    return files.map((file) => stampOf(join(this.#root, file))).join('\n');
  }
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
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
