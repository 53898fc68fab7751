/** The flags that say who may sign for the roles of a repository. */
import type { RolesKeys } from '#repo-server/root-metadata';
import type { PrivateKey, PublicKey } from '#schema/keys';
import { Flags } from './oclif.ts';

const keyFlag = (role: string) =>
  Flags.string({ multiple: true, helpValue: 'FILE', summary: `key of the role ${role} instead of --key` });
const thresholdFlag = (role: string) =>
  Flags.integer({ min: 1, default: 1, helpValue: 'N', summary: `how many keys of ${role} must sign` });

export const roleFlags = {
  key: Flags.string({
    multiple: true,
    helpValue: 'FILE',
    summary: 'private key, for each role that is given none of its own',
  }),
  'root-key': keyFlag('root'),
  'targets-key': keyFlag('targets'),
  'snapshot-key': keyFlag('snapshot'),
  'timestamp-key': keyFlag('timestamp'),
  'root-threshold': thresholdFlag('root'),
  'targets-threshold': thresholdFlag('targets'),
  'snapshot-threshold': thresholdFlag('snapshot'),
  'timestamp-threshold': thresholdFlag('timestamp'),
};

type KeyFlag = 'key' | 'root-key' | 'targets-key' | 'snapshot-key' | 'timestamp-key';
type ThresholdFlag = 'root-threshold' | 'targets-threshold' | 'snapshot-threshold' | 'timestamp-threshold';
export type RoleFlagValues = Readonly<Record<ThresholdFlag, number>> &
  Readonly<Partial<Record<KeyFlag, string[] | undefined>>>;

/** Reads the key files; of each role the public halves, and whatever private halves there are. */
export async function rolesFromFlags(
  flags: RoleFlagValues,
): Promise<{ readonly roles: RolesKeys; readonly keys: readonly PrivateKey[] }> {
  const { readAnyKey } = await import('#repo-server/key-files');
  const keys: PrivateKey[] = [];
  const read = (files: readonly string[]): PublicKey[] =>
    files.map((file) => {
      const key = readAnyKey(file);
      if (key.private !== undefined) keys.push(key.private);
      return key.public;
    });
  const shared = read(flags.key ?? []);
  const role = (files: readonly string[] | undefined, threshold: number): RolesKeys['root'] => ({
    keys: files === undefined ? shared : read(files),
    threshold,
  });
  const roles = {
    root: role(flags['root-key'], flags['root-threshold']),
    targets: role(flags['targets-key'], flags['targets-threshold']),
    snapshot: role(flags['snapshot-key'], flags['snapshot-threshold']),
    timestamp: role(flags['timestamp-key'], flags['timestamp-threshold']),
  };
  return { roles, keys };
}
