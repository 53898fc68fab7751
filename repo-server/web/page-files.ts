/** Which package a file is in, and which files a package has. */
import type { FileEntry } from '#schema/manifest';
import type { PackageRecord } from '#schema/index-shard';
import { counted, sizeText } from './figures.ts';
import type { FileHit, FileSearch } from './file-index.ts';
import { markup, type Html, type Part } from './html.ts';
import { cut, pager } from './paging.ts';
import { channelField, type PageContent, type Scene } from './shell.ts';
import { table } from './table.ts';

const HITS_PER_PAGE = 50;
const FILES_PER_PAGE = 200;
const MOST_PREVIEWED = 12;
const LONGEST = 512;

/** What the query asks for; empty where it asks for nothing. */
export const pathAsked = (query: URLSearchParams): string =>
  (query.get('path') ?? '').trim().slice(0, LONGEST);

/** @param search what was found, where something was asked for */
export function filesPage(scene: Scene, search: FileSearch | undefined): PageContent {
  const { view, channel, links, query } = scene;
  const asked = pathAsked(query);
  return {
    title: asked === '' ? 'Search files' : `Files with ${asked}`,
    section: 'files',
    body: markup`<h1>Search files</h1>
<form action="${links.file('files')}" method="get">
<label for="path">A path or a part of one; after a slash, its beginning</label>
<div class="fields">
<input type="search" id="path" name="path" value="${asked}" maxlength="${LONGEST}" autocomplete="off" autocapitalize="none" spellcheck="false">
${channelField(view.channels, channel)}
<button>Search files</button>
</div>
</form>
${search !== undefined && results(scene, asked, search)}`,
  };
}

interface FoundFile extends FileHit {
  readonly arches: readonly string[];
}

/** One for the same path of the same package, whatever the architecture. */
function merged(hits: readonly FileHit[]): FoundFile[] {
  const found: FoundFile[] = [];
  for (const { path, record } of hits) {
    const last = found.at(-1);
    const same =
      last?.path === path && last.record.name === record.name && last.record.version === record.version;
    if (same && last !== undefined)
      found[found.length - 1] = { ...last, arches: [...last.arches, record.arch] };
    else found.push({ path, record, arches: [record.arch] });
  }
  return found;
}

function results({ links, query }: Scene, asked: string, { hits, more, read, of }: FileSearch): Html {
  const found = merged(hits);
  const part = cut(found, query.get('page'), HITS_PER_PAGE);
  const left = of - read;
  const partial =
    left > 0 &&
    markup`<p>The files of ${counted(left, 'package')} are not read yet. Ask again in a moment.</p>`;
  const columns = [
    { label: 'Path', cell: ({ path }: FoundFile) => markup`<span class="path">/${path}</span>` },
    {
      label: 'Package',
      cell: ({ record }: FoundFile) => markup`<a href="${links.package(record.name)}">${record.name}</a>`,
    },
    { label: 'Version', cell: ({ record }: FoundFile) => record.version },
    { label: 'Architecture', cell: ({ arches }: FoundFile) => arches.join(', ') },
  ];
  return markup`<section aria-labelledby="found"><h2 id="found">Found</h2>
<p class="soft">${more && 'More than '}${counted(found.length, 'file')}</p>
${partial}
${found.length > 0 && table('In the newest versions', columns, part.rows)}
${pager(part, (page) => links.page('files', { path: asked, ...page }))}
</section>`;
}

/** The first files of a package, for its page. @param files `undefined` where they cannot be read */
export function filePreview(
  { links }: Scene,
  { name, version, arch }: PackageRecord,
  files: readonly FileEntry[] | undefined,
): Html {
  const shown = (files ?? []).filter(({ type }) => type !== 'directory');
  const all = links.page(`package/${name}/files`, { version, arch });
  return markup`<section aria-labelledby="files"><h2 id="files">Files</h2>
${files === undefined && markup`<p>The package is not here.</p>`}
<ul class="paths">${shown.slice(0, MOST_PREVIEWED).map(({ path }) => markup`<li class="path">/${path}</li>`)}</ul>
${files !== undefined && markup`<p><a href="${all}">All ${counted(files.length, 'path')} with modes and sizes</a></p>`}
</section>`;
}

export function packageFilesPage(
  { links, query }: Scene,
  { name, version, arch }: PackageRecord,
  files: readonly FileEntry[],
): PageContent {
  const part = cut(files, query.get('page'), FILES_PER_PAGE);
  const columns = [
    { label: 'Path', cell: ({ path }: FileEntry) => markup`<span class="path">/${path}</span>` },
    { label: 'Kind', cell: kindOf },
    { label: 'Mode', cell: (entry: FileEntry) => 'mode' in entry && entry.mode.toString(8).padStart(4, '0') },
    {
      label: 'Size',
      kind: 'number' as const,
      cell: (entry: FileEntry) => entry.type === 'file' && sizeText(entry.size),
    },
  ];
  return {
    title: `Files of ${name}`,
    section: 'packages',
    body: markup`<h1>Files of <a href="${links.package(name, { version, arch })}">${name}</a></h1>
<p class="lead">${version} for ${arch}, ${counted(files.length, 'path')}</p>
${table('Paths as they are installed', columns, part.rows)}
${pager(part, (page) => links.page(`package/${name}/files`, { version, arch, ...page }))}`,
  };
}

function kindOf(entry: FileEntry): Part {
  switch (entry.type) {
    case 'symlink':
      return markup`symlink to <span class="path">${entry.target}</span>`;
    case 'hardlink':
      return markup`hardlink to <span class="path">/${entry.target}</span>`;
    case 'character-device':
    case 'block-device':
      return `${entry.type} ${entry.major}:${entry.minor}`;
    case 'file':
      return entry.config === true ? 'configuration file' : 'file';
    case 'directory':
    case 'fifo':
      return entry.type;
  }
}
