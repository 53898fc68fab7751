/**
 * Writes patches to the packages that a publish brings, before anybody can see those: to each from the last versions of
 * it that the repository has. Patches are no part of what is signed, because whoever uses one verifies what it leads to.
 */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { canonicalJson } from '#schema/canonical-json';
import type { PackageRecord } from '#schema/index-shard';
import {
  LEAST_PATCHED_SIZE,
  patchListPath,
  patchPath,
  type ListedPatch,
  type PatchList,
} from '#schema/patch/format';
import type { OpenChannel } from '../change-channel.ts';
import { hashFile } from '../hash-file.ts';
import { byVersion } from '../index-diff.ts';
import { besides, doing, syncFolder } from '../layout.ts';
import { makePatches } from './make-patches.ts';

/** Versions back that patches are made from, unless `repository.json` says otherwise. */
export const DEFAULT_PATCHED_VERSIONS = 3;
/** A patch must be this much smaller than the package: as a share of it, and in bytes. */
const MOST_SHARE = 0.75;
const LEAST_SAVING = 8 * 1024;

export interface PublishedPatches {
  /** Patches that were written, and their bytes. */
  readonly made: number;
  readonly bytes: number;
  /** What kept patches from being made; each names the package. */
  readonly problems: readonly string[];
}

interface WantedPatch {
  readonly from: PackageRecord;
  readonly to: PackageRecord;
}

type Place = Pick<OpenChannel, 'repository' | 'pool' | 'served' | 'wanted' | 'writer'>;

/** @param versions how many versions back; 0 makes none */
export async function publishPatches(open: Place, versions: number): Promise<PublishedPatches> {
  const wanted = versions === 0 ? [] : wantedPatches(open, versions);
  const asideOf = ({ from, to }: WantedPatch): string =>
    besides(join(open.repository, patchPath(to.package.path, from.manifest.sha256)));
  const outcomes = await makePatches(
    wanted.map((patch) => ({
      from: join(open.repository, patch.from.package.path),
      to: join(open.repository, patch.to.package.path),
      output: asideOf(patch),
      mostBytes: mostBytes(patch.to.package.size),
    })),
  );
  const lists = new Map<string, ListedPatch[]>();
  for (const [index, patch] of wanted.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined || !('made' in outcome) || !outcome.made) continue;
    const list = lists.get(patch.to.package.path) ?? [];
    lists.set(patch.to.package.path, [...list, place(open, patch, asideOf(patch))]);
  }
  writeLists(open, lists);
  const patches = [...lists.values()].flat();
  return {
    made: patches.length,
    bytes: patches.reduce((sum, { size }) => sum + size, 0),
    problems: outcomes.flatMap((outcome) => ('problem' in outcome ? [outcome.problem] : [])),
  };
}

const mostBytes = (size: number): number => Math.floor(Math.min(size * MOST_SHARE, size - LEAST_SAVING));

/** To what is new in the channel and has no list yet, the largest first. */
function wantedPatches({ repository, pool, served, wanted }: Place, versions: number): WantedPatch[] {
  const fresh = [...wanted.values()].filter(
    ({ package: { path, size } }) =>
      !served.has(path) && size >= LEAST_PATCHED_SIZE && !isThere(patchListPath(path)),
  );
  const byName = recordsAlike(fresh, { pool, served, wanted });
  return fresh
    .flatMap((to) =>
      (byName.get(keyOf(to)) ?? [])
        .filter((from) => byVersion(from.version, to.version) < 0 && isThere(from.package.path))
        .sort((a, b) => byVersion(b.version, a.version))
        .slice(0, versions)
        .map((from) => ({ from, to })),
    )
    .sort((a, b) => b.to.package.size - a.to.package.size);

  function isThere(path: string): boolean {
    return fs.existsSync(join(repository, path));
  }
}

/** All that the repository has of the same names, by name and architecture. */
function recordsAlike(
  fresh: readonly PackageRecord[],
  { pool, served, wanted }: Pick<Place, 'pool' | 'served' | 'wanted'>,
): Map<string, PackageRecord[]> {
  const byName = new Map(fresh.map((of) => [keyOf(of), new Map<string, PackageRecord>()]));
  const take = (record: PackageRecord): void => {
    byName.get(keyOf(record))?.set(record.package.path, record);
  };
  const stems = new Set(fresh.map(({ name, arch }) => `packages/${arch}/${name}`));
  for (const path of pool.records.paths()) {
    const record = beginsWithOneOf(path, stems) ? pool.records.get(path) : undefined;
    if (record !== undefined) take(record);
  }
  for (const records of [served, wanted]) for (const record of records.values()) take(record);
  return new Map([...byName].map(([key, records]) => [key, [...records.values()]]));
}

/** @param stems what stands before a dash */
function beginsWithOneOf(path: string, stems: ReadonlySet<string>): boolean {
  for (let dash = path.indexOf('-'); dash !== -1; dash = path.indexOf('-', dash + 1))
    if (stems.has(path.slice(0, dash))) return true;
  return false;
}

const keyOf = ({ name, arch }: PackageRecord): string => `${name} ${arch}`;

/** Moves a patch that is whole and durable to where it is served. */
function place({ writer }: Place, { from, to }: WantedPatch, aside: string): ListedPatch {
  const path = patchPath(to.package.path, from.manifest.sha256);
  const listed = { from: from.manifest.sha256, version: from.version, ...hashFile(aside) };
  writer.place(path, aside);
  return listed;
}

/** Patches first: what a list names is there. */
function writeLists({ repository, writer }: Place, lists: ReadonlyMap<string, readonly ListedPatch[]>): void {
  for (const folder of new Set([...lists.keys()].map((path) => join(repository, dirname(path)))))
    doing(folder, () => syncFolder(folder));
  for (const [path, patches] of lists) {
    const list: PatchList = { format: 1, patches: [...patches] };
    writer.write({ path: patchListPath(path), bytes: canonicalJson(list) });
  }
}
