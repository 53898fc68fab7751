/** Stopped at every step, the root is exactly the old one or exactly the new one after recovery. */
import { cpSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { recoverRoot } from '#engine/recover';
import { rollback } from '#engine/rollback';
import { openStore } from '#engine/store/store';
import { change, contextOf, makeRoot, removeRoot, snapshot, type Tree } from './fixture.ts';

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) removeRoot(root);
});

const OLD: Tree = {
  usr: { directory: 0o755 },
  'usr/bin': { directory: 0o755 },
  'usr/bin/tool': 'old tool',
  'usr/bin/gone': 'removed later',
  'usr/lib/dir': { directory: 0o755 },
  'usr/lib/dir/inside': 'was in a directory',
  'usr/lib/dir/deep': { directory: 0o700 },
  'usr/lib/dir/deep/file': 'deep',
  'usr/lib/link': { link: 'dir' },
  'usr/lib/file': 'becomes a directory',
  'etc/tool.conf': 'a = 1',
};
const NEW: Tree = {
  usr: { directory: 0o755 },
  'usr/bin': { directory: 0o755 },
  'usr/bin/tool': 'new tool',
  'usr/lib/dir': { link: 'other' },
  'usr/lib/other/inside': 'moved',
  'usr/lib/link': { directory: 0o750 },
  'usr/lib/link/a': 'now a directory',
  'usr/lib/file': { directory: 0o755 },
  'usr/lib/file/b': 'inside what was a file',
  'etc/tool.conf': 'a = 2',
};

class Stop extends Error {}

/** Runs `work` and stops at its `at`th step as a kill would: nothing after that step happens. */
async function stoppedAt(
  at: number,
  work: (onStep: (step: string) => void) => Promise<void> | void,
): Promise<boolean> {
  let count = 0;
  try {
    await work(() => {
      count += 1;
      if (count >= at) throw new Stop(`step ${count}`);
    });
    return false;
  } catch {
    return count >= at;
  }
}

interface Scenario {
  readonly name: string;
  readonly prepare: (root: string) => Promise<void> | void;
  readonly run: (root: string, onStep: (step: string) => void) => Promise<void> | void;
}

const yes = (): boolean => true;
const back = async (root: string, onStep?: (step: string) => void): Promise<void> => {
  await rollback(contextOf(root, onStep === undefined ? {} : { onStep }), { dryRun: false, confirm: yes });
};
const scenarios: readonly Scenario[] = [
  {
    name: 'install',
    prepare: () => undefined,
    run: (root, onStep) => change(contextOf(root, { onStep }), 'p', OLD),
  },
  {
    name: 'upgrade with kind swaps',
    prepare: (root) => change(contextOf(root), 'p', OLD),
    run: (root, onStep) => change(contextOf(root, { onStep }), 'p', NEW),
  },
  {
    name: 'remove',
    prepare: (root) => change(contextOf(root), 'p', OLD),
    run: (root, onStep) => change(contextOf(root, { onStep }), 'p', {}),
  },
  {
    name: 'rollback of an upgrade',
    prepare: (root) => {
      change(contextOf(root), 'p', OLD);
      change(contextOf(root), 'p', NEW);
    },
    run: (root, onStep) => back(root, onStep),
  },
  {
    name: 'rollback of a rollback',
    prepare: async (root) => {
      change(contextOf(root), 'p', OLD);
      change(contextOf(root), 'p', NEW);
      await back(root);
    },
    run: (root, onStep) => back(root, onStep),
  },
];

function state(root: string): { tree: unknown; packages: unknown; files: unknown; world: unknown } {
  const store = openStore(root, { mode: 'read' });
  try {
    return {
      tree: snapshot(root),
      packages: store.installedPackages(),
      files: store.allFiles(),
      world: store.world(),
    };
  } finally {
    store.close();
  }
}

describe.each(scenarios)('$name', ({ prepare, run }) => {
  it('leaves the old or the new state wherever it stops', async () => {
    const origin = makeRoot();
    roots.push(origin);
    await prepare(origin);
    const old = state(origin);
    const finished = `${origin}-new`;
    roots.push(finished);
    cpSync(origin, finished, { recursive: true, verbatimSymlinks: true });
    await run(finished, () => undefined);
    const fresh = state(finished);
    expect(fresh).not.toEqual(old);

    const outcomes = new Set<string>();
    for (let at = 1; ; at++) {
      const root = `${origin}-${at}`;
      roots.push(root);
      cpSync(origin, root, { recursive: true, verbatimSymlinks: true });
      const stopped = await stoppedAt(at, (onStep) => run(root, onStep));
      if (!stopped) break;
      recoverRoot(contextOf(root));
      const found = state(root);
      const committed = openStore(root, { mode: 'read' });
      const isNew = committed.history().length > 0 && JSON.stringify(found) !== JSON.stringify(old);
      expect(committed.pending()).toBeUndefined();
      committed.close();
      expect(found, `stopped at step ${at}`).toEqual(isNew ? fresh : old);
      outcomes.add(isNew ? 'new' : 'old');
      expect(existsSync(join(root, 'var/lib/ice-pkg/stage'))).toBe(false);
      // The next command works.
      change(contextOf(root), 'q', { 'opt/q': 'q' });
      expect(readdirSync(join(root, 'opt'))).toEqual(['q']);
      removeRoot(root);
    }
    expect([...outcomes].sort()).toEqual(['new', 'old']);
  });
});
