/** What came into a channel lately, for feed readers: Atom (RFC 4287) and JSON Feed 1.1. */
import type { Arrival } from './chronicle.ts';
import { sizeText } from './figures.ts';
import { markup } from './html.ts';
import type { Drawn } from './sheet.ts';
import type { Scene } from './shell.ts';

const MOST_ENTRIES = 50;

export interface FeedMaterial {
  /** The latest first. */
  readonly arrivals: readonly Arrival[];
  /** Where the reader got the feed; addresses are relative where it is not known. */
  readonly address: string | undefined;
}

interface Entry {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly link: string;
  readonly at: string;
}

export function atomFeed(scene: Scene, material: FeedMaterial): Drawn {
  const entries = entriesOf(scene, material);
  const { view, channel, links } = scene;
  const body = markup`<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<id>urn:icepkg:feed:${view.name}:${channel.name}</id>
<title>New packages in ${view.name} ${channel.name}</title>
<updated>${entries[0]?.at ?? new Date(0).toISOString()}</updated>
<author><name>${view.name}</name></author>
<link rel="self" href="${absolute(material, links.page('feed.atom'))}"/>
<link rel="alternate" type="text/html" href="${absolute(material, links.page(''))}"/>
${entries.map(
  ({ id, title, text, link, at }) => markup`<entry>
<id>${id}</id>
<title>${title}</title>
<updated>${at}</updated>
<link href="${link}"/>
<summary>${text}</summary>
</entry>
`,
)}</feed>
`.text;
  return { status: 200, type: 'application/atom+xml; charset=utf-8', body };
}

export function jsonFeed(scene: Scene, material: FeedMaterial): Drawn {
  const { view, channel, links } = scene;
  const feed = {
    version: 'https://jsonfeed.org/version/1.1',
    title: `New packages in ${view.name} ${channel.name}`,
    home_page_url: absolute(material, links.page('')),
    feed_url: absolute(material, links.page('feed.json')),
    items: entriesOf(scene, material).map(({ id, title, text, link, at }) => ({
      id,
      url: link,
      title,
      content_text: text,
      date_published: at,
    })),
  };
  return { status: 200, type: 'application/feed+json; charset=utf-8', body: `${JSON.stringify(feed)}\n` };
}

const entriesOf = ({ channel, links }: Scene, material: FeedMaterial): Entry[] =>
  material.arrivals.slice(0, MOST_ENTRIES).map(({ record, at }) => {
    const { name, version, arch, description, package: file } = record;
    return {
      id: `urn:icepkg:package:${channel.name}:sha256:${file.sha256}`,
      title: `${name} ${version} for ${arch}`,
      text: [description, `Download ${sizeText(file.size)}.`].filter(Boolean).join('. '),
      link: absolute(material, links.package(name, { version, arch })),
      at,
    };
  });

const absolute = ({ address }: FeedMaterial, link: string): string =>
  address === undefined ? link : new URL(link, address).href;
