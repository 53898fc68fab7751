import { join } from 'node:path';
import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { builtFlags, readBuilt } from '#cli/image-flags';
import { sizeText } from '#cli/size';
import { IcepkgError } from '#schema/error';

/** `icepkg image flash`: a built image onto a disk. */
export default class ImageFlash extends BaseCommand {
  static override summary = 'Write a built image to a device or a file, and verify it';
  static override description =
    'The image is compared with the SHA256SUMS of its folder before anything is written, and the target is read back after it.\n' +
    'A device that is mounted or used otherwise, and one that is too small, is refused. With --key the checksums must be signed\n' +
    'by one of these keys.';
  static override examples = [
    'icepkg image flash golinux /dev/sdX --board zima',
    'icepkg image flash golinux ./card.img --board qemu-x86_64 --key maker.pub --yes',
  ];
  static override args = {
    image: Args.string({ required: true, description: 'system, or path of an image definition' }),
    target: Args.string({ required: true, description: 'device, or file' }),
  };
  static override flags = {
    ...builtFlags,
    key: Flags.string({
      multiple: true,
      helpValue: 'FILE',
      summary: 'public key that may have signed the image',
    }),
    yes: Flags.boolean({ char: 'y', summary: 'do not ask' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageFlash);
    const { folder, description } = await readBuilt(args.image, flags);
    const disk = description.files.find(({ format }) => format === 'img');
    if (disk === undefined)
      throw new IcepkgError('image-failed', `${description.name} has no disk image to write`, {
        hint: 'Add img to the formats of the definition',
      });
    const { releasedDigest } = await import('#bootstrap/release');
    const { readAnyKey } = await import('#repo-server/key-files');
    const { flashImage } = await import('#bootstrap/flash');
    const keys = (flags.key ?? []).map((file) => readAnyKey(file).public);
    const signal = this.interruptible();
    const target = await flashImage({
      image: join(folder, disk.file),
      sha256: releasedDigest(folder, disk.file, keys),
      target: args.target,
      signal,
      confirm: async ({ path, size, isDevice }) => {
        if (flags.yes) return true;
        const what = size === undefined ? path : `${path} (${sizeText(size)})`;
        const { ask } = await import('#cli/ask');
        return ask(
          isDevice || size !== undefined ? `Everything on ${what} is lost. Go ahead?` : `Write ${what}?`,
          signal,
        );
      },
    });
    this.print(`${target.path}: ${sizeText(disk.size)} written and verified`);
    return { target: target.path, bytes: disk.size, sha256: disk.sha256 };
  }
}
