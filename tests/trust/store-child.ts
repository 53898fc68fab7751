/**
 * Refreshes from a folder: `store-child.ts STORE MIRROR [SYSCALL]`. With SYSCALL it kills itself just before that
 * call, counted from 0, that would change the file system, and prints nothing; otherwise it prints their number.
 */
import fs, { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { isErrno } from '#schema/error';

const [directory = '', mirror = '', stop = ''] = process.argv.slice(2);
let calls = 0;
const counted =
  <A extends unknown[], R>(call: (...args: A) => R) =>
  (...args: A): R => {
    if (String(calls++) === stop) process.kill(process.pid, 'SIGKILL');
    return call(...args);
  };
Object.assign(fs, {
  openSync: counted(fs.openSync),
  writeFileSync: counted(fs.writeFileSync),
  fsyncSync: counted(fs.fsyncSync),
  renameSync: counted(fs.renameSync),
  rmSync: counted(fs.rmSync),
});
syncBuiltinESMExports();

const { openTrustStore } = await import('#engine/trust/store');
const { refreshTrust } = await import('#engine/trust/updater');
const fetch = (name: string): Promise<Uint8Array | undefined> => {
  try {
    return Promise.resolve(readFileSync(join(mirror, name)));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return Promise.resolve(undefined);
    throw error;
  }
};
await refreshTrust({
  store: openTrustStore(directory),
  fetcher: { base: mirror, fetch },
  now: new Date('2030-01-01T00:00:00Z'),
});
process.stdout.write(String(calls));
