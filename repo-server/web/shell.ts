/** What every page has around its content: the head, the bar with search, and the foot. */
import { SCRIPT_PATH, STYLE_PATH } from './assets.ts';
import { counted } from './figures.ts';
import { markup, type Html, type Part } from './html.ts';
import type { ChannelView, RepositoryView } from './library.ts';
import type { Links } from './links.ts';

/** What a page is drawn from. */
export interface Scene {
  readonly view: RepositoryView;
  readonly channel: ChannelView;
  readonly links: Links;
  readonly query: URLSearchParams;
}

export interface PageContent {
  readonly status?: number;
  readonly title: string;
  /** The entry in the bar that stands for it. */
  readonly section?: Section;
  /** What the field for searching holds. */
  readonly searched?: string;
  readonly body: Html;
}

const SECTIONS = ['packages', 'files', 'snapshots', 'trust'] as const;
type Section = (typeof SECTIONS)[number];
const LABELS = { packages: 'Packages', files: 'Files', snapshots: 'Snapshots', trust: 'Trust' } as const;
const ADDRESSES = { packages: 'search', files: 'files', snapshots: 'snapshots', trust: 'trust' } as const;

export function renderPage(scene: Scene, content: PageContent): string {
  const { view, channel, links } = scene;
  const title = content.title === view.name ? view.name : `${content.title} · ${view.name}`;
  const [atom, json] = [links.page('feed.atom'), links.page('feed.json')];
  const number =
    channel.number !== undefined &&
    markup`, <a href="${links.page('snapshots')}">snapshot ${channel.number}</a>`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="${links.file(STYLE_PATH)}">
<link rel="alternate" type="application/atom+xml" title="New packages in ${channel.name}" href="${atom}">
<link rel="alternate" type="application/feed+json" title="New packages in ${channel.name}" href="${json}">
<script src="${links.file(SCRIPT_PATH)}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<div class="bar">
<a class="brand" href="${links.page('')}">${view.name}</a>
<nav aria-label="Site"><ul>${SECTIONS.map((one) => sectionLink(links, one, content.section))}</ul></nav>
</div>
${searchForm(scene, content.searched ?? '')}
</header>
<main id="main" tabindex="-1">
${problemList([...view.problems, ...channel.problems])}
${content.body}
</main>
<footer>
<p>${counted(channel.catalogue.packages.size, 'package')} in ${channel.name}${number}.
New ones as <a href="${atom}">Atom</a> or <a href="${json}">JSON</a> feed.</p>
</footer>
</body>
</html>
`.text;
}

function sectionLink(links: Links, section: Section, current: Section | undefined): Html {
  const mark = section === current && markup` aria-current="page"`;
  return markup`<li><a href="${links.page(ADDRESSES[section])}"${mark}>${LABELS[section]}</a></li>`;
}

function searchForm({ view, channel, links }: Scene, searched: string): Html {
  return markup`<form class="search" role="search" action="${links.file('search')}" method="get" data-live>
<label for="q">Search packages</label>
<div class="fields">
<input type="search" id="q" name="q" value="${searched}" maxlength="200" autocomplete="off" autocapitalize="none" spellcheck="false">
${channelField(view.channels, channel)}
<button>Search</button>
</div>
<p class="unseen" role="status"></p>
</form>`;
}

/** For forms; nothing where there is no choice. */
export function channelField(channels: readonly ChannelView[], chosen: ChannelView): Part {
  if (channels.length < 2) return undefined;
  const options = channels.map(
    ({ name }) => markup`<option${name === chosen.name && markup` selected`}>${name}</option>`,
  );
  return markup`<select name="channel" aria-label="Channel">${options}</select>`;
}

/** The same page of another channel; nothing where there is no choice. @param path of the page */
export function channelLinks({ view, channel, links }: Scene, path: string): Part {
  if (view.channels.length < 2) return undefined;
  const items = view.channels.map(({ name }) => {
    const mark = name === channel.name && markup` aria-current="true"`;
    return markup`<li><a href="${links.page(path, { channel: name })}"${mark}>${name}</a></li>`;
  });
  return markup`<nav class="channels" aria-label="Channel"><ul>${items}</ul></nav>`;
}

function problemList(problems: readonly string[]): Part {
  if (problems.length === 0) return undefined;
  const items = problems.slice(0, 5).map((problem) => markup`<li>${problem}.</li>`);
  return markup`<div class="warning" role="note"><h2>To look after</h2><ul>${items}</ul></div>`;
}
