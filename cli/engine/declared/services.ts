/**
 * Services as runit and s6 see them: `etc/sv/NAME/run` says how one is started, the link `etc/service/NAME` that it is. The
 * files are entries of the package like any other, so that they have an owner, conflict, verify and roll back.
 */
import { sha256 } from '#schema/digest';
import type { FileEntry, Manifest, Service } from '#schema/manifest';
import { comparePaths } from '#schema/path';

export interface ServiceState {
  /** The manifest of the version that is installed now. */
  readonly before: Manifest | undefined;
  /** Where a symlink leads to, `undefined` where there is none. */
  readonly linkAt: (path: string) => string | undefined;
}

export interface WithServices {
  /** With an entry for every file of a service. */
  readonly manifest: Manifest;
  /** Path to the content of entries that no frame holds. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

export const definitionOf = (service: string): string => `etc/sv/${service}`;
export const enabledLinkOf = (service: string): string => `etc/service/${service}`;
export const enabledTargetOf = (service: string): string => `../sv/${service}`;

/** A service that the operator disabled, by deleting its link, stays so over upgrades. */
export function withServices(manifest: Manifest, state: ServiceState): WithServices {
  const contents = new Map<string, Uint8Array>();
  if (manifest.services === undefined || manifest.services.length === 0) return { manifest, contents };
  const entries = new Map<string, FileEntry>(manifest.files.map((entry) => [entry.path, entry]));
  const add = (entry: FileEntry): void => {
    if (entry.type !== 'directory' || !entries.has(entry.path)) entries.set(entry.path, entry);
  };
  const file = (path: string, text: string): void => {
    const content = Buffer.from(text);
    contents.set(path, content);
    add({ type: 'file', path, mode: 0o755, size: content.length, sha256: sha256(content) });
  };
  for (const path of ['etc', 'etc/sv', 'etc/service']) add({ type: 'directory', path, mode: 0o755 });
  for (const service of manifest.services) {
    const directory = definitionOf(service.name);
    add({ type: 'directory', path: directory, mode: 0o755 });
    file(`${directory}/run`, runText(service));
    const finish = finishText(service);
    if (finish !== undefined) file(`${directory}/finish`, finish);
    if (isEnabled(service, state))
      add({ type: 'symlink', path: enabledLinkOf(service.name), target: enabledTargetOf(service.name) });
  }
  const files = [...entries.values()].sort((a, b) => comparePaths(a.path, b.path));
  return { manifest: { ...manifest, files }, contents };
}

function isEnabled(service: Service, { before, linkAt }: ServiceState): boolean {
  if (linkAt(enabledLinkOf(service.name)) === enabledTargetOf(service.name)) return true;
  const old = before?.services?.find(({ name }) => name === service.name);
  return service.enable === true && old?.enable !== true;
}

/** The program that the supervisor keeps alive. */
export function runText(service: Service): string {
  const lines = ['#!/bin/sh', 'exec 2>&1'];
  for (const other of service.after ?? [])
    lines.push(`${isUp(quoted(`/${enabledLinkOf(other)}`))} || exit 1`);
  for (const [name, value] of Object.entries(service.environment ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)))
    lines.push(`export ${quoted(`${name}=${value}`)}`);
  const user = service.user === undefined ? '' : `chpst -u ${service.user} `;
  lines.push(`exec ${user}${service.command.map(quoted).join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** Asks s6, and runit where that knows nothing of the service. */
const isUp = (service: string): string =>
  `{ [ "$(s6-svstat -o up ${service})" = true ] || sv check ${service}; } >/dev/null 2>&1`;

const STAY_DOWN = 's6-svc -d . 2>/dev/null || sv down .';

/** What the supervisor runs when the program ended, with its exit status; it starts the program again unless told otherwise. */
export function finishText({ restart = 'always' }: Service): string | undefined {
  switch (restart) {
    case 'always':
      return undefined;
    case 'on-failure':
      return `#!/bin/sh\n[ "$1" != 0 ] || ${STAY_DOWN}\n`;
    case 'never':
      return `#!/bin/sh\n${STAY_DOWN}\n`;
  }
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
