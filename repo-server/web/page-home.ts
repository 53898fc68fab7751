/** The first page: what this repository is, and what is new in it. */
import type { Arrival } from './chronicle.ts';
import { counted, day } from './figures.ts';
import { markup, type Part } from './html.ts';
import { packageList } from './page-search.ts';
import type { PageContent, Scene } from './shell.ts';

const NEWEST = 12;

/** @param arrivals the latest first */
export function homePage(scene: Scene, arrivals: readonly Arrival[]): PageContent {
  const { view, channel, links } = scene;
  const arches = [...new Set(channel.records.map(({ arch }) => arch))].sort().join(', ');
  const lately = new Map<string, Arrival>();
  for (const arrival of arrivals) {
    if (lately.size === NEWEST) break;
    // Under each name only what came last.
    if (!lately.has(arrival.record.name)) lately.set(arrival.record.name, arrival);
  }
  const newest = [...lately.values()].map(({ record, at }) => ({
    name: record.name,
    description: record.description,
    notes: markup`${record.version} <span class="arch">${record.arch}</span> ${day(at)}`,
  }));
  return {
    title: view.name,
    body: markup`<h1>${view.name}</h1>
<p class="lead">${counted(channel.catalogue.packages.size, 'package')} for ${arches}, signed.
<a href="${links.page('search')}">See all</a>, <a href="${links.page('trust')}">whose keys sign them</a>
and <a href="${links.page('snapshots')}">what changed when</a>.</p>
${channelList(scene)}
${newest.length > 0 && markup`<h2>New in ${channel.name}</h2>${packageList(newest, links)}`}`,
  };
}

function channelList({ view, links, channel }: Scene): Part {
  if (view.channels.length < 2) return undefined;
  const items = view.channels.map(({ name, number, catalogue }) => {
    const mark = name === channel.name && markup` aria-current="true"`;
    const served = number !== undefined && `, snapshot ${number}`;
    return markup`<li><a href="${links.page('', { channel: name })}"${mark}>${name}</a>
<span class="soft">${counted(catalogue.packages.size, 'package')}${served}</span></li>`;
  });
  return markup`<h2>Channels</h2><ul class="plain">${items}</ul>`;
}
