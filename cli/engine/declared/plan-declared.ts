/**
 * Works out all that a transaction does to a root: the files of its packages, and what those packages declare. Nothing
 * is written here; every conflict ends it.
 */
import { sha256 } from '#schema/digest';
import type { Manifest } from '#schema/manifest';
import type { EngineContext } from '../context.ts';
import type { FilePlan, FileRules } from '../file-plan/operations.ts';
import { planFiles } from '../file-plan/plan-files.ts';
import type { FetchedPackage, Plan } from '../model.ts';
import { openDiskView, type OpenDiskView } from '../root-fs/disk-view.ts';
import type { Store } from '../store/store.ts';
import { ACCOUNT_PATHS, readAccountFiles, withAccountConfig, type AccountFiles } from './account-files.ts';
import type { AccountTexts } from './account-lines.ts';
import { withAccountRows, type AccountChange } from './account-rows.ts';
import { planAccounts, type Accounts } from './accounts.ts';
import { ENABLED } from './choices.ts';
import { declaringManifest } from './declaring.ts';
import type { Generated } from './generated.ts';
import { planLinks } from './links.ts';
import { isNative, scriptsOf, type PendingScript } from './scripts.ts';
import { definitionOf, enabledLinkOf, enabledTargetOf, withServices } from './services.ts';

export interface DeclaredRequest {
  readonly plan: Plan;
  readonly fetched: readonly FetchedPackage[];
  readonly rules: FileRules;
}

/** `write` is what packages hold, `generated` what is made of what they declare; `changes` names the paths of both. */
export interface RootPlan extends FilePlan {
  readonly generated: readonly Generated[];
  readonly scripts: readonly PendingScript[];
}

interface Work extends DeclaredRequest {
  readonly context: Pick<EngineContext, 'root' | 'arch'>;
  readonly store: Store;
  readonly disk: OpenDiskView;
  /** Of the packages that change, as they are now, where they declare anything. */
  readonly before: ReadonlyMap<string, Manifest>;
  /** Of the packages that change, as they will be. */
  readonly after: ReadonlyMap<string, Manifest>;
}

/** @throws IcepkgError `file-conflict` naming both sides of every conflict */
export function planRoot(
  context: Pick<EngineContext, 'root' | 'arch'>,
  store: Store,
  request: DeclaredRequest,
): RootPlan {
  const disk = openDiskView(context.root);
  const { plan, fetched } = request;
  const before = declaring(
    store,
    plan.changes.filter(({ from }) => from !== undefined).map(({ name }) => name),
  );
  const after = new Map(fetched.map(({ change, manifest }) => [change.name, manifest]));
  try {
    // In one read transaction, so that the thousands of questions take one lock.
    return store.database.transaction(() => planAll({ ...request, context, store, disk, before, after }))();
  } finally {
    disk.close();
  }
}

function declaring(store: Store, names: readonly string[]): ReadonlyMap<string, Manifest> {
  const manifests = new Map<string, Manifest>();
  for (const name of names) {
    const manifest = declaringManifest(store.headerOf(name), name);
    if (manifest !== undefined) manifests.set(name, manifest);
  }
  return manifests;
}

function planAll(work: Work): RootPlan {
  const accounts = lazyAccounts(work);
  const { manifests, contents } = generateEntries(work);
  const packages = work.plan.changes.map(({ name }) => ({ name, manifest: manifests.get(name) }));
  const { disk, store, rules } = work;
  const overwrite = [...(rules.overwrite ?? []), ...ownLinks(work)];
  const files = planFiles({ packages, store, disk, ...rules, overwrite, accounts });
  const generated: Generated[] = [];
  const write = files.write.filter((staged) => {
    const content = contents.get(staged.package)?.get(staged.entry.path);
    if (content === undefined || staged.entry.type !== 'file') return true;
    generated.push({ ...staged, content, mode: staged.entry.mode });
    return false;
  });
  const declared = withLinks(work, { ...files, write, generated, scripts: [] });
  const changed = accounts.changed();
  return withScripts(work, withAccountRows(withAccounts(declared, changed), { ...work, changed }));
}

interface LazyAccounts extends Pick<Accounts, 'uid' | 'gid'> {
  /** Files to be written anew. */
  changed(): readonly AccountChange[];
}

/** The account files are looked at only where a package declares or names an account. */
function lazyAccounts(work: Work): LazyAccounts {
  const declarations = work.fetched
    .map(({ manifest }) => ({
      package: manifest.name,
      users: manifest.users ?? [],
      groups: manifest.groups ?? [],
    }))
    .filter(({ users, groups }) => users.length + groups.length > 0);
  let known: { readonly files: AccountFiles; readonly accounts: Accounts } | undefined;
  const look = (): NonNullable<typeof known> => {
    if (known !== undefined) return known;
    const files = readAccountFiles({ root: work.context.root, ...work });
    const { passwd, group, shadow, gshadow } = files;
    const texts = { passwd: passwd.text, group: group.text, shadow: shadow.text, gshadow: gshadow.text };
    known = { files, accounts: planAccounts(texts, declarations) };
    return known;
  };
  return {
    uid: (name) => look().accounts.uid(name),
    gid: (name) => look().accounts.gid(name),
    changed: () => (declarations.length === 0 ? [] : changedFiles(look())),
  };
}

function changedFiles({
  files,
  accounts,
}: {
  readonly files: AccountFiles;
  readonly accounts: Accounts;
}): readonly AccountChange[] {
  return (Object.keys(ACCOUNT_PATHS) as (keyof AccountTexts)[]).flatMap((name) => {
    const text = accounts.texts[name];
    const { mode, uid, gid, text: before = '' } = files[name];
    if (text === undefined || text === files[name].text) return [];
    const [from, content] = [Buffer.from(before, 'latin1'), Buffer.from(text, 'latin1')];
    return [{ path: ACCOUNT_PATHS[name], from: sha256(from), content, mode, uid, gid }];
  });
}

/** They take the place of what a package brings at the same path, and outlive a package that brought them. */
function withAccounts(files: RootPlan, changed: readonly AccountChange[]): RootPlan {
  if (changed.length === 0) return files;
  const paths = new Set(changed.map(({ path }) => path));
  const write = new Map(files.changes.write);
  for (const { path, content } of changed) write.set(path, sha256(content));
  return {
    ...files,
    write: files.write.filter(({ path }) => !paths.has(path)),
    generated: [...files.generated, ...changed],
    changes: { ...files.changes, write, remove: files.changes.remove.filter(({ path }) => !paths.has(path)) },
  };
}

/** The incoming manifests with entries for what is made of their declarations. */
function generateEntries(work: Work): {
  readonly manifests: ReadonlyMap<string, Manifest>;
  readonly contents: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
} {
  const manifests = new Map<string, Manifest>();
  const contents = new Map<string, ReadonlyMap<string, Uint8Array>>();
  const { disk } = work;
  for (const [name, manifest] of work.after) {
    const made = withServices(withAccountConfig(manifest), {
      before: work.before.get(name),
      linkAt: (path) => (disk.kind(path) === 'symlink' ? disk.readlink(path) : undefined),
    });
    manifests.set(name, made.manifest);
    if (made.contents.size > 0) contents.set(name, made.contents);
  }
  return { manifests, contents };
}

/** Links that the operator made to enable a service are taken over as they are. */
function ownLinks({ after, disk }: Work): readonly string[] {
  return [...after.values()]
    .flatMap(({ services = [] }) => services.map(({ name }) => name))
    .filter((name) => {
      const link = enabledLinkOf(name);
      return disk.kind(link) === 'symlink' && disk.readlink(link) === enabledTargetOf(name);
    })
    .map(enabledLinkOf);
}

function withLinks(work: Work, files: RootPlan): RootPlan {
  const services = new Set(
    [...work.after.values()].flatMap(({ services = [] }) => services.map(({ name }) => name)),
  );
  const deviations = new Map(files.deviations);
  for (const name of services) deviations.set(enabledLinkOf(name), ENABLED);
  // Links that the operator made to a service that goes would lead nowhere.
  const leaving = [...work.before.values()]
    .flatMap(({ services: old = [] }) => old.map(({ name }) => name))
    .filter((name) => !services.has(name))
    .filter((name) => {
      const link = enabledLinkOf(name);
      const goes = files.changes.remove.some(({ path }) => path === `${definitionOf(name)}/run`);
      const known = files.changes.remove.some(({ path }) => path === link);
      return (
        goes &&
        !known &&
        work.disk.kind(link) === 'symlink' &&
        work.disk.readlink(link) === enabledTargetOf(name)
      );
    })
    .map((name) => ({ path: enabledLinkOf(name), directory: false }));
  const changing = new Set(work.plan.changes.map(({ name }) => name));
  const changes = { ...files.changes, remove: [...leaving, ...files.changes.remove] };
  return planLinks(
    {
      store: work.store,
      disk: work.disk,
      overwrite: work.rules.overwrite ?? [],
      before: work.before,
      after: work.after,
      changing,
      unchanged: () => [
        ...declaring(
          work.store,
          work.store
            .installedPackages()
            .map(({ record }) => record.name)
            .filter((name) => !changing.has(name)),
        ).values(),
      ],
    },
    { ...files, changes, deviations },
  );
}

function withScripts(work: Work, files: RootPlan): RootPlan {
  const scripts = scriptsOf(work.plan.changes, work.before, work.after);
  const { arch } = work.context;
  if (isNative(arch)) return { ...files, scripts };
  const notices = scripts.map(
    ({ package: name, script }) => `${script} of ${name} was not run: ${arch} is foreign to this machine`,
  );
  return { ...files, notices: [...files.notices, ...notices] };
}
