/** Content of installed files, as it lies on the disk: whether it is what was installed shows in what is made of it. */
import * as fs from 'node:fs';
import { corrupt } from '#schema/container/open';
import { isErrno } from '#schema/error';
import type { RegularFile } from '#schema/manifest';
import { openDirectories } from '../root-fs/directories.ts';

export interface InstalledContent {
  /**
   * Fills `room` with the content of a file from `start` on.
   * @throws IcepkgError `package-corrupt` where the file is not there, is not as long, or may not be read
   */
  read(file: RegularFile, start: number, room: Uint8Array): void;
  close(): void;
}

/** @param what names the package in errors */
export function openInstalled(root: string, what: string): InstalledContent {
  const directories = openDirectories(root);
  let open: { readonly path: string; readonly fd: number } | undefined;
  const closeFile = (): void => {
    if (open !== undefined) fs.closeSync(open.fd);
    open = undefined;
  };
  const descriptor = (file: RegularFile): number => {
    if (open?.path === file.path) return open.fd;
    closeFile();
    const fd = openFile(directories.at(file.path), file, what);
    open = { path: file.path, fd };
    return fd;
  };
  return {
    read: (file, start, room) => {
      const fd = descriptor(file);
      for (let done = 0; done < room.length;) {
        const count = fs.readSync(fd, room, done, room.length - done, start + done);
        if (count === 0) throw corrupt(what, `/${file.path} is shorter than it was installed`);
        done += count;
      }
    },
    close: () => {
      closeFile();
      directories.close();
    },
  };
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

function openFile(place: string | undefined, file: RegularFile, what: string): number {
  let fd: number;
  try {
    if (place === undefined) throw corrupt(what, `/${file.path} is not there any more`);
    fd = fs.openSync(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENXIO'))
      throw corrupt(what, `/${file.path} cannot be read (${cause.code})`, cause);
    throw cause;
  }
  const stat = fs.fstatSync(fd);
  if (stat.isFile() && stat.size === file.size) return fd;
  fs.closeSync(fd);
  throw corrupt(what, `/${file.path} is not as it was installed`);
}
