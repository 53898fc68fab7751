/** Addresses inside the pages of one repository: relative, so that they hold below any name and behind any proxy. */
import { DEFAULT_CHANNEL } from '../layout.ts';

export type Query = Readonly<Record<string, string | number | undefined>>;

export class Links {
  readonly #base: string;
  readonly #channel: string;

  /**
   * @param path of the page that the links are on, below the repository: `/package/zlib`
   * @param channel goes on with the links unless it is the default one
   */
  constructor(path: string, channel: string) {
    this.#base = '../'.repeat(Math.max(0, path.split('/').length - 2)) || './';
    this.#channel = channel;
  }

  /** A file of the repository, or what belongs to all pages. */
  file(path: string): string {
    return this.#base + path.split('/').map(encodeURIComponent).join('/');
  }

  page(path: string, query: Query = {}): string {
    const channel = this.#channel === DEFAULT_CHANNEL ? undefined : this.#channel;
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries<string | number | undefined>({ channel, ...query }))
      if (value !== undefined && value !== '') search.set(key, String(value));
    return `${this.file(path)}${search.size === 0 ? '' : `?${search.toString()}`}`;
  }

  package(name: string, query: Query = {}): string {
    return this.page(`package/${name}`, query);
  }
}
