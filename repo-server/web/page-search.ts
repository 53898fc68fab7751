/** Packages that fit some words, that need a name, or all of them. */
import { dependentsOf, searchPackages, type CataloguedPackage } from './catalogue.ts';
import { counted } from './figures.ts';
import { markup, type Html, type Part } from './html.ts';
import type { Links } from './links.ts';
import { cut, pager } from './paging.ts';
import type { PageContent, Scene } from './shell.ts';

const PER_PAGE = 50;
export const MOST_SEARCHED = 200;

export function searchPage(scene: Scene): PageContent {
  const { channel, links, query } = scene;
  const searched = (query.get('q') ?? '').slice(0, MOST_SEARCHED).trim();
  const needed = query.get('needs')?.slice(0, MOST_SEARCHED);
  const found = needed === undefined ? searchPackages(channel.catalogue, searched) : needersOf(scene, needed);
  const part = cut(found, query.get('page'), PER_PAGE);
  const heading = headingOf(searched, needed);
  const files = markup`<p><a href="${links.page('files', { path: searched })}">Search the files of packages for “${searched}”</a></p>`;
  return {
    title: heading,
    section: 'packages',
    searched,
    body: markup`<h1>${heading}</h1>
<p class="soft" data-count>${counted(found.length, 'package')}</p>
${packageList(
  part.rows.map(({ name, newest }) => ({ name, description: newest.description, notes: newest.version })),
  links,
)}
${pager(part, (page) => links.page('search', { q: searched, needs: needed, ...page }))}
${searched !== '' && files}`,
  };
}

function headingOf(searched: string, needed: string | undefined): string {
  if (needed !== undefined) return `Packages that need ${needed}`;
  return searched === '' ? 'All packages' : `Packages for “${searched}”`;
}

function needersOf({ channel: { catalogue } }: Scene, name: string): readonly CataloguedPackage[] {
  const one = catalogue.packages.get(name);
  const names = one === undefined ? (catalogue.needers.get(name) ?? []) : dependentsOf(catalogue, one);
  return names.flatMap((of) => catalogue.packages.get(of) ?? []);
}

export interface ListedPackage {
  readonly name: string;
  readonly description: string | undefined;
  /** What stands at the end of the line. */
  readonly notes: Part;
}

export function packageList(packages: readonly ListedPackage[], links: Links): Html {
  return markup`<ul class="packages">
${packages.map(
  ({ name, description, notes }) =>
    markup`<li><a href="${links.package(name)}">${name}</a> <span class="version">${notes}</span> <p>${description}</p></li>\n`,
)}</ul>`;
}
