import { BaseCommand, rootFlags } from '#cli/base-command';
import { countText } from '#cli/size';

export default class Update extends BaseCommand {
  static override summary = 'Ask the repositories what is new';
  static override description = 'Refreshes the trusted indexes. Installs nothing; see icepkg upgrade.';
  static override examples = ['icepkg update', 'icepkg update --root ./device'];
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Update);
    const context = await this.openRoot(flags);
    const { update } = await import('#engine/queries/available');
    const result = await update(context);
    for (const { repository, packages } of result.repositories)
      this.print(`${repository}: ${countText(packages, 'package')}`);
    this.print(
      result.upgradable.length === 0
        ? 'everything installed is up to date'
        : `upgradable: ${result.upgradable.map((one) => one.package).join(' ')}`,
    );
    return result;
  }
}
