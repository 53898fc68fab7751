import { Args } from '#cli/oclif';
import { BaseCommand, rootFlags } from '#cli/base-command';
import { sizeText } from '#cli/size';

/** Columns for values beside their labels, of the eighty that every terminal has. */
const WIDTH = 65;

export default class Info extends BaseCommand {
  static override summary = 'Describe a package: installed, offered, or an .icepkg file';
  static override examples = ['icepkg info busybox', 'icepkg info ./hello-1.0.0-r0.x86_64.icepkg'];
  static override args = { package: Args.string({ required: true, description: 'package or .icepkg file' }) };
  static override flags = rootFlags;

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Info);
    const { info, fileInfo } = await import('#engine/queries/info');
    const result = args.package.endsWith('.icepkg')
      ? fileInfo(args.package)
      : await info(await this.openRoot(flags), args.package);
    for (const [index, { record, state, declares = {} }] of result.versions.entries()) {
      if (index > 0) this.print('');
      const line = (label: string, value: string | undefined): void => {
        if (value !== undefined && value !== '') this.print(wrapped(`${label}:`.padEnd(14), value));
      };
      line('name', record.name);
      line('version', record.version);
      line('upstream', record.upstreamVersion);
      line('architecture', record.arch);
      line('state', state);
      line('description', record.description);
      line('license', record.license);
      line('url', record.url);
      line('maintainer', record.maintainer);
      line('origin', record.origin);
      line('size', `${sizeText(record.installedSize)} installed, ${sizeText(record.package.size)} packed`);
      line('depends', record.depends?.join(', '));
      line('recommends', record.recommends?.join(', '));
      line('provides', record.provides?.join(', '));
      line('replaces', record.replaces?.join(', '));
      line('install if', record.installIf?.join(', '));
      line('users', declares.users?.map(({ name }) => name).join(', '));
      line('groups', declares.groups?.map(({ name }) => name).join(', '));
      line('services', declares.services?.map(({ name }) => name).join(', '));
      line(
        'alternatives',
        declares.alternatives
          ?.map(({ link, target, priority }) => `${link} -> ${target} (${priority})`)
          .join(', '),
      );
      line('scripts', Object.keys(declares.scripts ?? {}).join(', '));
      line('manifest', record.manifest.sha256);
    }
    return result;
  }
}

/** Lists are broken at their commas, everything else is left to the terminal. */
function wrapped(label: string, value: string): string {
  const lines = [''];
  for (const item of value.split(/(?<=, )/)) {
    const last = lines.length - 1;
    const line = lines[last] ?? '';
    if (line !== '' && line.length + item.trimEnd().length > WIDTH) lines.push(item);
    else lines[last] = line + item;
  }
  return lines
    .map((line, at) => `${at === 0 ? label : ' '.repeat(label.length)} ${line.trimEnd()}`)
    .join('\n');
}
