/** The source cache: files named by their sha256, so that a hit needs no trust in where it came from. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import { IcepkgError } from '#schema/error';
import { fetchDeb, fetchFromDebian } from './debian.ts';
import { fetchGit } from './git.ts';
import { fetchFromNpm } from './npm.ts';
import type { FetchedFile, Place } from './resolve.ts';
import { fetchUrl } from './url.ts';

/** `$XDG_CACHE_HOME/icepkg`, or `~/.cache/icepkg`. */
export function defaultCacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return path.join(base === undefined || base === '' ? path.join(os.homedir(), '.cache') : base, 'icepkg');
}

export function sha256File(file: string): string {
  const hash = crypto.createHash('sha256');
  const fd = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    for (let read = fs.readSync(fd, buffer); read > 0; read = fs.readSync(fd, buffer))
      hash.update(buffer.subarray(0, read));
  } finally {
    fs.closeSync(fd);
  }
  return hash.digest('hex');
}

/**
 * Returns the path of the source in the cache, fetching it from the first place that has it. A file with another
 * sha256 is never used; it is kept in `sources/wrong` for the author to look at.
 * @throws IcepkgError `source-failed` naming every place that was tried and why it failed
 */
export async function fetchSource(source: FetchedFile, cacheFolder: string): Promise<string> {
  const folder = path.join(cacheFolder, 'sources');
  const cached = path.join(folder, `${source.sha256}-${source.file}`);
  if (fs.existsSync(cached)) {
    if (sha256File(cached) === source.sha256) return cached;
    fs.rmSync(cached);
  }
  makeFolder(folder);
  const aside = path.join(folder, WRONG, path.basename(cached));
  // It was wrong for what the recipe said before.
  if (fs.existsSync(aside) && sha256File(aside) === source.sha256) {
    fs.renameSync(aside, cached);
    return cached;
  }
  const tried: string[] = [];
  let came = false;
  for (const place of source.from) {
    const scratch = fs.mkdtempSync(path.join(folder, '.fetch-'));
    try {
      const files = await fetchFrom(place, source.file, { scratch, cacheFolder });
      const hashes = files.map((file) => ({ file, sha256: sha256File(file) }));
      const match = hashes.find(({ sha256 }) => sha256 === source.sha256);
      if (match !== undefined) {
        fs.renameSync(match.file, cached);
        return cached;
      }
      came ||= hashes.length > 0;
      tried.push(`${describePlace(place)}: ${keepAside(source, hashes, folder)}`);
    } catch (error) {
      if (!(error instanceof IcepkgError) || error.code === 'cancelled') throw error;
      tried.push(`${describePlace(place)}: ${error.message}`);
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  }
  throw new IcepkgError(
    'source-failed',
    `cannot get ${source.file} (sha256 ${source.sha256}); tried ${tried.join('; ')}`,
    {
      hint: `${came ? 'Correct the sha256 in the recipe where the file that came is the right one' : 'Add a place that has it'}, or put the right file there yourself: ${cached}`,
      data: { file: source.file, tried },
    },
  );
}

/** Folder for files that are not what a recipe says. */
const WRONG = 'wrong';

interface Hashed {
  readonly file: string;
  readonly sha256: string;
}

/** Says what came instead, and moves it to where it cannot be taken for the source. */
function keepAside(source: FetchedFile, came: readonly Hashed[], folder: string): string {
  // A Debian source package has more files than the one that is wanted.
  const named = came.filter(({ file }) => path.basename(file) === source.file);
  const wrong = named.length > 0 ? named : came.length === 1 ? came : [];
  if (wrong.length === 0) {
    const names = came.map(({ file }) => path.basename(file)).join(', ');
    return `no file with that sha256 (${names === '' ? 'nothing came' : `there are ${names}`})`;
  }
  makeFolder(path.join(folder, WRONG));
  const said = wrong.map(({ file, sha256 }) => {
    const aside = path.join(folder, WRONG, `${sha256}-${source.file}`);
    fs.renameSync(file, aside);
    return `${path.basename(file)} has the sha256 ${sha256} instead, and is kept as ${aside}`;
  });
  return said.join(', ');
}

function fetchFrom(
  place: Place,
  file: string,
  places: { readonly scratch: string; readonly cacheFolder: string },
): Promise<string[]> {
  const target = path.join(places.scratch, file);
  if ('url' in place) return fetchUrl(place.url, target);
  if ('git' in place) return fetchGit(place, target);
  if ('npm' in place) return fetchFromNpm(place, places.scratch);
  if ('deb' in place) return fetchDeb(place, places);
  return fetchFromDebian(place, places);
}

function describePlace(place: Place): string {
  if ('url' in place) return place.url;
  if ('git' in place) return `commit ${place.commit} of ${place.git}`;
  if ('npm' in place) return `npm package ${place.npm} ${place.version}`;
  if ('deb' in place)
    return `debian binary package ${place.deb} ${place.version}${place.debianArch === undefined ? '' : ` for ${place.debianArch}`}`;
  const version = place.version === undefined ? '' : ` ${place.version}`;
  return 'debian' in place
    ? `debian source package ${place.debian}${version}`
    : `debian binary package ${place['debian-binary']}${version}`;
}
