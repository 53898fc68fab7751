/**
 * The pages of the repositories that are served: drawn on the server from what is published, with nothing to keep of their own.
 * What is no page is left to who serves files.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { siteOf, type FoundSite, type Sites } from '../sites.ts';
import { ASSETS } from './assets.ts';
import { repositoryList } from './page-plain.ts';
import type { Provide } from './library.ts';
import { drawPage, isPage, newShelf, type Shelf } from './pages.ts';
import { Sheet, type Drawn } from './sheet.ts';

const MOST_KEPT_BYTES = 16 * 1024 * 1024;
const LONGEST_QUERY = 2048;

export class Web {
  /** By the real path of the repository. */
  readonly #shelves = new Map<string, Shelf>();
  readonly #provide: Provide;
  /** What was drawn, the longest unused first. */
  readonly #sheets = new Map<string, Sheet>();
  #kept = 0;

  /** @param provide for a cache, which has not everything that it serves */
  constructor(provide: Provide = () => Promise.resolve()) {
    this.#provide = provide;
  }

  /** Answers what is a page. Returns false, having done nothing, where the address names none. */
  async answer(sites: Sites, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return false;
    const [whole = '/', query = ''] = splitOnce(request.url ?? '/', '?');
    if (whole === '/' && sites.prefixed) {
      new Sheet(repositoryList(sites.all.map(({ name }) => name))).send(request, response);
      return true;
    }
    const found = siteOf(sites, whole);
    if (found === undefined) return false;
    if (found.path === '/' && !whole.endsWith('/')) {
      // Links are relative, so the address of the first page ends in a slash.
      response.writeHead(308, { Location: `${found.site.name}/`, 'Content-Length': 0 }).end();
      return true;
    }
    if (!ASSETS.has(found.path) && !isPage(found.path)) return false;
    const sheet = await this.#sheetFor(found, new URLSearchParams(query.slice(0, LONGEST_QUERY)), request);
    sheet.send(request, response);
    return true;
  }

  async #sheetFor(
    { site, path }: FoundSite,
    query: URLSearchParams,
    request: IncomingMessage,
  ): Promise<Sheet> {
    const asset = ASSETS.get(path);
    if (asset !== undefined) return this.#find(path) ?? this.#keep(path, asset);
    const shelf = this.#shelf(site.root);
    const view = await shelf.library.view();
    const address = path.startsWith('/feed.') ? addressOf(request) : undefined;
    const key = `${site.root} ${view.state} ${address ?? ''} ${path}?${query.toString()}`;
    return this.#find(key) ?? this.#keep(key, await drawPage({ shelf, view, path, query, address }));
  }

  /** Ends what goes on in the background. */
  close(): void {
    for (const { files } of this.#shelves.values()) files.stop();
  }

  #shelf(root: string): Shelf {
    const shelf = this.#shelves.get(root) ?? newShelf(root, this.#provide);
    this.#shelves.set(root, shelf);
    return shelf;
  }

  #find(key: string): Sheet | undefined {
    const sheet = this.#sheets.get(key);
    if (sheet === undefined) return undefined;
    this.#sheets.delete(key);
    this.#sheets.set(key, sheet);
    return sheet;
  }

  #keep(key: string, drawn: Drawn): Sheet {
    const sheet = new Sheet(drawn);
    if (drawn.passing === true || this.#sheets.has(key)) return sheet;
    this.#sheets.set(key, sheet);
    this.#kept += sheet.size;
    for (const [old, { size }] of this.#sheets) {
      if (this.#kept <= MOST_KEPT_BYTES) break;
      this.#sheets.delete(old);
      this.#kept -= size;
    }
    return sheet;
  }
}

/** What the reader asked for, by the name that it knows this server under; `undefined` where that cannot be told safely. */
function addressOf({ headers, socket, url = '/' }: IncomingMessage): string | undefined {
  const { host = '' } = headers;
  if (!/^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$|^\[[0-9a-f:.]{2,45}\](?::\d{1,5})?$/i.test(host))
    return undefined;
  const secure = 'encrypted' in socket || headers['x-forwarded-proto'] === 'https';
  const address = `${secure ? 'https' : 'http'}://${host.toLowerCase()}${url.split('?', 1)[0] ?? '/'}`;
  return URL.canParse(address) ? address : undefined;
}

function splitOnce(text: string, sign: string): string[] {
  const at = text.indexOf(sign);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
