/** What a channel served over time, and what differs between two of its snapshots. */
import type { IndexDiff } from '../index-diff.ts';
import type { ServedState } from './chronicle.ts';
import { moment, sizeText } from './figures.ts';
import { markup, type Html, type Part } from './html.ts';
import { cut, pager } from './paging.ts';
import { channelLinks, type PageContent, type Scene } from './shell.ts';
import { table, type Column } from './table.ts';

const STATES_PER_PAGE = 50;
const CHANGES_PER_PAGE = 100;

/** A state that has a number; only those can be asked for. */
export interface Snapshot extends ServedState {
  readonly number: number;
}

export const snapshotsIn = (states: readonly ServedState[]): readonly Snapshot[] =>
  states.flatMap((state) => (state.number === undefined ? [] : [{ ...state, number: state.number }]));

/** @param snapshots newest first */
export function snapshotsPage(scene: Scene, snapshots: readonly Snapshot[]): PageContent {
  const { channel, links, query } = scene;
  const part = cut(snapshots, query.get('page'), STATES_PER_PAGE);
  const columns: readonly Column<Snapshot>[] = [
    {
      label: 'Snapshot',
      cell: ({ number }) => markup`<a href="${links.page(`snapshots/${number}`)}">Snapshot ${number}</a>`,
    },
    { label: 'Served since', cell: ({ at }) => moment(at) },
    { label: 'Message', kind: 'wide', cell: ({ message }) => message },
  ];
  return {
    title: 'Snapshots',
    section: 'snapshots',
    body: markup`<h1>Snapshots</h1>
<p class="lead">Every publish that changes something is kept under a number. The newest is what ${channel.name} serves.</p>
${channelLinks(scene, 'snapshots')}
${snapshots.length > 1 && compareForm(scene, snapshots)}
${table(`What ${channel.name} served, newest first`, columns, part.rows)}
${pager(part, (page) => links.page('snapshots', page))}`,
  };
}

function compareForm({ channel, links }: Scene, snapshots: readonly Snapshot[]): Html {
  const select = (name: string, label: string, chosen: number | undefined): Html => markup`<div>
<label for="${name}">${label}</label>
<select id="${name}" name="${name}">${[...new Set(snapshots.map(({ number }) => number))].map(
    (number) => markup`<option${number === chosen && markup` selected`}>${number}</option>`,
  )}</select></div>`;
  return markup`<form class="compare" action="${links.file('difference')}" method="get" aria-label="Compare two snapshots">
<input type="hidden" name="channel" value="${channel.name}">
<div class="fields">${select('from', 'From snapshot', snapshots[1]?.number)}
${select('to', 'To snapshot', snapshots[0]?.number)}
<button>Show what changed</button></div>
</form>`;
}

/** @param from absent for the first snapshot that is kept */
export function differencePage(
  { links, query }: Scene,
  {
    from,
    to,
    diff,
  }: { readonly from: Snapshot | undefined; readonly to: Snapshot; readonly diff: IndexDiff },
): PageContent {
  const changes = changesIn(diff);
  const part = cut(changes, query.get('page'), CHANGES_PER_PAGE);
  const title = from === undefined ? `Snapshot ${to.number}` : `From snapshot ${from.number} to ${to.number}`;
  const columns: readonly Column<Change>[] = [
    { label: 'Package', cell: ({ name }) => markup`<a href="${links.package(name)}">${name}</a>` },
    { label: 'Change', cell: ({ kind }) => kind },
    { label: 'Before', cell: ({ before }) => before },
    { label: 'After', cell: ({ after }) => after },
    { label: 'Architecture', cell: ({ arch }) => arch },
  ];
  const nothing = markup`<p>Nothing: both hold the same packages.</p>`;
  return {
    title,
    section: 'snapshots',
    body: markup`<h1>${title}</h1>
<p class="lead">${to.message}</p>
<dl class="facts"><dt>Served since</dt><dd>${moment(to.at)}</dd>
<dt>Changes</dt><dd>${summaryOf(diff)}</dd>
<dt>To download</dt><dd>${sizeText(diff.newBytes)} in new packages</dd></dl>
<h2>What changed</h2>
${changes.length === 0 ? nothing : table('Packages that differ', columns, part.rows)}
${pager(part, (more) => links.page('difference', { from: from?.number, to: to.number, ...more }))}
<p><a href="${links.page('snapshots')}">All snapshots</a></p>`,
  };
}

interface Change {
  readonly name: string;
  readonly arch: string;
  readonly kind: string;
  readonly before?: string;
  readonly after?: string;
}

const changesIn = ({ added, removed, upgraded, downgraded }: IndexDiff): Change[] => [
  ...upgraded.map(({ name, arch, from, to }) => ({
    name,
    arch,
    before: from,
    after: to,
    kind: kindOf(from, to),
  })),
  ...downgraded.map(({ name, arch, from, to }) => ({ name, arch, before: from, after: to, kind: 'older' })),
  ...added.map(({ name, arch, version }) => ({ name, arch, after: version, kind: 'new' })),
  ...removed.map(({ name, arch, version }) => ({ name, arch, before: version, kind: 'removed' })),
];

/** Equal where only older versions came or went. */
const kindOf = (from: string, to: string): string => (from === to ? 'older versions' : 'newer');

function summaryOf({ added, removed, upgraded, downgraded }: IndexDiff): Part {
  const parts = [
    [added.length, 'new'],
    [upgraded.length, 'newer'],
    [downgraded.length, 'older'],
    [removed.length, 'removed'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return said.length === 0 ? 'none' : said.join(', ');
}

export function noSuchSnapshot({ channel, links }: Scene): PageContent {
  return {
    status: 404,
    title: 'No such snapshot',
    section: 'snapshots',
    body: markup`<h1>No such snapshot</h1>
<p>The channel ${channel.name} never served it, or it is not kept any more. <a href="${links.page('snapshots')}">All snapshots</a></p>`,
  };
}
