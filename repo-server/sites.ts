/** The repositories of a server: one at its top, or several below their names. */
import { realpath } from 'node:fs/promises';
import { IcepkgError } from '#schema/error';
import { readRepositoryConfig } from './config.ts';
import { HealthReport } from './http-health.ts';

export interface Site {
  readonly name: string;
  /** Real path of the repository. */
  readonly root: string;
  readonly health: HealthReport;
}

export interface Sites {
  readonly all: readonly Site[];
  /** Each is below `/NAME`. */
  readonly prefixed: boolean;
}

/** @throws IcepkgError `not-found` where a folder is no repository, `usage` where two have one name */
export async function openSites(folders: readonly string[]): Promise<Sites> {
  const all: Site[] = [];
  for (const folder of folders) {
    const { name } = readRepositoryConfig(folder);
    if (all.some((site) => site.name === name)) {
      throw new IcepkgError('usage', `two repositories are called ${name}`, {
        hint: 'Names are in repository.json; change one of them, or serve them apart',
      });
    }
    const root = await realpath(folder);
    all.push({ name, root, health: new HealthReport(root) });
  }
  return { all, prefixed: all.length > 1 };
}

export interface FoundSite {
  readonly site: Site;
  /** What is left of the path, still encoded. */
  readonly path: string;
}

/** @param path of a request, without what follows a question mark */
export function siteOf({ all, prefixed }: Sites, path: string): FoundSite | undefined {
  const [only] = all;
  if (!prefixed) return only === undefined ? undefined : { site: only, path };
  const [, name, rest] = /^\/([^/]+)(\/.*)?$/.exec(path) ?? [];
  const site = all.find((of) => of.name === name);
  return site === undefined ? undefined : { site, path: rest ?? '/' };
}
