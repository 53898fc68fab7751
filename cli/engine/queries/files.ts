/** The files of one package. */
import { readHeader } from '#schema/container/read';
import { IcepkgError } from '#schema/error';
import type { FileEntry } from '#schema/manifest';
import type { OwnedFile } from '../store/model.ts';
import { readStore } from './read-store.ts';

/** @throws IcepkgError `not-found` */
export function files(root: string, name: string): readonly OwnedFile[] {
  return readStore(root, (store) => {
    if (store.installedPackage(name) !== undefined) return store.filesOf(name);
    throw new IcepkgError('not-found', `${name} is not installed`, {
      hint: `Look into a package file with: icepkg download ${name}, then icepkg files FILE`,
    });
  });
}

export const packagedFiles = (file: string): readonly FileEntry[] => readHeader(file, file).manifest.files;
