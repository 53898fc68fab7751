import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { sizeText } from '#cli/size';
import type { ImageDiff, Version } from '#bootstrap/diff';

/** `icepkg image diff`: what changed from one image or lock to another. */
export default class ImageDiffCommand extends BaseCommand {
  static override summary = 'Show what differs between two images or two locks';
  static override description =
    'Takes locks, or the NAME.ARCH.json that lies beside every image. Packages are compared by version, size and licence,\n' +
    'files by type, mode, owner and content. With --exit-code the exit status is 1 where anything differs.';
  static override examples = [
    'icepkg image diff old/golinux-qemu-x86_64.x86_64.json .cache/images/golinux-qemu-x86_64.x86_64.json',
    'icepkg image diff yesterday.lock.json golinux-qemu-x86_64.lock.json',
  ];
  static override args = {
    old: Args.string({ required: true, description: 'lock or description before' }),
    new: Args.string({ required: true, description: 'lock or description after' }),
  };
  static override flags = {
    'exit-code': Flags.boolean({ summary: 'exit with 1 where they differ' }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageDiffCommand);
    const { diffImages, isSameImage, readSide } = await import('#bootstrap/diff');
    const diff = diffImages(readSide(args.old), readSide(args.new));
    const same = isSameImage(diff);
    for (const line of diffLines(diff)) this.print(line);
    if (same) this.print('no difference');
    if (flags['exit-code'] && !same) process.exitCode = 1;
    return { same, ...diff };
  }
}

function diffLines({ packages, files, outputs }: ImageDiff): string[] {
  const one = ({ name, version, size, license }: Version): string =>
    `${name} ${version} (${sizeText(size)}, ${license})`;
  const growth = (from: number, to: number): string =>
    from === to ? '' : `, ${sizeText(from)} -> ${sizeText(to)}`;
  return [
    ...packages.removed.map((version) => `- package ${one(version)}`),
    ...packages.added.map((version) => `+ package ${one(version)}`),
    ...packages.changed.map(({ name, from, to }) => {
      const step =
        from.version === to.version ? `${from.version} rebuilt` : `${from.version} -> ${to.version}`;
      const license = from.license === to.license ? '' : `, ${from.license} -> ${to.license}`;
      return `~ package ${name} ${step}${growth(from.size, to.size)}${license}`;
    }),
    ...(files?.removed ?? []).map((file) => `- ${file}`),
    ...(files?.added ?? []).map((file) => `+ ${file}`),
    ...(files?.changed ?? []).map(({ path, what }) => `~ ${path}: ${what.join(', ')}`),
    ...outputs.map(({ format, from, to }) => `~ output ${format}${growth(from, to)}`),
  ];
}
