import { Args, Flags } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { builtFlags, machineFlags, machineOptions, readBuilt } from '#cli/image-flags';
import { IcepkgError } from '#schema/error';

/** `icepkg image run`: boots a built image at the terminal. */
export default class ImageRun extends BaseCommand {
  static override summary = 'Boot a built image in QEMU, with its console on this terminal';
  static override description =
    'What the guest changes goes to a copy of the disk, unless --persistent is given. Power the guest off to come back.\n' +
    'KVM runs the guest where a small guest, booted first, shows that it can; --accelerator decides otherwise.\n' +
    'Lines of an input that is no terminal are typed after the sentinel of the definition, each at a prompt.';
  static override examples = ['icepkg image run golinux --board qemu-x86_64 --forward 2222:22'];
  static override args = {
    image: Args.string({ required: true, description: 'system, or path of an image definition' }),
  };
  static override flags = {
    ...builtFlags,
    ...machineFlags,
    persistent: Flags.boolean({ summary: 'let the guest change the disk' }),
    forward: Flags.string({
      multiple: true,
      helpValue: 'HOST:GUEST',
      summary: 'forward a TCP port of loopback to the guest',
    }),
  };

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ImageRun);
    const { definition, folder, description } = await readBuilt(args.image, flags);
    const { qemuMachine, runMachine } = await import('#bootstrap/qemu');
    const { persistent, forward: forwards = [] } = flags;
    const { probeAccelerator } = await import('#bootstrap/accelerator');
    const accelerator = flags.accelerator ?? (await probeAccelerator(definition));
    const options = { folder, definition, description, persistent, forwards };
    const machine = qemuMachine({ ...options, ...machineOptions(flags), accelerator });
    const sentinel = process.stdin.isTTY ? undefined : definition.boot?.sentinel;
    const { runPiped } = await import('#bootstrap/run-piped');
    const status = await (sentinel === undefined
      ? runMachine(machine)
      : runPiped(machine, { input: process.stdin, output: process.stdout, sentinel }));
    if (status !== 0) throw new IcepkgError('image-failed', `QEMU ended with status ${status}`);
    return { status };
  }
}
