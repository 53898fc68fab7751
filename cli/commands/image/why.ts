import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { builtFlags, readBuilt } from '#cli/image-flags';

/** `icepkg image why`: which chain of dependencies brought a package or a file into an image. */
export default class ImageWhy extends BaseCommand {
  static override summary = 'Say why a package or a file is in an image';
  static override description =
    'Shows the shortest chain of dependencies from what the definition asks for to the package, or to those that own the file.';
  static override examples = [
    'icepkg image why golinux musl --board qemu-x86_64',
    'icepkg image why golinux /bin/sh --board qemu-x86_64',
  ];
  static override args = {
    image: Args.string({ required: true, description: 'system, or path of an image definition' }),
    wanted: Args.string({ required: true, description: 'package, capability or path in the image' }),
  };
  static override flags = builtFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageWhy);
    const { description } = await readBuilt(args.image, flags);
    const { whyInImage } = await import('#bootstrap/why');
    const result = whyInImage(description, args.wanted);
    this.print(result.paths.map((path) => path.join('\n  <- ')).join('\n'));
    return result;
  }
}
