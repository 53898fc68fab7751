import { statSync } from 'node:fs';
import { Args } from '#cli/oclif';
import { BaseCommand } from '#cli/base-command';
import { standingText } from '#cli/root-change-flags';

export default class RepoRootShow extends BaseCommand {
  static override summary = 'Show who may sign what';
  static override description =
    'Shows the newest root of a repository, or a root in a file: roles, thresholds, key ids, and how far it is signed.';
  static override examples = ['icepkg repo root show ./repo', 'icepkg repo root show next.json'];
  static override args = {
    root: Args.string({ required: true, description: 'folder of a repository, or file of a root' }),
  };

  async run(): Promise<unknown> {
    const { args } = await this.parse(RepoRootShow);
    const { currentRoot, readRootFile, standingOf } = await import('#repo-server/root-change');
    const { parseMetadata } = await import('#schema/tuf/metadata');
    const isFolder = statSync(args.root, { throwIfNoEntry: false })?.isDirectory() === true;
    const standing = standingOf(
      isFolder ? currentRoot(args.root) : parseMetadata(readRootFile(args.root), 'root', args.root),
    );
    this.print(standingText(standing));
    return standing;
  }
}
