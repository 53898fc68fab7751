/** The flags that say what of a repository is copied. */
import type { BundleFilter } from '#repo-server/bundle';
import type { Mirrored } from '#repo-server/mirror';
import { IcepkgError } from '#schema/error';
import { Flags } from './oclif.ts';
import { countText, parseSize } from './size.ts';

const ARCHES = ['x86_64', 'aarch64'] as const;

export const mirrorFlags = {
  channel: Flags.string({ multiple: true, helpValue: 'CHANNEL', summary: 'channel to copy (stable)' }),
  arch: Flags.option({
    options: ARCHES,
    multiple: true,
    helpValue: 'ARCH',
    summary: 'only for these machines',
  })(),
  package: Flags.string({
    multiple: true,
    helpValue: 'GLOB',
    summary: 'only packages of these names, with * and ?',
  }),
  'no-patches': Flags.boolean({
    default: false,
    summary: 'without the patches to the packages, which make upgrades small',
  }),
  closure: Flags.boolean({ default: false, summary: 'with --package: also what those need' }),
  snapshots: Flags.integer({
    min: 0,
    max: 32,
    default: 0,
    helpValue: 'N',
    summary: 'also the newest N snapshots that each channel served before, for roots that stay at one',
  }),
};

export const limitRateFlag = Flags.string({
  helpValue: 'RATE',
  summary: 'bytes a second to take at most from the other repository, such as 500K or 2M',
});

/** Below it a transfer could not be told from one that hangs. */
const LEAST_RATE = 16 * 1024;

/** @throws IcepkgError `usage` */
export function rateFromFlag(text: string | undefined): { readonly limitRate?: number } {
  if (text === undefined) return {};
  const limitRate = parseSize(text);
  if (limitRate >= LEAST_RATE) return { limitRate };
  throw new IcepkgError('usage', `--limit-rate ${text} is less than ${LEAST_RATE / 1024}K`, {
    hint: 'Give at least 16K, that is 16,384 bytes a second',
  });
}

export interface MirrorFlagValues {
  readonly channel?: string[] | undefined;
  readonly arch?: (typeof ARCHES)[number][] | undefined;
  readonly package?: string[] | undefined;
  readonly closure: boolean;
  readonly 'no-patches': boolean;
  readonly snapshots: number;
}

export const filterFromFlags = (flags: MirrorFlagValues): BundleFilter => ({
  channels: flags.channel ?? ['stable'],
  ...(flags.arch === undefined ? {} : { arches: flags.arch }),
  ...(flags.package === undefined ? {} : { packages: flags.package }),
  ...(flags.closure ? { closure: true } : {}),
  ...(flags['no-patches'] ? { patches: false } : {}),
  ...(flags.snapshots === 0 ? {} : { snapshots: flags.snapshots }),
});

/** What of a channel is here now. */
export function channelText({ channel, packages, expires, snapshots }: Mirrored['channels'][number]): string {
  const older = snapshots.length === 0 ? '' : `\n${channel}: older snapshots ${snapshots.join(' ')}`;
  return `${channel}: ${countText(packages, 'package')}, good until ${expires}${older}`;
}
