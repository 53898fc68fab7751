import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { builtFlags, machineFlags, machineOptions, readBuilt } from '#cli/image-flags';
import { IcepkgError } from '#schema/error';

/** `icepkg image test`: boots a built image and checks it. */
export default class ImageTest extends BaseCommand {
  static override summary = 'Boot a built image in QEMU and check it';
  static override description =
    'Boots the image headless on a copy of its disk, waits for the sentinel of its definition, runs the checks over the\n' +
    'serial console, and fails where one fails or a budget (image size, boot time, idle memory) is exceeded. QEMU emulates the\n' +
    'processor, so that boot times mean the same everywhere; --accelerator kvm is faster.';
  static override examples = ['icepkg image test golinux --board qemu-x86_64'];
  static override args = {
    image: Args.string({ required: true, description: 'system, or path of an image definition' }),
  };
  static override flags = { ...builtFlags, ...machineFlags };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageTest);
    const { definition, folder, description } = await readBuilt(args.image, flags);
    const { qemuMachine } = await import('#bootstrap/qemu');
    const { testImage } = await import('#bootstrap/test-image');
    const machine = qemuMachine({
      folder,
      definition,
      description,
      persistent: false,
      forwards: [],
      ...machineOptions(flags),
    });
    const result = await testImage(definition, description, machine, (step) => {
      if (!flags.quiet) this.remark(`${definition.name}: ${step}`);
    });
    this.print(
      `booted in ${result.bootSeconds.toFixed(2)} s, with ${result.bootProcessorSeconds.toFixed(2)} s of processor time`,
    );
    if (result.idleMemory !== undefined)
      this.print(`${(result.idleMemory / 1024 ** 2).toFixed(1)} MiB of memory in use`);
    for (const { name, passed, output } of result.checks)
      this.print(passed ? `ok      ${name}` : `FAILED  ${name}\n${output}`);
    const failed = result.checks.filter(({ passed }) => !passed).map(({ name }) => name);
    const problems = [...(failed.length === 0 ? [] : [`failed: ${failed.join(', ')}`]), ...result.exceeded];
    if (problems.length > 0)
      throw new IcepkgError('image-failed', problems.join('; '), {
        hint: 'See the image from inside: icepkg image run',
        data: { result },
      });
    return result;
  }
}
