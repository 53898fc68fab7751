/** What the `icepkg image` commands share: which image, and where its packages come from. */
import { resolve } from 'node:path';
import type { Definition } from '#bootstrap/definition';
import type { DepotRepository } from '#bootstrap/depot';
import type { ImageDescription } from '#bootstrap/description';
import type { EngineContext } from '#engine/context';
import type { OnProgress } from '#engine/model';
import { IcepkgError } from '#schema/error';
import { Flags } from './oclif.ts';

export const definitionFlags = {
  board: Flags.string({ char: 'b', helpValue: 'BOARD', summary: 'board to build for' }),
  images: Flags.string({
    multiple: true,
    helpValue: 'DIR',
    summary: 'folder with systems/, boards/ and profiles/; before those of the working folder',
  }),
};

/** For commands that take a built image. */
export const builtFlags = {
  ...definitionFlags,
  output: Flags.string({
    char: 'o',
    default: '.cache/images',
    helpValue: 'DIR',
    summary: 'folder that the image was built into',
  }),
};

/** For commands that boot an image. */
export const machineFlags = {
  firmware: Flags.option({
    options: ['bios', 'uefi'] as const,
    helpValue: 'FIRMWARE',
    summary: "what starts the boot loader, in place of the board's own",
  })(),
  accelerator: Flags.option({
    options: ['kvm', 'tcg'] as const,
    helpValue: 'ACCELERATOR',
    summary: 'what runs the guest: the processor, or QEMU itself',
  })(),
};

interface MachineFlagValues {
  readonly firmware?: 'bios' | 'uefi' | undefined;
  readonly accelerator?: 'kvm' | 'tcg' | undefined;
}

export const machineOptions = ({
  firmware,
  accelerator,
}: MachineFlagValues): { readonly firmware?: 'bios' | 'uefi'; readonly accelerator?: 'kvm' | 'tcg' } => ({
  ...(firmware === undefined ? {} : { firmware }),
  ...(accelerator === undefined ? {} : { accelerator }),
});

export const depotFlags = {
  repository: Flags.string({
    multiple: true,
    helpValue: 'NAME=MIRROR',
    summary: 'repository to take packages from, in place of those of the definition',
  }),
  trust: Flags.string({
    multiple: true,
    helpValue: 'FILE',
    summary: 'root.json of each --repository, in the same order',
  }),
  cache: Flags.string({ helpValue: 'DIR', summary: 'folder for packages and images' }),
};

interface DefinitionFlagValues {
  readonly board?: string | undefined;
  readonly images?: readonly string[] | undefined;
}

interface DepotFlagValues {
  readonly repository?: readonly string[] | undefined;
  readonly trust?: readonly string[] | undefined;
  readonly cache?: string | undefined;
}

export async function loadImage(
  image: string,
  { board, images = [] }: DefinitionFlagValues,
): Promise<Definition> {
  const { defaultImageRoots, loadDefinition } = await import('#bootstrap/definition');
  const roots = [...images.map((folder) => resolve(folder)), ...defaultImageRoots()];
  return loadDefinition({ image, roots, ...(board === undefined ? {} : { board }) });
}

interface BuiltFlagValues extends DefinitionFlagValues {
  readonly output: string;
}

/** What was built of an image into the folder that `--output` names. */
export async function readBuilt(image: string, flags: BuiltFlagValues): Promise<Built> {
  const definition = await loadImage(image, flags);
  const { descriptionName, readDescription } = await import('#bootstrap/description');
  const folder = resolve(flags.output);
  return { definition, folder, description: readDescription(folder, descriptionName(definition)) };
}

export interface Built {
  readonly definition: Definition;
  readonly folder: string;
  readonly description: ImageDescription;
}

export async function imageCache(given: string | undefined): Promise<string> {
  const { defaultCacheFolder } = await import('#pkgbuild/sources/cache');
  return resolve(given ?? defaultCacheFolder());
}

/** @throws IcepkgError `usage` where repositories and trusted roots do not pair up */
export async function openImageDepot(
  definition: Definition,
  flags: DepotFlagValues,
  onProgress: OnProgress,
): Promise<EngineContext> {
  const { openDepot } = await import('#bootstrap/depot');
  const given = flags.repository ?? [];
  const trust = flags.trust ?? [];
  if (given.length !== trust.length)
    throw new IcepkgError('usage', `${given.length} --repository and ${trust.length} --trust were given`, {
      hint: 'Give one --trust root.json for each --repository, in the same order',
    });
  const repositories = given.map((text, index): DepotRepository => {
    const [name = '', ...mirror] = text.split('=');
    if (mirror.length === 0)
      throw new IcepkgError('usage', `${text} is no repository`, { hint: 'Write NAME=DIR-OR-URL' });
    return { name, mirrors: [mirror.join('=')], trust: trust[index] ?? '' };
  });
  const own = definition.repositories.map(({ value, folder }): DepotRepository => {
    const { name, mirrors, channel, trust: file } = value;
    return { name, mirrors, trust: resolve(folder, file), ...(channel === undefined ? {} : { channel }) };
  });
  return openDepot({
    arch: definition.arch,
    repositories: repositories.length > 0 ? repositories : own,
    cacheFolder: await imageCache(flags.cache),
    onProgress,
  });
}
