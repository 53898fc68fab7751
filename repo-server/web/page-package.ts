/** Everything about one package. */
import type { PackageRecord } from '#schema/index-shard';
import { nearest } from '#schema/nearest';
import type { FileEntry } from '#schema/manifest';
import { byVersion } from '../index-diff.ts';
import type { CataloguedPackage } from './catalogue.ts';
import { sizeChart } from './chart.ts';
import type { Arrival } from './chronicle.ts';
import { day, sizeText } from './figures.ts';
import { markup, webAddress, type Html, type Part } from './html.ts';
import { documentSection, type DocumentSummary } from './package-documents.ts';
import { dependencySections } from './package-links.ts';
import { filePreview } from './page-files.ts';
import { cut, pager } from './paging.ts';
import type { PageContent, Scene } from './shell.ts';
import { table } from './table.ts';

const VERSIONS_PER_PAGE = 20;

/** What was read for the page of a package, beside the index. */
export interface PackageMaterial {
  readonly one: CataloguedPackage;
  readonly record: PackageRecord;
  /** Of every channel, by path. */
  readonly arrivals: ReadonlyMap<string, Arrival>;
  /** Absent where the package cannot be read. */
  readonly files: readonly FileEntry[] | undefined;
  readonly summary: DocumentSummary;
}

/** The record that a query asks for; the newest one where it asks for none that is there. */
export function recordAsked({ records, newest }: CataloguedPackage, query: URLSearchParams): PackageRecord {
  const [version, arch] = [query.get('version'), query.get('arch')];
  const asked = records.find(
    (of) => (version === null || of.version === version) && (arch === null || of.arch === arch),
  );
  return asked ?? newest;
}

export function packagePage(scene: Scene, material: PackageMaterial): PageContent {
  const { one, record } = material;
  return {
    title: one.name,
    section: 'packages',
    body: markup`<h1>${one.name}</h1>
<p class="lead">${record.description}</p>
<div class="command"><code data-copy>icepkg install ${one.name}</code></div>
${facts(scene, record)}
${versions(scene, material)}
${history(scene, material)}
${dependencySections(scene, one, record)}
${filePreview(scene, record, material.files)}
${documentSection(scene, record, material.summary)}`,
  };
}

function facts({ links }: Scene, record: PackageRecord): Html {
  const { license, url, maintainer, origin, package: file, installedSize, fileCount } = record;
  const rows: readonly (readonly [string, Part])[] = [
    ['Version', `${record.version} for ${record.arch}`],
    ['Licence', license],
    ['Homepage', url === undefined ? undefined : homepage(url)],
    ['Maintainer', maintainer],
    ['Recipe', origin],
    ['Download', markup`<a href="${links.file(file.path)}">${sizeText(file.size)}</a>`],
    ['Installed', `${sizeText(installedSize)} in ${fileCount.toLocaleString('en-US')} paths`],
  ];
  const items = rows
    .filter(([, value]) => value !== undefined)
    .map(([label, value]) => markup`<dt>${label}</dt><dd>${value}</dd>\n`);
  return markup`<dl class="facts">${items}</dl>`;
}

/** Only what a browser can open safely becomes a link. */
function homepage(url: string): Html {
  const address = webAddress(url);
  if (address === undefined) return markup`${url}`;
  return markup`<a href="${address}" rel="noreferrer nofollow">${url}</a>`;
}

interface ServedVersion {
  readonly of: PackageRecord;
  readonly channels: readonly string[];
}

function servedVersions({ view }: Scene, name: string): ServedVersion[] {
  const all = new Map<string, ServedVersion>();
  for (const channel of view.channels)
    for (const of of channel.catalogue.packages.get(name)?.records ?? []) {
      const before = all.get(of.package.path)?.channels ?? [];
      all.set(of.package.path, { of, channels: [...before, channel.name] });
    }
  return [...all.values()];
}

function versions(scene: Scene, { one, record, arrivals }: PackageMaterial): Html {
  const { links, query } = scene;
  const part = cut(servedVersions(scene, one.name), query.get('page'), VERSIONS_PER_PAGE);
  const shown = (of: PackageRecord): Part =>
    of.package.path === record.package.path && markup` aria-current="true"`;
  const versionLink = (of: PackageRecord): Html =>
    markup`<a href="${links.package(one.name, { version: of.version, arch: of.arch })}"${shown(of)}>${of.version}</a>`;
  const download = ({ version, arch, package: { path, size } }: PackageRecord): Html =>
    markup`<a href="${links.file(path)}" aria-label="Download ${version} for ${arch}, ${sizeText(size)}">${sizeText(size)}</a>`;
  const columns = [
    { label: 'Version', cell: ({ of }: ServedVersion) => versionLink(of) },
    { label: 'Architecture', cell: ({ of }: ServedVersion) => of.arch },
    { label: 'Channels', cell: ({ channels }: ServedVersion) => channels.join(', ') },
    { label: 'Published', cell: ({ of }: ServedVersion) => published(arrivals.get(of.package.path)) },
    {
      label: 'Installed',
      kind: 'number' as const,
      cell: ({ of }: ServedVersion) => sizeText(of.installedSize),
    },
    { label: 'Download', kind: 'number' as const, cell: ({ of }: ServedVersion) => download(of) },
  ];
  return markup`<section aria-labelledby="versions"><h2 id="versions">Versions</h2>
${table('What the channels serve', columns, part.rows)}
${pager(part, (page) => links.package(one.name, page))}
</section>`;
}

/** All versions of this architecture that are known, also those that no channel serves any more. */
function history(scene: Scene, { one, record, arrivals }: PackageMaterial): Part {
  const known = new Map([
    ...[...arrivals.values()].map(({ record: of }) => [of.package.path, of] as const),
    ...servedVersions(scene, one.name).map(({ of }) => [of.package.path, of] as const),
  ]);
  const points = [...known.values()]
    .filter(({ arch }) => arch === record.arch)
    .sort((a, b) => byVersion(a.version, b.version))
    .map((of) => ({
      label: of.version,
      day: arrivals.get(of.package.path)?.at.slice(0, 10),
      installed: of.installedSize,
      download: of.package.size,
    }));
  const chart = sizeChart(points, record.arch);
  return (
    chart && markup`<section aria-labelledby="sizes"><h2 id="sizes">Size over time</h2>${chart}</section>`
  );
}

const published = (arrival: Arrival | undefined): Part => arrival !== undefined && day(arrival.at);

export function noSuchPackage({ channel, links }: Scene, name: string): PageContent {
  // Slips are seldom in the first letter, and large repositories have many names.
  const alike = [...channel.catalogue.packages.keys()].filter((of) => of[0] === name[0]);
  const meant = nearest(name.slice(0, 64), alike);
  const hint = meant !== undefined && markup`Did you mean <a href="${links.package(meant)}">${meant}</a>?`;
  return {
    status: 404,
    title: 'No such package',
    section: 'packages',
    body: markup`<h1>No such package</h1>
<p>The channel ${channel.name} has no package called ${name.slice(0, 128)}. ${hint}</p>`,
  };
}
