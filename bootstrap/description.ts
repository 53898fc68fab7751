/** What a built image says of itself, and where that is kept. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import type { Format } from './definition-schema.ts';
import type { RootEntry } from './root-entries.ts';

export interface BuiltFile {
  readonly format: Format | 'kernel' | 'description';
  /** Name in the output folder. */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** For `run`, `test`, `diff` and people. */
export interface ImageDescription {
  readonly name: string;
  readonly system: string;
  readonly board: string;
  readonly arch: string;
  readonly key: string;
  readonly cmdline: string;
  readonly files: readonly BuiltFile[];
  readonly packages: readonly { readonly name: string; readonly version: string; readonly size: number }[];
  readonly entries: readonly RootEntry[];
}

/** Name of the description in the cache. */
export const DESCRIPTION = 'image.json';

/** @throws IcepkgError `not-found` where the folder holds no image */
export function readDescription(folder: string, name = DESCRIPTION): ImageDescription {
  const file = path.join(folder, name);
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as ImageDescription;
  } catch (cause) {
    if (!isErrno(cause, 'ENOENT', 'ENOTDIR') && !(cause instanceof SyntaxError)) throw cause;
    throw new IcepkgError('not-found', `${file} is no description of an image`, {
      cause,
      hint: 'Build the image first: icepkg image build',
    });
  }
}

export const descriptionName = ({ name, arch }: { readonly name: string; readonly arch: string }): string =>
  `${name}.${arch}.json`;
