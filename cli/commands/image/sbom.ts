import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { builtFlags, readBuilt } from '#cli/image-flags';

/** `icepkg image sbom`: the bill of materials of a built image. */
export default class ImageSbom extends BaseCommand {
  static override summary = 'Print the bill of materials of a built image';
  static override description =
    'Every package of the image with its licence and hash, and every file with its hash below the packages that own it;\n' +
    'files of the definition stand below the image itself. The same image gives the same bytes.';
  static override examples = [
    'icepkg image sbom golinux --board qemu-x86_64 > golinux.spdx.json',
    'icepkg image sbom golinux --board qemu-x86_64 --format cyclonedx > golinux.cdx.json',
  ];
  static override args = {
    image: Args.string({ required: true, description: 'system, or path of an image definition' }),
  };
  static override flags = {
    ...builtFlags,
    format: Flags.option({
      options: ['spdx', 'cyclonedx'] as const,
      default: 'spdx' as const,
      helpValue: 'FORMAT',
      summary: 'SPDX 3.0.1 or CycloneDX 1.6, both as JSON',
    })(),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageSbom);
    const { description } = await readBuilt(args.image, flags);
    const text =
      flags.format === 'spdx'
        ? (await import('#bootstrap/sbom-spdx')).imageSpdx(description)
        : (await import('#bootstrap/sbom-cyclonedx')).imageCycloneDx(description);
    this.print(text.trimEnd());
    return JSON.parse(text);
  }
}
