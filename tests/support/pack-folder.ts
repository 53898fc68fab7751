/** A folder to pack, new for every test. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { verifyPackage } from '#schema/container/verify';
import { IcepkgError } from '#schema/error';
import { packFolders, type PackOptions } from '#pkgbuild/pack';

export let folder: string;
export let tree: string;
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'icepkg-pack-'));
  tree = join(folder, 'tree');
  fs.mkdirSync(tree);
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Writes files below the tree; directories above them are made. Modes do not depend on the umask. */
export function hold(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(tree, path);
    fs.mkdirSync(join(file, '..'), { recursive: true, mode: 0o755 });
    fs.writeFileSync(file, text);
    fs.chmodSync(file, path.includes('bin/') ? 0o755 : 0o644);
  }
}

export const base = "name: hello\nversion: '1.0.0-r0'\narch: noarch\n";

export function pack(manifest: string, options: Partial<PackOptions> = {}): ReturnType<typeof packFolders> {
  const file = join(folder, 'hello.yaml');
  fs.writeFileSync(file, manifest);
  return packFolders([{ folder: tree, manifest: file }], {
    output: join(folder, 'out'),
    codec: 'zstd',
    level: 1,
    keys: [],
    epoch: 1_700_000_000,
    ...options,
  });
}

export async function manifestOf(
  text: string,
): Promise<ReturnType<typeof verifyPackage>['header']['manifest']> {
  const [packed] = await pack(text);
  return verifyPackage(packed?.file ?? '').header.manifest;
}

export async function refused(
  text: string,
): Promise<{ message: string; hint: string | undefined; code: string }> {
  try {
    await pack(text);
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    expect(fs.existsSync(join(folder, 'out')) ? fs.readdirSync(join(folder, 'out')) : []).toEqual([]);
    return { message: error.message.replaceAll(`${folder}/`, ''), hint: error.hint, code: error.code };
  }
  throw new Error('the folder was packed');
}
