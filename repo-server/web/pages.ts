/** Which address is which page. */
import { DEFAULT_CHANNEL } from '../layout.ts';
import { STYLE_PATH } from './assets.ts';
import { Chronicle, type Arrival, type Told } from './chronicle.ts';
import { Differences } from './differences.ts';
import { atomFeed, jsonFeed } from './feeds.ts';
import { FileIndex, readFiles } from './file-index.ts';
import { Library, type ChannelView, type Provide, type RepositoryView } from './library.ts';
import { Links } from './links.ts';
import { summarize } from './package-documents.ts';
import { filesPage, packageFilesPage, pathAsked } from './page-files.ts';
import { graphPage } from './page-graph.ts';
import { homePage } from './page-home.ts';
import { noSuchPackage, packagePage, recordAsked } from './page-package.ts';
import { HTML_TYPE, nothingPublished } from './page-plain.ts';
import { searchPage } from './page-search.ts';
import {
  differencePage,
  noSuchSnapshot,
  snapshotsIn,
  snapshotsPage,
  type Snapshot,
} from './page-snapshots.ts';
import { trustPage } from './page-trust.ts';
import type { Drawn } from './sheet.ts';
import { renderPage, type PageContent, type Scene } from './shell.ts';

/** What is known of one repository. */
export interface Shelf {
  readonly library: Library;
  /** By channel. */
  readonly chronicles: Map<string, Chronicle>;
  readonly files: FileIndex;
  readonly differences: Differences;
}

export function newShelf(root: string, provide: Provide): Shelf {
  const library = new Library(root, provide);
  return {
    library,
    chronicles: new Map(),
    files: new FileIndex(root),
    differences: new Differences(library),
  };
}

export interface PageRequest {
  readonly shelf: Shelf;
  readonly view: RepositoryView;
  /** Below the repository. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** What the reader asked for, whole, where that is known and the page needs it. */
  readonly address: string | undefined;
}

type Draw = (scene: Scene, request: PageRequest, name: string) => Promise<Drawn>;

const PAGES: readonly (readonly [RegExp, Draw])[] = [
  [/^\/(?:index\.html)?$/, drawHome],
  [/^\/search$/, async (scene) => page(scene, searchPage(scene))],
  [/^\/package\/([^/]{1,512})$/, drawPackage],
  [/^\/package\/([^/]{1,512})\/files$/, drawPackageFiles],
  [/^\/package\/([^/]{1,512})\/graph$/, drawGraph],
  [/^\/files$/, drawFiles],
  [/^\/snapshots$/, drawSnapshots],
  [/^\/snapshots\/([1-9]\d{0,8})$/, drawSnapshot],
  [/^\/difference$/, drawDifference],
  [/^\/trust$/, async (scene) => page(scene, trustPage(scene, new Date()), true)],
  [/^\/feed\.atom$/, drawFeed(atomFeed)],
  [/^\/feed\.json$/, drawFeed(jsonFeed)],
];

export const isPage = (path: string): boolean => PAGES.some(([form]) => form.test(path));

/** Draws the page that `isPage` knows. */
export async function drawPage(request: PageRequest): Promise<Drawn> {
  const { view, path, query } = request;
  const asked = query.get('channel') ?? '';
  const channel = view.channels.find(({ name }) => asked === '' || name === asked);
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
  const chronicle = chronicles.get(name) ?? new Chronicle(library, name);
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
  const files = await readFiles(shelf.library.root, record);
  const summary = await summarize(shelf.library.root, record);
  return page(scene, packagePage(scene, { one, record, arrivals, files, summary }), !complete);
}

async function drawPackageFiles(scene: Scene, { shelf }: PageRequest, encoded: string): Promise<Drawn> {
  const one = scene.channel.catalogue.packages.get(decoded(encoded));
  if (one === undefined) return page(scene, noSuchPackage(scene, decoded(encoded)), true);
  const record = recordAsked(one, scene.query);
  const files = await readFiles(shelf.library.root, record);
  return page(scene, packageFilesPage(scene, record, files ?? []));
}

async function drawGraph(scene: Scene, _: PageRequest, encoded: string): Promise<Drawn> {
  const one = scene.channel.catalogue.packages.get(decoded(encoded));
  if (one === undefined) return page(scene, noSuchPackage(scene, decoded(encoded)), true);
  return page(scene, graphPage(scene, one));
}

async function drawFiles(scene: Scene, { shelf }: PageRequest): Promise<Drawn> {
  const asked = pathAsked(scene.query);
  if (asked === '') return page(scene, filesPage(scene, undefined));
  const search = await shelf.files.search(scene.view.channels, scene.channel, asked);
  return page(scene, filesPage(scene, search), search.read < search.of);
}

async function drawSnapshots(scene: Scene, { shelf }: PageRequest): Promise<Drawn> {
  const { states, complete } = await tell(shelf, scene.channel);
  return page(scene, snapshotsPage(scene, snapshotsIn(states)), !complete);
}

async function drawSnapshot(scene: Scene, request: PageRequest, number: string): Promise<Drawn> {
  const { states } = await tell(request.shelf, scene.channel);
  const snapshots = snapshotsIn(states);
  const at = snapshots.findIndex((of) => of.number === Number(number));
  return difference(scene, request, { from: snapshots[at + 1], to: snapshots[at] });
}

async function drawDifference(scene: Scene, request: PageRequest): Promise<Drawn> {
  const { states } = await tell(request.shelf, scene.channel);
  const named = (key: string): Snapshot | undefined =>
    snapshotsIn(states).find(({ number }) => String(number) === scene.query.get(key));
  return difference(scene, request, { from: named('from'), to: named('to') });
}

async function difference(
  scene: Scene,
  { shelf: { differences } }: PageRequest,
  { from, to }: { readonly from: Snapshot | undefined; readonly to: Snapshot | undefined },
): Promise<Drawn> {
  if (to === undefined) return page(scene, noSuchSnapshot(scene), true);
  const diff = await differences.between(from?.targets ?? {}, to.targets);
  return page(scene, differencePage(scene, { from, to, diff }));
}

function drawFeed(feed: typeof atomFeed): Draw {
  return async (scene, { shelf, address }) => {
    const { arrivals, complete } = await tell(shelf, scene.channel);
    return { ...feed(scene, { arrivals, address }), passing: !complete };
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}
