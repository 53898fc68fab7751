/** What leaves with a package that is taken back. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeWorld } from '#engine/change-world';
import type { EngineContext } from '#engine/context';
import { installRequest, removeRequest } from '#engine/requests';
import { openStore } from '#engine/store/store';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let context: EngineContext;
const yes = { dryRun: false, confirm: () => true } as const;
beforeEach(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'app', depends: ['lib'], files: { 'usr/bin/app': '' } }, { name: 'lib' });
  context = depot.root();
  await changeWorld(context, { ...installRequest(['app']), ...yes });
});
afterEach(() => depot.dispose());

function installed(): readonly string[] {
  const store = openStore(context.root, { mode: 'read' });
  try {
    return store.installedPackages().map(({ record }) => record.name);
  } finally {
    store.close();
  }
}

test('what only it needed goes too', async () => {
  await changeWorld(context, { ...removeRequest(context.root, ['app', 'app']), ...yes });
  expect(installed()).toEqual([]);
});

test('what only it needed stays where that is wished', async () => {
  await changeWorld(context, { ...removeRequest(context.root, ['app']), ...yes, keepOrphans: true });
  expect(installed()).toEqual(['lib']);
});
