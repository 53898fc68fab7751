import { writeFileSync } from 'node:fs';
import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { definitionFlags, depotFlags, imageCache, loadImage, openImageDepot } from '#cli/image-flags';
import { createProgressReporter } from '#cli/progress';

/** `icepkg image lock`: the exact packages of an image. */
export default class ImageLock extends BaseCommand {
  static override summary = 'Write down the exact packages of an image';
  static override description =
    'Solves what the definition asks for and writes every package with its version and hashes to a file. Building\n' +
    'from that lock needs no repository any more and gives the same bytes.';
  static override examples = [
    'icepkg image lock golinux --board qemu-x86_64 --repository main=./repo --trust root.json',
  ];
  static override args = {
    image: Args.string({ required: true, description: 'system, or path of an image definition' }),
  };
  static override flags = {
    ...definitionFlags,
    ...depotFlags,
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      summary: 'file to write; NAME.lock.json in the working folder without',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageLock);
    const definition = await loadImage(args.image, flags);
    const onProgress = createProgressReporter({ quiet: flags.quiet || this.jsonEnabled() });
    const { encodeLock, fetchLocked, lockImage } = await import('#bootstrap/lock');
    const { packageCache } = await import('#bootstrap/depot');
    const depot = await openImageDepot(definition, flags, onProgress);
    const lock = await lockImage(definition, depot);
    await fetchLocked(depot, lock, packageCache(await imageCache(flags.cache)));
    const file = flags.output ?? `${definition.name}.lock.json`;
    writeFileSync(file, encodeLock(lock));
    this.print(`${file}: ${lock.locked.length} packages`);
    return { file, packages: lock.locked.map(({ record }) => `${record.name}-${record.version}`) };
  }
}
