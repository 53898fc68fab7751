import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';
import { tableText } from '#cli/table';

export default class Search extends BaseCommand {
  static override summary = 'Find packages by name, description or what they provide';
  static override examples = ['icepkg search shell', 'icepkg search cmd:awk', 'icepkg search zlib --json'];
  static override strict = false;
  static override args = { word: Args.string({ description: 'word to find; every package without one' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Search);
    const context = await this.openRoot(flags);
    const { search } = await import('#engine/queries/available');
    const packages = await search(context, argv.map(String));
    const rows = packages.map((one) => [
      one.package,
      one.version,
      one.repository,
      one.installed === null ? '' : 'installed',
      one.description,
    ]);
    if (rows.length > 0) this.print(tableText(rows));
    else this.remark('no package matches');
    return { packages };
  }
}
