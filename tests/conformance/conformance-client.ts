/** The command line that the TUF conformance suite calls; exits 0 or 1. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { IcepkgError } from '#schema/error';
import { httpTransport } from '#engine/client/http';
import { targetAddress } from '#engine/client/shard-cache';
import { getBytes, type Transport } from '#engine/client/transport';
import { replaceFile } from '#engine/trust/replace-file';
import { encodeRole, openTrustStore } from '#engine/trust/store';
import { checkMeta } from '#engine/trust/trusted-metadata';
import { findTarget, refreshTrust } from '#engine/trust/updater';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'metadata-dir': { type: 'string' },
    'metadata-url': { type: 'string' },
    'target-name': { type: 'string', multiple: true },
    'target-dir': { type: 'string' },
    'target-base-url': { type: 'string' },
  },
});
type Option = Exclude<keyof typeof values, 'target-name'>;

function given(option: Option): string {
  const value = values[option];
  if (value === undefined) throw new IcepkgError('usage', `--${option} is missing`);
  return value;
}

const open = (address: string): Transport => httpTransport(address, { timeout: 10, minimumRate: 1 });

async function main(): Promise<void> {
  const [command, file = ''] = positionals;
  const store = openTrustStore(given('metadata-dir'));
  if (command === 'init') return store.write('root', readFileSync(file));
  if (command !== 'refresh' && command !== 'download') throw new IcepkgError('usage', 'unknown command');
  const mirror = open(given('metadata-url'));
  const options = {
    store,
    now: new Date(),
    fetcher: {
      base: given('metadata-url').replace(/\/+$/, ''),
      fetch: (name: string, limit: number) => getBytes(mirror, name, limit),
    },
  };
  try {
    const trusted = await refreshTrust(options);
    if (command === 'refresh') return;
    for (const name of values['target-name'] ?? []) {
      const target = await findTarget(options, trusted, name);
      if (target === undefined) throw new IcepkgError('not-found', `no target ${name}`);
      const destination = join(given('target-dir'), encodeRole(name));
      if (existsSync(destination) && passes(readFileSync(destination), target, name)) continue;
      const targets = open(given('target-base-url'));
      const address = targetAddress(name, target, trusted.root.consistent_snapshot === true);
      const bytes = await getBytes(targets, address.replace(/^targets\//, ''), target.length);
      targets.close();
      if (bytes === undefined) throw new IcepkgError('network-failed', `${name}: not found`);
      checkMeta(bytes, target, name);
      mkdirSync(given('target-dir'), { recursive: true });
      replaceFile(destination, bytes);
    }
  } finally {
    mirror.close();
  }
}

function passes(...args: Parameters<typeof checkMeta>): boolean {
  try {
    checkMeta(...args);
    return true;
  } catch {
    return false;
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof IcepkgError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
}
