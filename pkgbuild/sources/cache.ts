/** The source cache: files named by their sha256, so that a hit needs no trust in where it came from. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import type { FetchedSource, SourceLocation } from './schema.ts';
import { fetchFromDebian } from './debian.ts';
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
 * Returns the path of the source in the cache, fetching it from the first place that has it.
 * @throws IcepkgError `source-failed` naming every place that was tried and why it failed
 */
export async function fetchSource(source: FetchedSource, cacheFolder: string): Promise<string> {
  const folder = path.join(cacheFolder, 'sources');
  const cached = path.join(folder, `${source.sha256}-${source.file}`);
  if (fs.existsSync(cached)) {
    if (sha256File(cached) === source.sha256) return cached;
    fs.rmSync(cached);
  }
  fs.mkdirSync(folder, { recursive: true });
  const scratch = fs.mkdtempSync(path.join(folder, '.fetch-'));
  const tried: string[] = [];
  try {
    for (const location of source.from) {
      const where = describeLocation(location);
      try {
        const files = await fetchLocation(location, source.file, { scratch, cacheFolder });
        const hashes = files.map((file) => ({ file, sha256: sha256File(file) }));
        const match = hashes.find(({ sha256 }) => sha256 === source.sha256);
        if (match !== undefined) {
          fs.renameSync(match.file, cached);
          return cached;
        }
        tried.push(
          `${where}: no file with that sha256 (${hashes.map(({ file, sha256 }) => `${path.basename(file)} has ${sha256}`).join(', ') || 'nothing came'})`,
        );
      } catch (error) {
        if (!(error instanceof IcepkgError)) throw error;
        tried.push(`${where}: ${error.message}`);
      }
    }
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
  throw new IcepkgError(
    'source-failed',
    `cannot get ${source.file} (sha256 ${source.sha256}); tried ${tried.join('; ')}`,
    { hint: `Put the file there yourself: ${cached}`, data: { file: source.file, tried } },
  );
}

function fetchLocation(
  location: SourceLocation,
  file: string,
  places: { readonly scratch: string; readonly cacheFolder: string },
): Promise<string[]> {
  if ('url' in location) return fetchUrl(location.url, path.join(places.scratch, file));
  return fetchFromDebian(location, places);
}

function describeLocation(location: SourceLocation): string {
  if ('url' in location) return location.url;
  const version = location.version === undefined ? '' : ` ${location.version}`;
  return 'debian' in location
    ? `debian source package ${location.debian}${version}`
    : `debian binary package ${location['debian-binary']}${version}`;
}
