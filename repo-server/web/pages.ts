/** Which address is which page. */
import { DEFAULT_CHANNEL } from '../layout.ts';
import { Chronicle, type Arrival, type Told } from './chronicle.ts';
import { STYLE_PATH } from './assets.ts';
import type { ChannelView, Library, RepositoryView } from './library.ts';
import { Links } from './links.ts';
import { homePage } from './page-home.ts';
import { noSuchPackage, packagePage, recordAsked } from './page-package.ts';
import { HTML_TYPE, nothingPublished } from './page-plain.ts';
import { searchPage } from './page-search.ts';
import type { Drawn } from './sheet.ts';
import { renderPage, type PageContent, type Scene } from './shell.ts';

/** What is known of one repository. */
export interface Shelf {
  readonly library: Library;
  /** By channel. */
  readonly chronicles: Map<string, Chronicle>;
}

export interface PageRequest {
  readonly shelf: Shelf;
  readonly view: RepositoryView;
  /** Below the repository. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Of the server, for feeds. */
  readonly origin: string | undefined;
}

type Draw = (scene: Scene, request: PageRequest, name: string) => Promise<Drawn>;

const PAGES: readonly (readonly [RegExp, Draw])[] = [
  [/^\/(?:index\.html)?$/, drawHome],
  [/^\/search$/, async (scene) => page(scene, searchPage(scene))],
  [/^\/package\/([^/]{1,512})$/, drawPackage],
];

export const isPage = (path: string): boolean => PAGES.some(([form]) => form.test(path));

/** Draws the page that `isPage` knows. */
export async function drawPage(request: PageRequest): Promise<Drawn> {
  const { view, path, query } = request;
  const asked = query.get('channel');
  const channel = view.channels.find(({ name }) => asked === null || name === asked);
  const links = new Links(path, channel?.name ?? DEFAULT_CHANNEL);
  if (channel === undefined) return nothingPublished(view.name, links.file(STYLE_PATH));
  const scene = { view, channel, links, query };
  for (const [form, draw] of PAGES) {
    const match = form.exec(path);
    if (match !== null) return draw(scene, request, match[1] ?? '');
  }
  throw new RangeError(`${path} is no page`);
}

const page = (scene: Scene, content: PageContent, passing = false): Drawn => ({
  status: content.status ?? 200,
  type: HTML_TYPE,
  body: renderPage(scene, content),
  passing,
});

function tell({ chronicles, library }: Shelf, { name, metadata }: ChannelView): Promise<Told> {
  const chronicle = chronicles.get(name) ?? new Chronicle(library.root, name);
  chronicles.set(name, chronicle);
  return chronicle.told(metadata.targets?.signed.version ?? 0);
}

async function drawHome(scene: Scene, { shelf }: PageRequest): Promise<Drawn> {
  const { arrivals, complete } = await tell(shelf, scene.channel);
  return page(scene, homePage(scene, arrivals), !complete);
}

async function drawPackage(scene: Scene, { shelf, view }: PageRequest, encoded: string): Promise<Drawn> {
  const name = decoded(encoded);
  const one = scene.channel.catalogue.packages.get(name);
  if (one === undefined) return page(scene, noSuchPackage(scene, name), true);
  const record = recordAsked(one, scene.query);
  const arrivals = new Map<string, Arrival>();
  let complete = true;
  for (const channel of view.channels) {
    const told = await tell(shelf, channel);
    complete &&= told.complete;
    for (const arrival of told.byName.get(name) ?? []) arrivals.set(arrival.record.package.path, arrival);
  }
  return page(scene, packagePage(scene, { one, record, arrivals }), !complete);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}
