import { BaseCommand, rootFlags } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class ConfigList extends BaseCommand {
  static override summary = 'List configuration files that were changed or have a new version beside them';
  static override examples = ['icepkg config list', 'icepkg config list --json'];
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(ConfigList);
    const context = await this.openRoot(flags);
    const { configFiles } = await import('#engine/queries/config-files');
    const files = configFiles(context.root).filter((file) => file.state !== 'as installed' || file.pending);
    const rows = files.map((file) => [
      `/${file.path}`,
      file.package,
      file.state,
      file.pending ? 'new version waits' : '',
    ]);
    if (rows.length > 0) this.print(tableText(rows));
    else this.remark('every configuration file is as installed');
    return { files };
  }
}
