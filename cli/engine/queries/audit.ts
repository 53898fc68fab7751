/** Looks for what should not be in a root. */
import { readdirSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { readHeader } from '#schema/container/read';
import { IcepkgError, isErrno } from '#schema/error';
import type { StoreReader } from '../store/model.ts';
import { isReserved } from '../transaction/layout.ts';
import { lstatInside } from './inside.ts';
import { readStore } from './read-store.ts';
import { verify } from './verify.ts';

export interface Finding {
  readonly severity: 'error' | 'warning' | 'note';
  /** A path or a package. */
  readonly subject: string;
  readonly message: string;
}

export interface AuditReport {
  readonly findings: readonly Finding[];
}

/** Where a running system and its operator keep what no package brings. */
const FREE = ['proc', 'sys', 'dev', 'run', 'tmp', 'var/tmp', 'home', 'root', 'mnt', 'media'];
const FREE_STATE = ['etc/icepkg', 'var/cache/icepkg', 'var/log', 'lost+found'];
/** Written by the engine from what packages declare. */
const DECLARED = /^etc\/(?:passwd|group|shadow|gshadow)-?$/;

interface Known {
  readonly paths: ReadonlySet<string>;
  readonly setuid: ReadonlySet<string>;
  readonly local: readonly string[];
}

export function audit(root: string): AuditReport {
  const known = readStore(root, knownPaths);
  const findings: Finding[] = verify(root, []).problems.map((one) => ({
    severity: 'error',
    subject: `/${one.path}`,
    message: `of ${one.package}: ${one.problem}`,
  }));
  for (const name of known.local)
    findings.push({
      severity: 'warning',
      subject: name,
      message: 'came from a local file, not a repository',
    });
  walk(root, '', (path) => findings.push(...inspect(root, path, known)));
  return { findings };
}

export const auditError = (report: AuditReport): IcepkgError => {
  const errors = report.findings.filter((one) => one.severity === 'error').length;
  return new IcepkgError('audit-failed', `${errors} of ${report.findings.length} findings are errors`, {
    hint: 'Mend packaged files with icepkg reinstall PACKAGE, sign provenance with icepkg build --key FILE; look at the others yourself',
    data: { findings: report.findings },
  });
};

function knownPaths(store: StoreReader): Known {
  const paths = new Set<string>();
  const setuid = new Set<string>();
  for (const file of store.allFiles()) {
    paths.add(file.path);
    if (file.config === true) for (const end of ['new', 'old']) paths.add(`${file.path}.icepkg-${end}`);
    if ((file.mode & 0o6000) !== 0) setuid.add(file.path);
  }
  const installed = store.installedPackages();
  for (const { record } of installed) {
    const header = store.headerOf(record.name);
    if (header === undefined) continue;
    const { manifest } = readHeader(header, record.name);
    for (const alternative of manifest.alternatives ?? []) paths.add(alternative.link);
  }
  const local = installed.filter((one) => one.repository === undefined).map((one) => one.record.name);
  return { paths, setuid, local };
}

function isFree(path: string): boolean {
  return [...FREE, ...FREE_STATE].some((free) => path === free) || isReserved(path);
}

/** Visits every path that is neither free nor a directory, without recursion and without following symlinks. */
function walk(root: string, start: string, visit: (path: string) => void): void {
  const folders = [start];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(join(root, folder))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (isFree(path)) continue;
      if (entry.isDirectory()) folders.push(path);
      else visit(path);
    }
  }
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'EACCES', 'ENOENT')) return [];
    throw error;
  }
}

function inspect(root: string, path: string, known: Known): readonly Finding[] {
  const stats = lstatInside(root, path);
  if (stats === undefined) return [];
  const subject = `/${path}`;
  const special = stats.isFile() && (stats.mode & 0o6000) !== 0;
  const owned = known.paths.has(path);
  const found: Finding[] = [];
  if (special && !owned)
    found.push({ severity: 'error', subject, message: 'is setuid or setgid and no package owns it' });
  else if (!owned && !DECLARED.test(path) && !path.startsWith('etc/'))
    found.push({ severity: 'warning', subject, message: 'no package owns it' });
  if (special && known.setuid.has(path))
    found.push({ severity: 'note', subject, message: 'is setuid or setgid, as its package says' });
  if (stats.isFile() && (stats.mode & 0o002) !== 0)
    found.push({ severity: 'error', subject, message: 'anybody can write to it' });
  return found;
}
