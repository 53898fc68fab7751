import { BaseCommand, rootFlags } from '#cli/base-command';
import { countText } from '#cli/size';

export default class Update extends BaseCommand {
  static override summary = 'Ask the repositories what is new';
  static override description =
    'Refreshes the trusted indexes. Installs nothing; see icepkg upgrade. A repository that cannot be refreshed does not\n' +
    'keep the others from it; the exit status tells of it.';
  static override examples = ['icepkg update', 'icepkg update --root ./device'];
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Update);
    const context = await this.openRoot(flags);
    const { update, updateError } = await import('#engine/queries/available');
    const result = await update(context);
    for (const { repository, packages, problem } of result.repositories)
      this.print(
        `${repository}: ${problem === undefined ? countText(packages ?? 0, 'package') : 'not refreshed'}`,
      );
    const error = updateError(result);
    this.print(
      result.upgradable.length === 0
        ? `everything installed is up to date${error === undefined ? '' : ', as far as that is known'}`
        : `upgradable: ${result.upgradable.map((one) => one.package).join(' ')}`,
    );
    if (error !== undefined) throw error;
    return result;
  }
}
