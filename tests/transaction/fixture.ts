/** A root with made-up packages, changed through the commit itself: what is under test is the transaction. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writePackage } from '#schema/container/write';
import type { EngineContext } from '#engine/context';
import { commit } from '#engine/commit';
import { initRoot } from '#engine/init-root';
import { openForWriting } from '#engine/recover';
import { nextTransaction, packageState } from '#engine/store/reader';
import { findAreas } from '#engine/transaction/areas';
import { stagePath } from '#engine/transaction/layout';
import type { OwnedFile, PackageState } from '#engine/store/model';

/** Path to content; an object is a symlink or a directory. */
export type Content = string | { readonly link: string } | { readonly directory: number };
export type Tree = Readonly<Record<string, Content>>;

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Of a package without files; rollback looks for scripts in it. */
const HEADER = await (async (): Promise<Uint8Array> => {
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-header-'));
  try {
    const { header } = await writePackage({
      metadata: { name: 'p', version: '1.0.0-r0', arch: 'x86_64' },
      entries: [],
      output: join(folder, 'p.icepkg'),
      codec: 'zstd',
      level: 1,
    });
    return header.header;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();

export function makeRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'icepkg-transaction-'));
  initRoot(root, { arch: 'x86_64' });
  return root;
}

export function contextOf(root: string, more: Partial<EngineContext> = {}): EngineContext {
  return {
    root,
    arch: 'x86_64',
    config: { history: { keep: 10 } } as EngineContext['config'],
    onProgress: () => undefined,
    now: () => new Date('2026-01-01T00:00:00Z'),
    offline: true,
    sync: false,
    ...more,
  };
}

/** Takes package `name` from whatever it owns to exactly `tree`. */
export function change(context: EngineContext, name: string, tree: Tree): void {
  const store = openForWriting(context);
  try {
    const areas = findAreas(context.root);
    const number = nextTransaction(store.database);
    const before = packageState(store.database, name);
    const old = new Map((before?.files ?? []).map((file) => [file.path, file]));
    const write = new Map<string, string | undefined>();
    const displace: string[] = [];
    for (const [path, content] of Object.entries(tree)) {
      const staged = join(context.root, stagePath(areas, path));
      context.onStep?.(`stage ${path}`);
      mkdirSync(dirname(staged), { recursive: true });
      const prior = old.get(path)?.type;
      const type = typeOf(content);
      if (type === 'directory' && prior === 'directory') continue;
      if (prior !== undefined && (prior === 'directory') !== (type === 'directory')) displace.push(path);
      if (typeof content === 'string') writeFileSync(staged, content);
      else if ('link' in content) symlinkSync(content.link, staged);
      else {
        mkdirSync(staged, { recursive: true });
        chmodSync(staged, content.directory);
      }
      write.set(path, path.startsWith('etc/') && typeof content === 'string' ? digest(content) : undefined);
    }
    const remove = [...old.values()]
      .filter(({ path }) => tree[path] === undefined)
      .map(({ path, type }) => ({ path, directory: type === 'directory' }))
      .sort((a, b) => (a.path < b.path ? 1 : -1));
    commit(context, store, {
      number,
      time: context.now().toISOString(),
      description: `change ${name}`,
      user: 'tester',
      worldBefore: store.world(),
      worldAfter: { depends: [name], holds: [], pins: {} },
      changes: [],
      before: new Map([[name, before]]),
      after: new Map([[name, Object.keys(tree).length === 0 ? undefined : stateOf(name, number, tree)]]),
      areas,
      files: { write, displace, remove, directories: [] },
    });
  } finally {
    store.close();
  }
}

function typeOf(content: Content): OwnedFile['type'] {
  return typeof content === 'string' ? 'file' : 'link' in content ? 'symlink' : 'directory';
}

function stateOf(name: string, number: number, tree: Tree): PackageState {
  return {
    installed: {
      record: {
        name,
        version: `${number}.0.0-r0`,
        arch: 'x86_64',
        installedSize: 0,
        fileCount: Object.keys(tree).length,
        manifest: { size: 0, sha256: digest(`${number}`) },
        package: { path: 'p', size: 0, sha256: digest(`${number}`), headerSize: 0 },
      },
      repository: undefined,
      transaction: number,
      requested: true,
    },
    header: HEADER,
    files: Object.entries(tree).map(([path, content]) => ({
      path,
      package: name,
      type: typeOf(content),
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: typeof content === 'string' ? content.length : 0,
      sha256: typeof content === 'string' ? digest(content) : digest(''),
    })),
  };
}

/** Every path below the root but the package manager's own, with kind, mode and content. */
export function snapshot(root: string): Readonly<Record<string, string>> {
  const seen: Record<string, string> = {};
  const walk = (directory: string): void => {
    for (const name of readdirSync(join(root, directory))) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (path === 'var/lib/ice-pkg') continue;
      const stats = lstatSync(join(root, path));
      const mode = (stats.mode & 0o7777).toString(8);
      if (stats.isSymbolicLink()) seen[path] = `-> ${readlinkSync(join(root, path))}`;
      else if (stats.isDirectory()) seen[path] = `directory ${mode}`;
      else seen[path] = `file ${mode} ${digest(readFileSync(join(root, path), 'utf8'))}`;
      if (stats.isDirectory()) walk(path);
    }
  };
  walk('');
  return seen;
}

export function removeRoot(root: string): void {
  rmSync(root, { recursive: true, force: true });
}
