/** What commands that change a repository have in common. */
import type { LockOptions } from '#repo-server/lock';
import type { IndexDiff } from '#repo-server/index-diff';
import type { ObjectStore } from '#repo-server/object-store/s3';
import { Flags } from './oclif.ts';
import { countText, sizeText } from './size.ts';
import { tableText } from './table.ts';

export const channelFlag = Flags.string({
  default: 'stable',
  helpValue: 'CHANNEL',
  summary: 'channel to change',
});

export const waitFlag = Flags.integer({
  min: 0,
  default: 30,
  helpValue: 'SECONDS',
  summary: 'how long to wait for another publisher',
});

export const keyFlag = Flags.string({
  multiple: true,
  helpValue: 'FILE',
  summary: 'private key of the roles targets, snapshot and timestamp',
});

export const messageFlag = Flags.string({
  char: 'm',
  helpValue: 'TEXT',
  summary: 'words for the signed index',
});

export const lockFlag = Flags.string({
  dependsOn: ['to'],
  helpValue: 'postgresql://…',
  summary:
    'where the object store knows no conditional writes: database whose advisory lock keeps others out',
});

/** The store that `--to` names; with a lock nobody else writes there. @throws IcepkgError `usage` */
export async function openStoreOf(address: string, lock: string | undefined): Promise<ObjectStore> {
  const { openStore } = await import('#repo-server/object-store/s3');
  return openStore(address, process.env, { conditional: lock === undefined });
}

/** Waits for another publisher, and says so. */
export const waiting = (seconds: number, remark: (text: string) => void): LockOptions => ({
  waitSeconds: seconds,
  onWait: () => remark(`another process changes the repository; waiting for at most ${seconds} s`),
});

/** The lines that tell people what differs; none where nothing does. */
export function diffText({ added, removed, upgraded, downgraded, newBytes }: IndexDiff): string {
  const rows = [
    ...added.map(({ name, version, arch }) => ['+', name, version, arch]),
    ...removed.map(({ name, version, arch }) => ['-', name, version, arch]),
    ...upgraded.map(({ name, from, to, arch }) => ['^', name, versions(from, to), arch]),
    ...downgraded.map(({ name, from, to, arch }) => ['v', name, versions(from, to), arch]),
  ];
  if (rows.length === 0) return 'nothing differs';
  const counts = [
    countText(added.length, 'package') + ' added',
    `${removed.length} removed`,
    `${upgraded.length} upgraded`,
    `${downgraded.length} downgraded`,
  ];
  return `${tableText(rows)}\n${counts.join(', ')}; ${sizeText(newBytes)} of packages are new`;
}

const versions = (from: string, to: string): string =>
  from === to ? `${to} (older versions differ)` : `${from} -> ${to}`;
