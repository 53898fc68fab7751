/** Finds the sha256 of sources whose file names another digest: in the cache, or by fetching them. */
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { sha256File } from '../sources/cache.ts';
import { fetchUrl } from '../sources/url.ts';
import type { DraftSource, Notes } from './draft.ts';

export interface DigestOptions {
  readonly cacheFolder: string;
  /** Fetches what is not in the cache. */
  readonly fetch: boolean;
  readonly notes: Notes;
}

export async function fillDigests(
  sources: readonly DraftSource[],
  options: DigestOptions,
): Promise<DraftSource[]> {
  const filled: DraftSource[] = [];
  for (const source of sources) {
    if (source.local !== undefined || source.sha256 !== undefined) {
      filled.push(source);
      continue;
    }
    const sha256 =
      inCache(source, options.cacheFolder) ??
      (options.fetch ? await fetched(source, options.notes) : undefined);
    if (sha256 === undefined) tell(source, options);
    filled.push(sha256 === undefined ? source : { ...source, sha256 });
  }
  return filled;
}

function tell({ file, sha512, git }: DraftSource, { notes, fetch }: DigestOptions): void {
  const why =
    git !== undefined
      ? `the sha256 of ${file} is not known: the first build says it`
      : `${file} has ${sha512 === undefined ? 'no digest' : 'a sha512'}, and a recipe needs its sha256${fetch ? '' : ': --fetch fetches it'}`;
  notes.add('open', 'sources', why);
}

/** A file of the same name in the cache counts only with the digest that the imported file names. */
function inCache({ file, sha512 }: DraftSource, cacheFolder: string): string | undefined {
  if (sha512 === undefined) return undefined;
  const folder = path.join(cacheFolder, 'sources');
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
  const found = names
    .filter((name) => name.slice(65) === file && /^[0-9a-f]{64}-/.test(name))
    .find((name) => sha512File(path.join(folder, name)) === sha512);
  return found?.slice(0, 64);
}

async function fetched({ url, file, sha512 }: DraftSource, notes: Notes): Promise<string | undefined> {
  if (url === undefined) return undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-import-'));
  const target = path.join(folder, 'source');
  try {
    await fetchUrl(url, target);
    if (sha512 !== undefined && sha512File(target) !== sha512) {
      notes.add('open', 'sources', `${url} is not the ${file} that the file names: its sha512 is another`);
      return undefined;
    }
    if (sha512 === undefined)
      notes.add(
        'open',
        'sources',
        `the sha256 of ${file} is that of what was fetched: compare it with what upstream says`,
      );
    return sha256File(target);
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    notes.add('open', 'sources', `${url} could not be fetched: ${error.message}`);
    return undefined;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const sha512File = (file: string): string =>
  crypto.createHash('sha512').update(fs.readFileSync(file)).digest('hex');
