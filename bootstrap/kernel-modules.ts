/** Which files of a kernel's modules are needed for those that a board names, in the order in which they are loaded. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';

const FOLDER = 'lib/modules';

/**
 * @param tree the composed root
 * @returns paths in the root; each comes after what it needs
 * @throws IcepkgError `image-failed` for a module that the kernel does not have
 */
export function moduleFiles(tree: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const folder = modulesFolder(tree);
  const lines = (file: string): string[] => {
    const whole = path.join(tree, folder, file);
    return fs.existsSync(whole) ? fs.readFileSync(whole, 'utf8').split('\n').filter(Boolean) : [];
  };
  const depends = new Map(lines('modules.dep').map(parseDependencies));
  const files = new Map([...depends.keys()].map((file) => [moduleName(file), file]));
  const builtin = new Set(lines('modules.builtin').map(moduleName));
  const before = softDependencies(lines('modules.softdep'));
  const aliases = modulesByAlias(lines('modules.alias'));
  const ordered = new Set<string>();
  const add = (name: string, asked: boolean): void => {
    const file = files.get(name);
    if (file === undefined) {
      if (asked && !builtin.has(name)) throw unknownModule(name, folder);
      return;
    }
    if (ordered.has(file)) return;
    for (const other of before.get(name) ?? [])
      for (const module of aliases.get(other) ?? [other]) add(module, false);
    for (const needed of depends.get(file)?.toReversed() ?? []) add(moduleName(needed), false);
    ordered.add(file);
  };
  for (const name of names) add(normal(name), true);
  return [...ordered].map((file) => `${folder}/${file}`);
}

function modulesFolder(tree: string): string {
  const whole = path.join(tree, FOLDER);
  const [release, ...others] = fs.existsSync(whole) ? fs.readdirSync(whole).sort() : [];
  if (release !== undefined && others.length === 0) return `${FOLDER}/${release}`;
  throw new IcepkgError(
    'image-failed',
    release === undefined
      ? 'no package of the image brings modules of a kernel'
      : `the image has modules of several kernels: ${[release, ...others].join(', ')}`,
    { hint: 'Take one kernel package into the board, or leave out the modules of initramfs' },
  );
}

/** The kernel takes `-` and `_` for the same. */
const normal = (name: string): string => name.replaceAll('-', '_');
const moduleName = (file: string): string => normal(path.basename(file).replace(/\.ko(\.\w+)?$/, ''));

function parseDependencies(line: string): [string, string[]] {
  const [file = '', needed = ''] = line.split(':');
  return [file, needed.split(' ').filter(Boolean)];
}

/** What is loaded before a module where it is there: `softdep NAME pre: A B post: C`. */
function softDependencies(lines: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, rest = ''] = /^softdep (\S+) (.*)$/.exec(line) ?? [];
    const pre = /pre:([^:]*?)(?:\w+:|$)/.exec(rest)?.[1] ?? '';
    if (name !== undefined) found.set(normal(name), pre.split(' ').filter(Boolean).map(normal));
  }
  return found;
}

/**
 * Modules that go by another name too, such as all that compute the same checksum: `alias OTHER NAME`. One that suits the
 * machine is enough, but which one only the machine knows.
 */
function modulesByAlias(lines: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of lines) {
    const [word, alias = '', name = ''] = line.split(' ');
    if (word === 'alias') found.set(normal(alias), [...(found.get(normal(alias)) ?? []), normal(name)]);
  }
  return found;
}

const unknownModule = (name: string, folder: string): IcepkgError =>
  new IcepkgError('image-failed', `the kernel has no module ${name}`, {
    hint: `See what is in ${folder}, and mend initramfs.modules`,
  });
