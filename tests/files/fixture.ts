/** A root whose packages are really packed, planned, staged and committed; the solver is left out. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePackage, type PackageEntry } from '#schema/container/write';
import type { EngineContext } from '#engine/context';
import { commit, discard, writeError } from '#engine/commit';
import type { FileRules } from '#engine/file-plan/operations';
import { planFiles } from '#engine/file-plan/plan-files';
import { withDeviations } from '#engine/file-plan/rows';
import { initRoot } from '#engine/init-root';
import { openForWriting } from '#engine/recover';
import { openDiskView } from '#engine/root-fs/disk-view';
import { stageFiles } from '#engine/stage/stage-files';
import { nextTransaction, packageState } from '#engine/store/reader';
import type { PackageState } from '#engine/store/model';
import { findAreas } from '#engine/transaction/areas';

/** A string is a file, `{link}` a symlink, `{hard}` a hardlink, `{config}` a configuration file, `{mode}` a directory. */
export type Content =
  | string
  | { link: string }
  | { hard: string }
  | { config: string }
  | { mode: number }
  | { exec: string; mode: number };
export type Tree = Readonly<Record<string, Content>>;
export interface Spec {
  readonly name: string;
  /** Absent: the package is removed. */
  readonly tree?: Tree;
  readonly replaces?: string[];
  readonly codec?: 'xz' | 'zstd';
}

export interface Root {
  readonly path: string;
  apply(specs: readonly Spec[], more?: Options): Promise<readonly string[]>;
  owners(path: string): readonly string[];
  dispose(): void;
}
export interface Options extends FileRules {
  /** Called after planning, before staging. */
  readonly planned?: () => void;
  /** Changes the package file before it is read. */
  readonly damage?: (file: string) => void;
}

export function makeRoot(): Root {
  const path = mkdtempSync(join(tmpdir(), 'icepkg-files-'));
  const depot = mkdtempSync(join(tmpdir(), 'icepkg-depot-'));
  initRoot(path, { arch: 'x86_64' });
  const context: EngineContext = {
    root: path,
    arch: 'x86_64',
    config: { history: { keep: 10 } } as EngineContext['config'],
    onProgress: () => undefined,
    now: () => new Date('2026-01-01T00:00:00Z'),
    offline: true,
    sync: false,
  };
  return {
    path,
    apply: (specs, more = {}) => apply(context, depot, specs, more),
    owners: (file) => {
      const store = openForWriting(context);
      try {
        return store.ownersOf(file).map((row) => row.package);
      } finally {
        store.close();
      }
    },
    dispose: () => {
      rmSync(path, { recursive: true, force: true });
      rmSync(depot, { recursive: true, force: true });
    },
  };
}

async function apply(
  context: EngineContext,
  depot: string,
  specs: readonly Spec[],
  more: Options,
): Promise<readonly string[]> {
  const store = openForWriting(context);
  const disk = openDiskView(context.root);
  try {
    const number = nextTransaction(store.database);
    const written = await Promise.all(
      specs.map(async ({ name, tree, replaces, codec }) =>
        tree === undefined
          ? undefined
          : writePackage({
              metadata: {
                name,
                version: `${number}.0.0-r0`,
                arch: 'x86_64',
                ...(replaces === undefined ? {} : { replaces }),
              },
              entries: Object.entries(tree).map(([file, content]) => entryOf(file, content)),
              output: join(depot, `${name}-${number}.icepkg`),
              codec: codec ?? 'zstd',
              level: 1,
            }),
      ),
    );
    const plan = planFiles({
      packages: specs.map(({ name }, index) => ({ name, manifest: written[index]?.header.manifest })),
      store,
      disk,
      overwrite: more.overwrite ?? [],
      keep: more.keep ?? [],
      skip: more.skip ?? [],
    });
    more.planned?.();
    const packages = written.filter((item) => item !== undefined);
    for (const { file } of packages) more.damage?.(file);
    const areas = findAreas(context.root);
    const staged = await stageFiles({
      root: context.root,
      areas,
      plan,
      packages: packages.map(({ file, header }) => ({
        file,
        headerSize: header.headerSize,
        manifest: header.manifest,
      })),
      onProgress: context.onProgress,
    });
    const rows = withDeviations(plan.owned, new Map([...plan.deviations, ...staged.deviations]));
    const names = new Set([...specs.map(({ name }) => name), ...rows.keys()]);
    const before = new Map([...names].map((name) => [name, packageState(store.database, name)]));
    const after = new Map<string, PackageState | undefined>();
    for (const name of names) {
      const index = specs.findIndex((spec) => spec.name === name);
      const header = written[index]?.header;
      const old = before.get(name);
      const files = rows.get(name) ?? [];
      if (header !== undefined)
        after.set(name, { installed: installed(name, number), header: header.header, files });
      else after.set(name, index === -1 && old !== undefined ? { ...old, files } : undefined);
    }
    commit(context, store, {
      number,
      time: '2026-01-01T00:00:00Z',
      description: 'test',
      user: 'tester',
      worldBefore: store.world(),
      worldAfter: store.world(),
      changes: [],
      before,
      after,
      areas,
      files: plan.changes,
    });
    return [...plan.notices, ...staged.notices];
  } catch (error) {
    if (store.pending() === undefined)
      discard(context.root, findAreas(context.root), nextTransaction(store.database));
    throw writeError(context.root, error);
  } finally {
    disk.close();
    store.close();
  }
}

function installed(name: string, number: number): PackageState['installed'] {
  const zero = '0'.repeat(64);
  return {
    record: {
      name,
      version: `${number}.0.0-r0`,
      arch: 'x86_64',
      installedSize: 0,
      fileCount: 0,
      manifest: { size: 0, sha256: zero },
      package: { path: 'p', size: 0, sha256: zero, headerSize: 0 },
    },
    repository: undefined,
    transaction: number,
    requested: true,
  };
}

function regular(path: string, content: string, mode: number): Extract<PackageEntry, { type: 'file' }> {
  return { type: 'file', path, mode, content: Buffer.from(content) };
}

function entryOf(path: string, content: Content): PackageEntry {
  if (typeof content === 'string') return regular(path, content, 0o644);
  if ('link' in content) return { type: 'symlink', path, target: content.link };
  if ('hard' in content) return { type: 'hardlink', path, target: content.hard };
  if ('config' in content) return { ...regular(path, content.config, 0o644), config: true };
  if ('exec' in content) return regular(path, content.exec, content.mode);
  return { type: 'directory', path, mode: content.mode };
}
