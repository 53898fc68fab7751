import { resolve } from 'node:path';
import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { definitionFlags, depotFlags, imageCache, loadImage, openImageDepot } from '#cli/image-flags';
import { createProgressReporter } from '#cli/progress';
import type { PrivateKey } from '#schema/keys';

/** `icepkg image build`: a definition to images. */
export default class ImageBuild extends BaseCommand {
  static override summary = 'Build an image of a system for a board';
  static override description = `Composes the image purely from packages and the overlay of its definition, without root rights, for a foreign
architecture too, the same bytes every time. IMAGE is the name of a system, which needs --board, or the path of an image
definition.

With --lock FILE the packages are exactly those of the lock; where all are in the cache, no connection is opened. Without one
the newest that fit are taken.

The folder that receives the images lists all files of all its images in SHA256SUMS; with --key, SHA256SUMS.sig signs them.`;
  static override examples = [
    'icepkg image build golinux --board qemu-x86_64 --repository main=./repo --trust root.json',
    'icepkg image build ./my-device.yaml --lock my-device.lock.json --output images',
  ];
  static override args = {
    image: Args.string({ required: true, description: 'system, or path of an image definition' }),
  };
  static override flags = {
    ...definitionFlags,
    ...depotFlags,
    lock: Flags.string({ helpValue: 'FILE', summary: 'take exactly the packages of this lock' }),
    key: Flags.string({
      multiple: true,
      helpValue: 'FILE',
      summary: 'private key to sign the checksums of the output folder with',
    }),
    output: Flags.string({
      char: 'o',
      default: '.cache/images',
      helpValue: 'DIR',
      summary: 'folder that receives the images',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageBuild);
    const definition = await loadImage(args.image, flags);
    const { buildImage } = await import('#bootstrap/build');
    const { checkLock, lockImage, readLock } = await import('#bootstrap/lock');
    const onProgress = createProgressReporter({ quiet: flags.quiet || this.jsonEnabled() });
    const locked = flags.lock === undefined ? undefined : readLock(flags.lock);
    if (locked !== undefined && flags.lock !== undefined) checkLock(locked, definition, flags.lock);
    const fromLock = locked !== undefined && flags.repository === undefined;
    const depot = fromLock ? undefined : await openImageDepot(definition, flags, onProgress);
    const lock = locked ?? (depot === undefined ? undefined : await lockImage(definition, depot));
    if (lock === undefined) throw new Error('a build without a lock has a depot');
    const built = await buildImage({
      definition,
      lock,
      ...(depot === undefined ? {} : { depot }),
      cacheFolder: await imageCache(flags.cache),
      output: resolve(flags.output),
      keys: await readKeys(flags.key ?? []),
      onProgress,
      onStep: (step) => {
        if (!flags.quiet) this.remark(`${definition.name}: ${step}`);
      },
    });
    for (const notice of built.notices) this.remark(notice);
    for (const { file } of built.files) this.print(`${flags.output}/${file}`);
    return built;
  }
}

async function readKeys(files: readonly string[]): Promise<PrivateKey[]> {
  if (files.length === 0) return [];
  const { readKeyFile } = await import('#repo-server/key-files');
  return files.map(readKeyFile);
}
