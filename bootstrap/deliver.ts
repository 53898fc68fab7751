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
      ...description.files.map(({ file }) => [file, file] as const),
      [DESCRIPTION, name] as const,
    ];
    try {
      for (const [from, to] of copies) copy(path.join(kept, from), aside(output, to));
    } catch (error) {
      for (const [, to] of copies) fs.rmSync(aside(output, to), { force: true });
      throw error;
    }
    // What the description says holds at every moment.
    fs.rmSync(path.join(output, name), { force: true });
    for (const [, to] of copies) fs.renameSync(aside(output, to), path.join(output, to));
  }
  writeSums(output, keys);
  return description;
}

function isDelivered(output: string, { key, files, ...named }: DescribedFiles): boolean {
  const name = descriptionName(named);
  if (present(output, name)?.key !== key) return false;
  return files.every(
    ({ file, size }) => fs.statSync(path.join(output, file), { throwIfNoEntry: false })?.size === size,
  );
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

const aside = (folder: string, name: string): string => path.join(folder, `.${name}.new`);

function copy(from: string, to: string): void {
  // Disks are mostly holes, which cp keeps.
  const { status, stderr } = spawnSync('cp', ['--', from, to], { encoding: 'utf8' });
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
    for (const { file, sha256 } of description.files) sums.set(file, sha256);
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
