/**
 * Repositories in a line or two: declares packages, packs, adds and publishes them, and attaches the result to roots.
 *
 *   const depot = await makeDepot();
 *   await depot.publish({ name: 'zlib', version: '1.3.1-r0', files: { 'usr/lib/libz.so.1': 'code' } });
 *   const context = depot.root();
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePackage, type PackageEntry, type PackageMetadata } from '#schema/container/write';
import type { Codec } from '#schema/container/codec';
import type { MachineArch } from '#schema/fields';
import { generateKey, type PrivateKey } from '#schema/keys';
import { attachRepository } from '#engine/config-attach';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { addPackages } from '#repo-server/add';
import { initRepository, sameKeys } from '#repo-server/init';
import { publish, type Published } from '#repo-server/publish';

/** A string is a file's text; directories above a path are added. */
export type DeclaredEntry =
  | string
  | {
      readonly text: string;
      readonly mode?: number;
      readonly config?: true;
      readonly user?: string;
      readonly group?: string;
    }
  | { readonly link: string }
  | { readonly hard: string }
  | { readonly directory: number; readonly user?: string; readonly group?: string };

/** Any field of a manifest besides; version `1.0.0-r0`, architecture x86_64 unless said otherwise. */
export interface DeclaredPackage extends Partial<Omit<PackageMetadata, 'name'>> {
  readonly name: string;
  readonly files?: Readonly<Record<string, DeclaredEntry>>;
  readonly codec?: Codec;
}

export interface Depot {
  /** Folder of everything that this made. */
  readonly folder: string;
  /** Folder of the repository. */
  readonly repository: string;
  readonly key: PrivateKey;
  readonly trustedRoot: string;
  /** Packs without adding. Returns the files. */
  pack(...packages: readonly DeclaredPackage[]): Promise<string[]>;
  /** Packs, adds and publishes to `stable`. */
  publish(...packages: readonly DeclaredPackage[]): Promise<Published>;
  /** A new root that uses the repository, by its folder or by the address of a server. */
  root(options?: { readonly arch?: MachineArch; readonly mirror?: string }): EngineContext;
  dispose(): void;
}

export async function makeDepot(options: { readonly key?: PrivateKey } = {}): Promise<Depot> {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-depot-'));
  const { key = generateKey() } = options;
  const repository = join(folder, 'repository');
  const packed = join(folder, 'packed');
  mkdirSync(packed);
  const { trustedRoot } = await initRepository(repository, {
    name: 'main',
    roles: sameKeys([key.public]),
    keys: [key],
  });
  let roots = 0;
  const pack = async (...packages: readonly DeclaredPackage[]): Promise<string[]> => {
    const files: string[] = [];
    for (const declared of packages) files.push(await packDeclared(declared, packed, key));
    return files;
  };
  return {
    folder,
    repository,
    key,
    trustedRoot,
    pack,
    publish: async (...packages) => {
      await addPackages(repository, await pack(...packages));
      return publish(repository, { keys: [key] });
    },
    root: ({ arch = 'x86_64', mirror = repository } = {}) => {
      const root = join(folder, `root-${++roots}`);
      initRoot(root, { arch });
      attachRepository(root, { name: 'main', mirrors: [mirror], trustedRoot });
      return openContext({ root, arch, sync: false });
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function packDeclared(declared: DeclaredPackage, folder: string, key: PrivateKey): Promise<string> {
  const { files = {}, codec = 'zstd', name, version = '1.0.0-r0', arch = 'x86_64', ...more } = declared;
  let output = join(folder, `${name}-${version}.${arch}.icepkg`);
  for (let again = 2; existsSync(output); again++)
    output = join(folder, `${again}.${name}-${version}.${arch}.icepkg`);
  const written = await writePackage({
    metadata: { name, version, arch, ...more },
    entries: entriesOf(files),
    output,
    codec,
    level: 1,
    keys: [key],
  });
  return written.file;
}

function entriesOf(files: Readonly<Record<string, DeclaredEntry>>): PackageEntry[] {
  const entries = new Map<string, PackageEntry>();
  for (const [path, declared] of Object.entries(files)) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const above = path.slice(0, slash);
      if (!entries.has(above)) entries.set(above, { type: 'directory', path: above, mode: 0o755 });
    }
    entries.set(path, entryOf(path, declared));
  }
  return [...entries.values()];
}

function entryOf(path: string, declared: DeclaredEntry): PackageEntry {
  if (typeof declared === 'string')
    return { type: 'file', path, mode: 0o644, content: Buffer.from(declared) };
  if ('link' in declared) return { type: 'symlink', path, target: declared.link };
  if ('hard' in declared) return { type: 'hardlink', path, target: declared.hard };
  const { user, group } = declared;
  const owner = { ...(user === undefined ? {} : { user }), ...(group === undefined ? {} : { group }) };
  if ('directory' in declared) return { type: 'directory', path, mode: declared.directory, ...owner };
  const { text, mode = 0o644, config } = declared;
  return {
    type: 'file',
    path,
    mode,
    content: Buffer.from(text),
    ...(config === undefined ? {} : { config }),
    ...owner,
  };
}
