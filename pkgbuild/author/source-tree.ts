/** Looks into the source that a new recipe is for. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { run } from '../command.ts';
import { walkTree, type TreeEntry } from '../tree.ts';
import type { SourceTree } from './build-system.ts';

/** So much of a file is looked at. */
const HEAD = 2 * 1024 * 1024;
const CODE_HEAD = 64 * 1024;
const MAX_CODE_FILES = 3000;
const LICENSE_NAME = '(?:copying|licen[sc]es?|unlicense)(?:[._-][^/]*)?$';
const LICENSE_FILE = new RegExp(`^${LICENSE_NAME}`, 'i');
/** Where they lie when they are not at the top. */
const LICENSE_DEEPER = new RegExp(`^(?:docs?|licen[sc]es?)/${LICENSE_NAME}`, 'i');

export interface UnpackedSource extends SourceTree {
  /** Texts of the files that are called like a licence: at the top, else among the documentation. */
  licenseTexts(): string[];
  /** The beginnings of some source files, where their licence is stated. */
  statements(): string;
}

/** Unpacks an archive without its top folder into `folder`. */
export async function unpackSource(archive: string, folder: string): Promise<UnpackedSource> {
  const result = await run(['tar', '--no-same-owner', '--strip-components=1', '-C', folder, '-xf', archive]);
  if (result.status !== 0)
    throw new IcepkgError('source-failed', `${archive}: cannot be unpacked: ${result.stderr.trim()}`, {
      hint: 'Give the address of a tar archive',
    });
  await run(['chmod', '-R', 'u+rwX', folder]);
  const options = { holder: 'the source holds', code: 'source-failed', nodes: true } as const;
  return lookInto(folder, walkTree(folder, options));
}

function lookInto(folder: string, entries: readonly TreeEntry[]): UnpackedSource {
  const top = entries.map((entry) => entry.path).filter((name) => !name.includes('/'));
  const files = entries.filter(({ type }) => type === 'file');
  const code = files
    .filter((entry) => /\.(?:c|h|cc|cpp|hpp|h\.in)$/.test(entry.path))
    .slice(0, MAX_CODE_FILES);
  const read = (file: string, limit = HEAD): string =>
    files.some((entry) => entry.path === file) ? head(path.join(folder, file), limit) : '';
  return {
    top,
    read,
    codeMatches: (pattern) => code.some((entry) => pattern.test(read(entry.path, CODE_HEAD))),
    licenseTexts: () => {
      const named = (pattern: RegExp): string[] =>
        files.map((entry) => entry.path).filter((name) => pattern.test(name));
      const atTop = named(LICENSE_FILE);
      return (atTop.length > 0 ? atTop : named(LICENSE_DEEPER)).map((name) => read(name));
    },
    statements: () =>
      code
        .slice(0, 40)
        .map((entry) => read(entry.path, 4096))
        .join('\n'),
  };
}

function head(file: string, limit: number): string {
  const fd = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(limit, fs.fstatSync(fd).size));
    return buffer.toString('utf8', 0, fs.readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    fs.closeSync(fd);
  }
}
