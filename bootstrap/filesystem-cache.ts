/** File systems that are made once: of the same content and settings every maker gives the same bytes. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sha256 } from '#schema/digest';
import { keepLast } from './keep-last.ts';
import { makeFileSystem, type FileSystemRequest } from './filesystems.ts';

/**
 * Makes the file system unless the folder has it.
 * @param folder that of the partition; older file systems in it are removed
 * @param revision of the composer, which may come to make something else of the same request
 * @returns the file, which is not to be changed
 */
export async function cachedFileSystem(
  request: FileSystemRequest,
  folder: string,
  revision: number,
): Promise<string> {
  const { kind, entries, top, name, size, free, uuid } = request;
  const facts = { revision, kind, name, size, free, uuid, entries, top };
  // Whose a file is changes nothing in the file system.
  const key = sha256(
    JSON.stringify(facts, (field, value: unknown) => (field === 'packages' ? undefined : value)),
  );
  const file = path.join(folder, key);
  if (!fs.existsSync(file)) {
    await makeFileSystem(request);
    fs.mkdirSync(folder, { recursive: true });
    fs.renameSync(request.output, file);
  }
  keepLast(file);
  return file;
}
