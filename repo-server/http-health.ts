/** The health report of a served repository. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { IcepkgError } from '#schema/error';
import { channelsOf, CONFIG_FILE, metadataFolder, POOL_FILE } from './layout.ts';
import { repositoryStatus, type RepositoryStatus } from './status.ts';

export interface RepositoryHealth {
  readonly status: 'ok' | 'expired' | 'unsigned' | 'unreadable';
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
  /** Every role by the keys that the root names; not so from a change of keys until the next publish. */
  readonly signed: boolean;
  readonly roles: readonly { readonly role: string; readonly expires: string }[];
}

/** What is published, read anew only after something was. */
export class HealthReport {
  readonly #root: string;
  #known: { readonly of: string; readonly status: RepositoryStatus } | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Anything but `ok` where clients refuse what is published. */
  report(now: Date = new Date()): RepositoryHealth {
    const { name, channels } = this.#current();
    const channelReports = channels.map(({ channel, snapshot, packages, roles }): ChannelHealth => {
      const timestamp = roles.find(({ role }) => role === 'timestamp');
      return {
        channel,
        snapshot: snapshot ?? null,
        packages: packages.length,
        version: timestamp?.version ?? null,
        expires: timestamp?.expires ?? null,
        expired: roles.some(({ expires }) => Date.parse(expires) <= now.getTime()),
        signed: roles.every(({ signed }) => signed),
        roles: roles.map(({ role, expires }) => ({ role, expires })),
      };
    });
    return { status: statusOf(channelReports), name, channels: channelReports };
  }

  #current(): RepositoryStatus {
    const of = this.#stamp();
    if (this.#known?.of !== of) this.#known = { of, status: this.#read() };
    return this.#known.status;
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

function statusOf(channels: readonly ChannelHealth[]): RepositoryHealth['status'] {
  if (channels.length === 0) return 'unreadable';
  if (channels.some(({ signed }) => !signed)) return 'unsigned';
  return channels.some(({ expired }) => expired) ? 'expired' : 'ok';
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
}
