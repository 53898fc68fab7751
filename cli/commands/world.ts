import { BaseCommand, rootFlags } from '#cli/base-command';

export default class World extends BaseCommand {
  static override summary = 'Show what was asked for, with holds and pins';
  static override examples = ['icepkg world', 'icepkg world --json'];
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { flags } = await this.parse(World);
    const context = await this.openRoot(flags);
    const { readStore } = await import('#engine/queries/read-store');
    const world = readStore(context.root, (store) => store.world());
    const { worldLines } = await import('#cli/plan-text');
    const lines = worldLines(world);
    for (const line of lines) this.print(line);
    if (lines.length === 0 && !flags.quiet) this.remark('nothing was asked for yet');
    return world;
  }
}
