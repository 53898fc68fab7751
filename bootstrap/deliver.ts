/** Puts built images where people take them from: a release folder with checksums and signatures. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { signRelease } from '#schema/signature';
import type { PrivateKey } from '#schema/keys';
import { IcepkgError } from '#schema/error';
import { sha256File } from '#pkgbuild/sources/cache';
import { DESCRIPTION, decodeFiles, descriptionName, type DescribedFiles } from './description.ts';

/** Lists every file of every image in the folder, as `sha256sum -c` reads it. */
export const SUMS = 'SHA256SUMS';
/** Signatures over `SHA256SUMS`, in the format of those of packages. */
export const SUMS_SIGNATURE = 'SHA256SUMS.sig';

/** Copies out of the cache, all files or none, each by rename; what is there already stays. */
export function deliver(kept: string, output: string, keys: readonly PrivateKey[]): DescribedFiles {
  const description = readFiles(path.join(kept, DESCRIPTION));
  fs.mkdirSync(output, { recursive: true });
  const name = descriptionName(description);
  if (!isDelivered(output, description)) {
    const copies = [
      ...description.files.map(({ file, format }) => ({ from: file, to: file, put: WAYS[format] ?? copy })),
      { from: DESCRIPTION, to: name, put: copy },
    ];
    try {
      for (const { from, to, put } of copies) put(path.join(kept, from), aside(output, to));
    } catch (error) {
      for (const { to } of copies) remove(aside(output, to));
      throw error;
    }
    // What the description says holds at every moment.
    fs.rmSync(path.join(output, name), { force: true });
    for (const { to } of copies) {
      const target = path.join(output, to);
      if (isFolder(target)) remove(target);
      fs.renameSync(aside(output, to), target);
    }
  }
  writeSums(output, keys);
  return description;
}

function isDelivered(output: string, { key, files, ...named }: DescribedFiles): boolean {
  const name = descriptionName(named);
  if (present(output, name)?.key !== key) return false;
  return files.every(({ format, file, size }) => {
    const delivered = path.join(output, file);
    if (format === 'directory') return isFolder(delivered);
    return fs.statSync(delivered, { throwIfNoEntry: false })?.size === size;
  });
}

/** What lies in the folder under the name of a description; nothing where it is no description of now. */
function present(output: string, name: string): DescribedFiles | undefined {
  if (!fs.existsSync(path.join(output, name))) return undefined;
  try {
    return readFiles(path.join(output, name));
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

const readFiles = (file: string): DescribedFiles => decodeFiles(fs.readFileSync(file), file);

/** How a format gets out of the cache, where that is not by copying it. */
const WAYS: Readonly<Record<string, typeof copy | undefined>> = { directory: unpack };

const aside = (folder: string, name: string): string => path.join(folder, `.${name}.new`);

// Disks are mostly holes, which cp keeps.
const copy = (from: string, to: string): void => put(['cp', '--', from, to]);

/** Only root may set owners; whoever is not gets the files as their own. */
function unpack(from: string, to: string): void {
  remove(to);
  fs.mkdirSync(to, { mode: 0o755 });
  const mayAll = process.geteuid?.() === 0;
  const own = mayAll ? ['--same-owner', '--xattrs', '--xattrs-include=*'] : ['--no-same-owner'];
  put(['tar', '-xpf', from, '-C', to, '--numeric-owner', ...own]);
}

const isFolder = (file: string): boolean =>
  fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory() === true;

/** Folders of an image may be closed to their own owner. */
function remove(file: string): void {
  if (isFolder(file)) spawnSync('chmod', ['-R', 'u+rwX', '--', file], { stdio: 'ignore' });
  fs.rmSync(file, { recursive: true, force: true });
}

function put([program = '', ...words]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0)
    throw new IcepkgError('io-failed', `the image cannot be delivered: ${stderr.trim()}`, {
      hint: 'See that there is room in the output folder, and that it is yours',
    });
}

function writeSums(folder: string, keys: readonly PrivateKey[]): void {
  const sums = new Map<string, string>();
  for (const name of fs.readdirSync(folder)) {
    const description = name.endsWith('.json') ? present(folder, name) : undefined;
    if (description === undefined || descriptionName(description) !== name) continue;
    sums.set(name, sha256File(path.join(folder, name)));
    for (const { format, file, sha256 } of description.files)
      if (format !== 'directory') sums.set(file, sha256);
  }
  const lines = [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, digest]) => `${digest}  ${file}\n`);
  const text = lines.join('');
  const file = path.join(folder, SUMS);
  const signature = path.join(folder, SUMS_SIGNATURE);
  const same = fs.existsSync(file) && fs.readFileSync(file, 'utf8') === text;
  if (same && keys.length === 0) return;
  // A signature over other sums would be worse than none.
  fs.rmSync(signature, { force: true });
  write(file, text);
  if (keys.length === 0) return;
  const signatures = keys.map((key) => signRelease(Buffer.from(text), key));
  const sorted = signatures.sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
  write(signature, `${JSON.stringify({ format: 1, signatures: sorted })}\n`);
}

function write(file: string, text: string): void {
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
}
