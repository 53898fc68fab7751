import { Flags } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class List extends BaseCommand {
  static override summary = 'List installed packages';
  static override examples = ['icepkg list', 'icepkg list --requested', 'icepkg list --upgradable --json'];
  static override flags = {
    ...rootFlags,
    requested: Flags.boolean({ summary: 'only what was asked for' }),
    upgradable: Flags.boolean({ summary: 'only where a repository offers a newer version' }),
  };

  async run(): Promise<unknown> {
    const { flags } = await this.parse(List);
    const context = await this.openRoot(flags);
    const { list } = await import('#engine/queries/available');
    const packages = await list(context, { requested: flags.requested, upgradable: flags.upgradable });
    const rows = packages.map((one) => [
      one.package,
      one.available === null ? one.version : `${one.version} -> ${one.available}`,
      one.arch,
      one.repository ?? 'local file',
      one.requested ? 'requested' : '',
    ]);
    if (rows.length > 0) this.print(tableText(rows));
    else this.remark(flags.upgradable ? 'everything is up to date' : 'nothing is installed');
    return { packages };
  }
}
