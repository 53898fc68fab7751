import { BaseCommand, rootFlags } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class Doctor extends BaseCommand {
  static override summary = 'Check that icepkg can work here, and say what to do where it cannot';
  static override description = 'Asks every mirror whether it answers; --offline leaves that out.';
  static override examples = ['icepkg doctor', 'icepkg doctor --root ./device --offline'];
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Doctor);
    const { doctor, doctorError } = await import('#engine/queries/doctor');
    const checks = await doctor({ root: flags.root, offline: flags.offline });
    this.print(tableText(checks.map((one) => [one.state, one.check, one.message])));
    for (const one of checks) if (one.hint !== undefined) this.remark(`hint: ${this.hintText(one.hint)}`);
    if (checks.some((one) => one.state === 'failed')) throw doctorError(checks);
    return { checks };
  }
}
