/** Fetches a source that no recipe names yet, and keeps it in the source cache under its sha256. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { run } from '../command.ts';
import { sha256File } from '../sources/cache.ts';
import { fetchFromDebian } from '../sources/debian.ts';
import { fetchGit } from '../sources/git.ts';
import { fetchFromNpm } from '../sources/npm.ts';
import { fetchUrl } from '../sources/url.ts';
import { parseControl, type Stanza } from './control.ts';

export interface FreshSource {
  /** Name of the file. */
  readonly file: string;
  /** Where it is in the cache. */
  readonly path: string;
  readonly sha256: string;
  /** Debian's version of a Debian package. */
  readonly debianVersion?: string;
  /** The `.dsc` of a Debian source package. */
  readonly dsc?: Stanza;
  /** `debian/copyright` of a Debian source package. */
  readonly copyright?: string;
}

/** Where a first recipe may come from. `file` is the name to keep it by; that of the address without. */
export type FirstOrigin = { readonly url: string; readonly file?: string } | { readonly debian: string };
export type FreshOrigin =
  | FirstOrigin
  | { readonly 'debian-binary': string }
  | { readonly git: string; readonly commit: string; readonly file: string }
  | { readonly npm: string; readonly version: string };

/** @throws IcepkgError `source-failed` where it cannot be had */
export async function fetchFresh(origin: FreshOrigin, cacheFolder: string): Promise<FreshSource> {
  const folder = path.join(cacheFolder, 'sources');
  fs.mkdirSync(folder, { recursive: true });
  const scratch = fs.mkdtempSync(path.join(folder, '.new-'));
  try {
    if ('url' in origin) return keep(await fetchOne(origin, scratch), folder);
    if ('git' in origin) return keep(await fetchCommit(origin, scratch), folder);
    if ('npm' in origin) return keep(await fetchTarball(origin, scratch), folder);
    const files = await fetchFromDebian(origin, { scratch, cacheFolder });
    if ('debian-binary' in origin) return keepBinary(files, folder);
    return { ...keep(pickArchive(origin.debian, files), folder), ...(await packaging(files, scratch)) };
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

async function fetchOne(
  { url, file: wanted }: { readonly url: string; readonly file?: string },
  scratch: string,
): Promise<string> {
  const name = wanted ?? path.posix.basename(new URL(url).pathname);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.+~-]*$/.test(name))
    throw new IcepkgError('usage', `${url}: names no file`, {
      hint: 'Give the address of an archive such as https://example.org/demo-1.2.tar.gz',
    });
  const file = path.join(scratch, name);
  await fetchUrl(url, file);
  return file;
}

async function fetchCommit(
  { git, commit, file }: { readonly git: string; readonly commit: string; readonly file: string },
  scratch: string,
): Promise<string> {
  const tar = path.join(scratch, file);
  await fetchGit({ git, commit }, tar);
  return tar;
}

async function fetchTarball(
  wanted: { readonly npm: string; readonly version: string },
  scratch: string,
): Promise<string> {
  const [file = ''] = await fetchFromNpm(wanted, scratch);
  return file;
}

function keep(file: string, folder: string): FreshSource {
  const sha256 = sha256File(file);
  const name = path.basename(file);
  const kept = path.join(folder, `${sha256}-${name}`);
  fs.renameSync(file, kept);
  return { file: name, path: kept, sha256 };
}

/** apt names the file `NAME_VERSION_ARCH.deb`, with the colon of an epoch as `%3a`. */
function keepBinary([deb = '']: readonly string[], folder: string): FreshSource {
  const version = path.basename(deb).split('_')[1] ?? '';
  return { ...keep(deb, folder), debianVersion: decodeURIComponent(version) };
}

/** Upstream's archive or, of a package that is Debian's own, the only one. */
function pickArchive(name: string, files: readonly string[]): string {
  const archives = files.filter((file) => /\.tar\.[a-z0-9]+$/.test(file) && !file.includes('.debian.tar.'));
  const found = archives.find((file) => /\.orig\.tar\.[a-z0-9]+$/.test(file)) ?? archives[0];
  if (found !== undefined) return found;
  throw new IcepkgError('source-failed', `debian source package ${name} came without an archive`, {
    hint: 'Its files may be missing on the mirror; try --from with the address that upstream gives',
  });
}

async function packaging(
  files: readonly string[],
  scratch: string,
): Promise<Pick<FreshSource, 'debianVersion' | 'dsc' | 'copyright'>> {
  const file = files.find((one) => one.endsWith('.dsc'));
  const dsc = file === undefined ? undefined : readDsc(fs.readFileSync(file, 'utf8'));
  const debian = files.find((file) => file.includes('.debian.tar.'));
  if (debian !== undefined)
    // What is not in the archive is an error of tar, and no harm.
    await run(['tar', '--no-same-owner', '-C', scratch, '-xf', debian, 'debian/copyright']);
  const copyright = path.join(scratch, 'debian/copyright');
  return {
    ...(dsc === undefined ? {} : { dsc }),
    ...(dsc?.['version'] === undefined ? {} : { debianVersion: dsc['version'] }),
    ...(fs.existsSync(copyright) ? { copyright: fs.readFileSync(copyright, 'utf8') } : {}),
  };
}

/** The signature around it is no part of it. */
function readDsc(text: string): Stanza {
  const stanzas = parseControl(text.replaceAll(/^-----.*$/gm, ''));
  return stanzas.find((stanza) => 'source' in stanza) ?? {};
}
