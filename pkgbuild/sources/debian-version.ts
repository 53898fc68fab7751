/**
 * Debian's versions in our words. `[epoch:]upstream[-revision]` becomes a semantic version of the upstream part; the whole
 * text is kept as `upstreamVersion`. The order of versions is kept as far as semantic versions can say it.
 */
import { isVersion } from '#schema/version';

export interface MappedVersion {
  readonly version: string;
  readonly upstreamVersion: string;
}

/** Numbers beyond this are no part of a semantic version. */
const MAX_NUMBER = Number.MAX_SAFE_INTEGER;

/**
 * - The epoch and the revision are left out.
 * - The first three numbers, parted by dots, are major, minor and patch: `1.2` is `1.2.0`.
 * - `~` begins a pre-release: `1.2~rc1` is `1.2.0-rc.1`.
 * - What follows else is build metadata, which only breaks ties: `1.2.3.4` is `1.2.3+4`, `2026f` is `2026.0.0+f`,
 *   `1.2+dfsg` is `1.2.0+dfsg`.
 *
 * Returns `undefined` for a text that is no Debian version.
 */
export function mapDebianVersion(text: string): MappedVersion | undefined {
  const match = /^(?:\d+:)?([0-9][A-Za-z0-9.+~-]*?)(?:-[A-Za-z0-9+.~]+)?$/.exec(text);
  if (match === null) return undefined;
  const [, numbers = '', rest = ''] = /^(\d+(?:\.\d+){0,2})(.*)$/.exec(match[1] ?? '') ?? [];
  const parts = numbers.split('.').map(Number);
  // What is too large to count with, a date with its time for instance, goes with the rest.
  const countable = parts.findIndex((part) => part > MAX_NUMBER);
  const kept = countable === -1 ? parts : parts.slice(0, countable);
  const left = countable === -1 ? rest : `.${numbers.split('.').slice(countable).join('.')}${rest}`;
  const core = [0, 1, 2].map((at) => kept[at] ?? 0).join('.');
  const [, before = '', after = ''] = /^(?:~([^+]*))?(.*)$/.exec(left) ?? [];
  const preRelease = identifiers(before).map((word) => (/^\d+$/.test(word) ? String(BigInt(word)) : word));
  const build = identifiers(after);
  const version = `${core}${preRelease.length === 0 ? '' : `-${preRelease.join('.')}`}${build.length === 0 ? '' : `+${build.join('.')}`}`;
  return isVersion(`${version}-r0`) ? { version, upstreamVersion: text } : undefined;
}

/** `rc10` is two identifiers, so that it comes after `rc9`; `deb12u1` is four. */
const identifiers = (text: string): string[] =>
  text
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .flatMap((word) =>
      /^(?:[A-Za-z]+\d+){1,2}$/.test(word) ? (word.match(/[A-Za-z]+|\d+/g) ?? []) : [word],
    );
