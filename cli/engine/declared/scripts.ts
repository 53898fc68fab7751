/** Which scripts of which packages a transaction runs, as data that the journal keeps until they ran. */
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import type { Manifest, Scripts } from '#schema/manifest';
import type { Change } from '../model.ts';

export interface PendingScript {
  readonly package: string;
  readonly script: keyof Scripts;
  readonly text: string;
  /** `before` the files move into place, or `after`; both after the commit point. */
  readonly when: 'before' | 'after';
  /** Version that was installed, and that is from now on. */
  readonly oldVersion: string | undefined;
  readonly newVersion: string | undefined;
}

/** A script that did not end well; the transaction stands all the same. */
export interface ScriptFailure {
  readonly package: string;
  readonly script: keyof Scripts;
  /** Why, in words. */
  readonly reason: string;
  /** The end of what it wrote. */
  readonly output: string;
}

/** True where this machine can execute what a root of `arch` holds. */
export const isNative = (arch: MachineArch): boolean =>
  arch === (process.arch === 'arm64' ? 'aarch64' : 'x86_64');

/** @throws IcepkgError `image-failed` naming the packages that want to run something while an image is composed */
export function refuseScripts(scripts: readonly PendingScript[]): void {
  if (scripts.length === 0) return;
  const named = scripts.map((one) => `${one.package} (${one.script})`).join(', ');
  throw new IcepkgError(
    'image-failed',
    `no script runs while an image is composed, and these want to: ${named}`,
    {
      hint: 'Packages of images declare users, folders, services and alternatives instead; see docs/packing.md',
    },
  );
}

/** One sentence; what the script wrote follows it. */
export function describeFailure({ package: name, script, reason, output }: ScriptFailure): string {
  return `${script} of ${name}: ${reason}${output === '' ? '' : `: ${output}`}`;
}

/** In the order of the plan; those that run before the files move first. */
export function scriptsOf(
  changes: readonly Change[],
  before: ReadonlyMap<string, Manifest>,
  after: ReadonlyMap<string, Manifest>,
): readonly PendingScript[] {
  const of = (when: PendingScript['when']): PendingScript[] =>
    changes.flatMap(({ action, name, oldVersion, newVersion }) => {
      const verb = action === 'remove' ? 'Remove' : action === 'install' ? 'Install' : 'Upgrade';
      const script = `${when === 'before' ? 'pre' : 'post'}${verb}` as const;
      const text = (action === 'remove' ? before : after).get(name)?.scripts?.[script];
      return text === undefined ? [] : [{ package: name, script, text, when, oldVersion, newVersion }];
    });
  return [...of('before'), ...of('after')];
}
