/** GRUB, put together of the modules that packages bring. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { run } from '#pkgbuild/command';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import type { Definition } from './definition.ts';
import { requireTools } from './fakeroot.ts';
import type { Tree } from './split-tree.ts';

/** A kind of machine that GRUB starts on. */
export interface Platform {
  /** As grub-mkimage calls it. */
  readonly format: string;
  /** Folder of its modules below `usr/lib/grub`, as packages bring them. */
  readonly modules: string;
}

/** What it takes to read the menu and start a kernel, which on aarch64 may be compressed by gzip. */
const MODULES = ['normal', 'linux', 'gzio', 'search', 'configfile', 'echo', 'test', 'part_gpt'];

export interface GrubRequest {
  readonly tree: Tree;
  readonly platform: Platform;
  /** Folder of `grub.cfg` on what `search` finds. */
  readonly prefix: string;
  /** Arguments of the command `search`. */
  readonly search: string;
  /** Modules beside those that are always wanted. */
  readonly modules: readonly string[];
  readonly output: string;
  readonly scratch: string;
}

/** Writes a GRUB that finds its menu and shows it. @throws IcepkgError `tool-missing`, `image-failed` */
export async function makeGrub(request: GrubRequest): Promise<void> {
  requireTools({ 'grub-mkimage': 'grub-common' });
  const { tree, platform, prefix, search, output, scratch } = request;
  const early = path.join(scratch, `early-${platform.format}.cfg`);
  fs.writeFileSync(
    early,
    `search --set=root ${search}\nset prefix=($root)${prefix}\nconfigfile $prefix/grub.cfg\n`,
  );
  const where = ['-O', platform.format, '-d', grubFolder(tree, platform), '-p', prefix, '-c', early];
  await must(['grub-mkimage', ...where, '-o', output, ...MODULES, ...request.modules]);
}

/** @throws IcepkgError `image-failed` where no package brings it */
export function grubFolder(tree: Tree, { modules }: Platform): string {
  const folder = path.join(tree.folder, 'usr/lib/grub', modules);
  if (fs.existsSync(folder)) return folder;
  throw new IcepkgError('image-failed', `no package of the image brings usr/lib/grub/${modules}`, {
    hint: 'Add grub-efi, or grub-pc for BIOS, to the packages of the board',
  });
}

export interface GrubEntry {
  /** Path of the kernel. */
  readonly linux: string;
  readonly cmdline: string;
  readonly initrd: string | undefined;
}

/** A menu of one entry that starts at once. @throws IcepkgError `image-failed` where the kernel would be told something else */
export function grubMenu({ system, hardware }: Definition, { linux, cmdline, initrd }: GrubEntry): string {
  const words = [linux, ...cmdline.split(' ').filter((word) => word !== '')];
  const serial = hardware.console?.startsWith('ttyS') === true;
  return [
    ...(serial
      ? ['serial --unit=0 --speed=115200', 'terminal_input serial console', 'terminal_output serial console']
      : []),
    'set timeout=0',
    `menuentry "${system}" {`,
    `  linux ${words.map(literal).join(' ')}`,
    ...(initrd === undefined ? [] : [`  initrd ${initrd}`]),
    '}',
    '',
  ].join('\n');
}

/** A word that GRUB takes as it stands: its menu is a script, with variables and several commands in a line. */
function literal(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (!/['"\\]/.test(word)) return `'${word}'`;
  throw new IcepkgError('image-failed', `GRUB cannot pass on to the kernel: ${word}`, {
    hint: 'Write cmdline, and the name of the kernel, without quotes and backslashes',
  });
}

/** Runs a program that makes the same of the same input. @throws IcepkgError `image-failed` with what it said */
export async function must(
  argv: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: String(BUILD_EPOCH),
  };
  const result = await run(argv, { env: { ...env, ...more } });
  if (result.status !== 0)
    throw new IcepkgError('image-failed', `${argv[0] ?? ''}: ${(result.stderr || result.stdout).trim()}`);
}
