/** Checks that icepkg can work on a root. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { ATTACH_HINT } from '../config.ts';
import { openContext, type ContextOptions } from '../context.ts';
import { isNative } from '../declared/scripts.ts';
import { openStore } from '../store/store.ts';
import { translated } from '../store/open.ts';
import { STATE_FILE } from '../transaction/layout.ts';
import { mirrorChecks } from './mirror-checks.ts';
import { readStore } from './read-store.ts';
import { attachedRepositories } from './repositories.ts';

export interface Check {
  readonly check: string;
  readonly state: 'good' | 'warning' | 'failed';
  readonly message: string;
  readonly hint?: string;
}

/** Before this second no system that runs this can be, so a clock that says so is wrong. */
const CLOCK_FLOOR = Date.UTC(2025, 0, 1);

/** Asks the mirrors too, unless it is offline. */
export async function doctor(options: ContextOptions): Promise<readonly Check[]> {
  const checks: Check[] = [];
  const context = attempt(checks, 'root and configuration', () => openContext(options));
  if (context !== undefined) {
    const { root, config, arch } = context;
    attempt(checks, 'database', () => checkDatabase(root));
    attempt(checks, 'lock', () => openStore(root, { mode: 'write' }).close());
    const pending = readStore(root, (store) => store.pending());
    checks.push(
      pending === undefined
        ? { check: 'journal', state: 'good', message: 'nothing is left to finish' }
        : {
            check: 'journal',
            state: 'warning',
            message: `transaction ${pending.transaction} (${pending.description}) is not finished`,
            hint: 'The next command that changes the root finishes it',
          },
    );
    checks.push(
      config.repositories.length > 0
        ? { check: 'repositories', state: 'good', message: `${config.repositories.length} configured` }
        : {
            check: 'repositories',
            state: 'warning',
            message: 'none is configured',
            hint: ATTACH_HINT,
          },
    );
    for (const repository of config.repositories) {
      if (existsSync(join(root, repository.trust))) continue;
      checks.push({
        check: 'trust',
        state: 'failed',
        message: `the trusted root of ${repository.name} is missing: ${repository.trust}`,
        hint: `Copy the root.json that you got from its operator to ${join(root, repository.trust)}`,
      });
    }
    checks.push(...expiryWarnings(root, context.now()));
    if (!context.offline) checks.push(...(await mirrorChecks(context)));
    checks.push(scriptTools(arch));
  }
  checks.push(
    Date.now() > CLOCK_FLOOR
      ? { check: 'clock', state: 'good', message: new Date().toISOString() }
      : { check: 'clock', state: 'failed', message: 'the clock is wrong', hint: 'Set it with date' },
  );
  checks.push(
    existsSync('/proc/self/fd')
      ? { check: '/proc', state: 'good', message: 'mounted' }
      : {
          check: '/proc',
          state: 'failed',
          message: 'not mounted',
          hint: 'Mount it: mount -t proc proc /proc',
        },
  );
  return checks;
}

/** What a refresh should have prolonged long ago. */
const SOON = 3 * 86_400_000;

/** Warns of trust that ends soon, before it stops the root. */
function expiryWarnings(root: string, now: Date): Check[] {
  return attachedRepositories(root, now)
    .filter(({ enabled, trust, expires }) => enabled && trust === 'good' && expires !== null)
    .filter(({ expires }) => Date.parse(expires ?? '') - now.getTime() < SOON)
    .map(({ name, expires }) => ({
      check: 'trust',
      state: 'warning',
      message: `what is known of ${name} is good until ${expires ?? ''} only`,
      hint: 'Run icepkg update; where that changes nothing, ask its operator to publish again',
    }));
}

export const doctorError = (checks: readonly Check[]): IcepkgError =>
  new IcepkgError('verify-failed', `failed: ${namesOf(checks, 'failed')}`, {
    hint: 'Do what the hints say, then run icepkg doctor again',
    data: { checks },
  });

const namesOf = (checks: readonly Check[], state: Check['state']): string =>
  checks
    .filter((one) => one.state === state)
    .map((one) => one.check)
    .join(', ');

function attempt<T>(checks: Check[], check: string, work: () => T): T | undefined {
  try {
    const result = work();
    checks.push({ check, state: 'good', message: 'in order' });
    return result;
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    checks.push({ check, state: 'failed', message: error.message, ...hint });
    return undefined;
  }
}

function checkDatabase(root: string): void {
  const file = join(root, STATE_FILE);
  const store = openStore(root, { mode: 'read' });
  try {
    const result = translated(file, () => store.database.pragma('integrity_check', { simple: true }));
    if (result !== 'ok')
      throw new IcepkgError('store-corrupt', `the package database ${file} is damaged: ${String(result)}`, {
        hint: 'Restore it from a backup; no package file was touched',
      });
  } finally {
    store.close();
  }
}

function scriptTools(arch: MachineArch): Check {
  if (!isNative(arch))
    return { check: 'scripts', state: 'good', message: `none is run for ${arch}, which is foreign here` };
  const found = ['bwrap', 'chroot'].find(onPath);
  return found === undefined
    ? {
        check: 'scripts',
        state: 'warning',
        message: 'neither bwrap nor chroot is here, so no script of a package can run',
        hint: 'Install bubblewrap',
      }
    : { check: 'scripts', state: 'good', message: `confined by ${found}` };
}

function onPath(tool: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
