/** An update that finds nothing new: one request, and nothing overlooked that it should have seen. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKey } from '#schema/keys';
import { loadIndexes } from '#engine/client/load-indexes';
import type { EngineContext } from '#engine/context';
import { rotateRoot, sameKeys } from '#repo-server/init';
import { publish } from '#repo-server/publish';
import { makeDepot, type Depot } from '../support/repository.ts';
import { serveFrom } from './serve-from.ts';

let depot: Depot;
let server: Server;
let context: EngineContext;
let requests: string[];

beforeEach(async () => {
  depot = await makeDepot();
  await depot.publish({ name: 'hello' });
  requests = [];
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    serveFrom(depot.repository, request, response);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  context = depot.root({ mirror: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  await update();
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  depot.dispose();
});

/** @returns the names that are offered, and what was asked for */
async function update(more: Partial<EngineContext> = {}): Promise<{ names: string[]; asked: string[] }> {
  requests = [];
  const found = await loadIndexes({ ...context, ...more }, { refresh: 'force' });
  return { names: found.map(({ record }) => record.name).sort(), asked: requests };
}

const TIMESTAMP = '/channels/stable/metadata/timestamp.json';

test('costs one request', async () => {
  expect(await update()).toEqual({ names: ['hello'], asked: [TIMESTAMP] });
});

test('a publish after it is seen', async () => {
  await update();
  await depot.publish({ name: 'more' });
  expect((await update()).names).toEqual(['hello', 'more']);
  expect((await update()).asked).toEqual([TIMESTAMP]);
});

test('so is a new root, with the timestamp that comes with it', async () => {
  const next = generateKey();
  await rotateRoot(depot.repository, { roles: sameKeys([next.public]), keys: [depot.key, next] });
  await publish(depot.repository, { keys: [next] });
  const { names, asked } = await update();
  expect(names).toEqual(['hello']);
  expect(asked).toContain('/channels/stable/metadata/2.root.json');
  expect((await update()).asked).toEqual([TIMESTAMP]);
});

test('what has expired is not good because it is unchanged', async () => {
  const year = 365 * 24 * 60 * 60 * 1000;
  const late = { now: () => new Date(Date.now() + 20 * year) };
  await expect(update(late)).rejects.toMatchObject({ code: 'trust-expired' });
});
