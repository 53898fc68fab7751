/**
 * What packages declare, stopped at every step. At each step the root is copied as a kill would leave it, so that nothing of
 * the stopped process tidies up; every copy is then recovered and must be exactly the old root or exactly the new one.
 */
import { spawnSync } from 'node:child_process';
import { lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineContext } from '#engine/context';
import { recoverRoot } from '#engine/recover';
import { rollback } from '#engine/rollback';
import type { TransactionSummary } from '#engine/store/model';
import { openStore } from '#engine/store/store';
import { makeDepot, type DeclaredPackage, type Depot } from '../support/repository.ts';
import { snapshot } from '../transaction/fixture.ts';
import { addShell, install, linkOf, problems, remove, text, undo, upgrade } from './support.ts';

const logged = (...names: readonly string[]): DeclaredPackage['scripts'] =>
  Object.fromEntries(
    names.map((name) => [name, 'echo "$ICEPKG_PACKAGE $ICEPKG_SCRIPT $ICEPKG_NEW_VERSION" >> /log']),
  );

const base: DeclaredPackage = {
  name: 'base',
  files: {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
    'etc/group': 'root:x:0:\nwheel:x:10:\n',
    'etc/shadow': { text: 'root:!:::::::\n', mode: 0o600 },
  },
};
const nano: DeclaredPackage = {
  name: 'nano',
  files: { 'usr/bin/nano': 'nano' },
  alternatives: [{ link: 'usr/bin/vi', target: 'nano', priority: 10 }],
};
const later: DeclaredPackage = { name: 'later', users: [{ name: 'later' }], files: { 'opt/later': 'x' } };

/** Everything a manifest can declare. */
const oldWeb: DeclaredPackage = {
  name: 'web',
  users: [{ name: 'web', uid: 80, home: '/srv', groups: ['wheel'] }],
  groups: [{ name: 'logs', gid: 81 }],
  files: {
    'srv/page': { text: 'hello', user: 'web', group: 'logs' },
    'srv/state': { directory: 0o750 },
    'srv/swap/inside': 'in a directory',
    'etc/web.conf': { text: 'a = 1\n', config: true },
    'usr/bin/vim': 'vim',
    'usr/bin/ed': 'a file of its own',
  },
  alternatives: [{ link: 'usr/bin/vi', target: 'vim', priority: 50 }],
  services: [
    { name: 'web', command: ['/usr/bin/web'], user: 'web', enable: true, restart: 'on-failure' },
    { name: 'going', command: ['/usr/bin/going'], enable: true },
  ],
  scripts: logged('preInstall', 'postInstall', 'preRemove', 'postRemove') ?? {},
};
/** The same one release on, with something changed of every kind. */
const newWeb: DeclaredPackage = {
  ...oldWeb,
  version: '1.1.0-r0',
  users: [
    { name: 'web', uid: 80, home: '/srv', groups: ['wheel', 'logs'] },
    { name: 'helper', uid: 82 },
  ],
  groups: [
    { name: 'logs', gid: 81 },
    { name: 'more', gid: 84 },
  ],
  files: {
    'srv/page': { text: 'hello again', user: 'helper', group: 'more' },
    'srv/state': { directory: 0o700 },
    'srv/swap': 'a file now',
    'etc/web.conf': { text: 'a = 2\n', config: true },
    'usr/bin/vim.tiny': 'tiny',
    'usr/bin/ed.real': 'ed',
  },
  alternatives: [
    { link: 'usr/bin/vi', target: 'vim.tiny', priority: 5 },
    { link: 'usr/bin/ed', target: 'ed.real', priority: 5 },
  ],
  services: [
    { name: 'web', command: ['/usr/bin/web', '-v'], user: 'helper', enable: true },
    { name: 'coming', command: ['/usr/bin/coming'], enable: true },
  ],
  scripts: logged('preUpgrade', 'postUpgrade', 'preRemove', 'postRemove') ?? {},
};

let depot: Depot;
beforeAll(async () => {
  depot = await makeDepot();
  await depot.publish(base, nano, later, oldWeb, newWeb);
});
afterAll(() => depot.dispose());

interface RootState {
  readonly tree: Readonly<Record<string, readonly [string, string]>>;
  readonly scripts: readonly string[];
  readonly packages: unknown;
  readonly files: unknown;
  readonly world: unknown;
  readonly history: readonly TransactionSummary[];
  readonly pending: unknown;
}

/** What must be whole: all that lies in the root with its owner, and all that the database says of it. */
function state({ root }: EngineContext): RootState {
  // A script that was interrupted runs again; everything else happens once.
  const { log, ...tree } = snapshot(root);
  const owner = (path: string): string => {
    const { uid, gid } = lstatSync(join(root, path));
    return `${uid}:${gid}`;
  };
  const store = openStore(root, { mode: 'read' });
  try {
    return {
      tree: Object.fromEntries(Object.entries(tree).map(([path, what]) => [path, [what, owner(path)]])),
      scripts: log === undefined ? [] : [...new Set(text({ root } as EngineContext, 'log').split('\n'))],
      packages: store.installedPackages(),
      files: store.allFiles(),
      world: store.world(),
      history: store.history(),
      pending: store.pending(),
    };
  } finally {
    store.close();
  }
}

/** Does `run` and copies the root at each step of it. Returns the copies, named after their steps. */
async function copiesAtEveryStep(
  context: EngineContext,
  run: (context: EngineContext) => unknown,
): Promise<readonly (readonly [string, EngineContext])[]> {
  const copies: (readonly [string, EngineContext])[] = [];
  const onStep = (step: string): void => {
    const root = `${context.root}-${copies.length + 1}`;
    const { status, stderr } = spawnSync('cp', ['-a', context.root, root], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    copies.push([step, { ...context, root }]);
  };
  await run({ ...context, onStep, onProgress: ({ phase }) => onStep(phase) });
  return copies;
}

interface Scenario {
  readonly name: string;
  readonly prepare: (context: EngineContext) => Promise<unknown>;
  readonly run: (context: EngineContext) => Promise<unknown>;
}

const withOldWeb = async (context: EngineContext): Promise<void> => {
  await install(context, 'base', 'nano', 'web@=1.0.0-r0');
  await install(context, 'web');
};
const scenarios: readonly Scenario[] = [
  {
    name: 'an installation',
    prepare: (context) => install(context, 'base', 'nano'),
    run: (context) => install(context, 'web@=1.0.0-r0'),
  },
  { name: 'an upgrade', prepare: withOldWeb, run: upgrade },
  { name: 'a removal', prepare: withOldWeb, run: (context) => remove(context, 'web') },
  {
    name: 'the rollback of an upgrade',
    prepare: async (context) => {
      await withOldWeb(context);
      await upgrade(context);
    },
    run: undo,
  },
  {
    name: 'the rollback of a removal',
    prepare: async (context) => {
      await withOldWeb(context);
      await remove(context, 'web');
    },
    run: undo,
  },
];

async function expectNextCommandToWork(context: EngineContext): Promise<void> {
  await install(context, 'later');
  expect(text(context, 'etc/passwd')).toContain('later:x:');
  expect(problems(context)).toEqual([]);
}

describe.each(scenarios)('$name stopped at every step', ({ prepare, run }) => {
  it('leaves the old root or the new one, whole', async () => {
    const context = depot.root();
    addShell(context);
    await prepare(context);
    const old = state(context);
    const copies = await copiesAtEveryStep(context, run);
    const fresh = state(context);
    expect(fresh).not.toEqual(old);
    const committed = copies.findIndex(([step]) => step === 'committed');
    expect(committed).toBeGreaterThan(0);
    for (const [index, [step, copy]] of copies.entries()) {
      recoverRoot(copy);
      expect(state(copy), `${index}: ${step}`).toEqual(index < committed ? old : fresh);
      expect(problems(copy), step).toEqual([]);
      await expectNextCommandToWork(copy);
      // What the transaction replaced was kept whole, too.
      if (index >= committed && index % 4 === 0) {
        const to = fresh.history[0]?.number ?? 0;
        await rollback(copy, { to, dryRun: false, confirm: () => true });
        expect(state(copy).tree, step).toEqual(old.tree);
      }
      rmSync(copy.root, { recursive: true });
    }
  });
});

it('a recovery stopped at every step is finished by the next', async () => {
  const context = depot.root();
  addShell(context);
  await withOldWeb(context);
  const stopped = await copiesAtEveryStep(context, upgrade);
  const fresh = state(context);
  const [, copy] = stopped.find(([step]) => step === 'committed') ?? [];
  if (copy === undefined) throw new Error('no commit point');
  const again = await copiesAtEveryStep(copy, recoverRoot);
  expect(again.length).toBeGreaterThan(10);
  for (const [step, twice] of again) {
    recoverRoot(twice);
    expect(state(twice), step).toEqual(fresh);
  }
  expect(linkOf(copy, 'usr/bin/ed')).toBe('ed.real');
});
