/** The flags that say what of a repository is copied. */
import type { BundleFilter } from '#repo-server/bundle';
import { Flags } from './oclif.ts';

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
  closure: Flags.boolean({ default: false, summary: 'with --package: also what those need' }),
};

export interface MirrorFlagValues {
  readonly channel?: string[] | undefined;
  readonly arch?: (typeof ARCHES)[number][] | undefined;
  readonly package?: string[] | undefined;
  readonly closure: boolean;
}

export const filterFromFlags = (flags: MirrorFlagValues): BundleFilter => ({
  channels: flags.channel ?? ['stable'],
  ...(flags.arch === undefined ? {} : { arches: flags.arch }),
  ...(flags.package === undefined ? {} : { packages: flags.package }),
  ...(flags.closure ? { closure: true } : {}),
});
