/** Webhooks: told in order and signed, after the fact, again where it fails, and never in the way of who publishes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { promote, rollbackChannel } from '#repo-server/promote';
import { publish } from '#repo-server/publish';
import { serve } from '#repo-server/serve';
import { createToken } from '#repo-server/tokens';
import { deliverDue } from '#repo-server/webhooks/deliver';
import { announce, MOST_WAITING, waitingFor } from '#repo-server/webhooks/outbox';
import { addWebhook, readWebhooks, removeWebhook, type EventName } from '#repo-server/webhooks/settings';
import { encodePublicKey } from '#schema/keys';
import { hasOpenssl } from '../support/certificates.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

interface Told {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let depot: Depot;
let receiver: Server;
let address: string;
let told: Told[];
/** What the receiver answers, the last one for ever; 0 hangs up. */
let answers: number[];

beforeEach(async () => {
  depot = await makeDepot();
  told = [];
  answers = [204];
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      told.push({ headers: request.headers, body });
      const status = answers.length > 1 ? answers.shift() : answers[0];
      if (status === 0) response.destroy();
      else response.writeHead(status ?? 204, { location: `${address}/elsewhere` }).end('x'.repeat(100_000));
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  depot.dispose();
});

const secretFile = (): string => join(depot.folder, 'webhook.secret');
const hook = (...events: EventName[]) =>
  addWebhook(depot.repository, {
    url: `${address.replace('http://', 'http://user:password@')}/hidden-path`,
    secretFile: secretFile(),
    events: events.length === 0 ? ['publish', 'promote', 'rollback', 'upload'] : events,
  });
const types = (): string[] => told.map(({ body }) => (JSON.parse(body) as { type: string }).type);
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 20));
};

test('every kind of event is told, in order, by the server, and counted', async () => {
  const { id } = await hook();
  const upload = join(depot.repository, '.icepkg/upload-keys');
  mkdirSync(upload);
  writeFileSync(join(upload, 'builder.pub'), encodePublicKey(depot.key.public));
  await depot.publish({ name: 'zlib' });
  await publish(depot.repository, { keys: [depot.key] });
  await depot.publish({ name: 'bash' });
  await rollbackChannel(depot.repository, { keys: [depot.key], message: 'back' });
  await promote(depot.repository, { from: '2', keys: [depot.key] });
  const server = await serve(depot.repository, { metricsPort: 0, keys: [depot.key] });
  try {
    const { token } = await createToken(depot.repository, { name: 'test', scopes: ['upload:stable'] });
    const body = readFileSync((await depot.pack({ name: 'curl' }))[0] ?? '');
    const headers = { authorization: `Bearer ${token}` };
    await fetch(`${server.url}/api/v1/packages`, { method: 'POST', headers, body });
    await until(() => told.length === 5);
    await until(() => waitingFor(depot.repository, { id }).length === 0);
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toContain('icepkg_webhook_deliveries_total{repository="main",outcome="delivered"} 5');
    expect(metrics).toContain('icepkg_webhook_events_waiting{repository="main"} 0');
  } finally {
    await server.close();
  }
  // The second publish changed nothing.
  expect(types()).toEqual(['publish', 'publish', 'rollback', 'promote', 'upload']);
  const data = told.map((of) => (JSON.parse(of.body) as { data: object }).data);
  expect(data).toMatchObject([
    { repository: 'main', channel: 'stable', snapshot: 1, packages: 1 },
    { snapshot: 2, previous: 1, packages: 2 },
    { snapshot: 1, previous: 2, message: 'back' },
    { from: 'snapshot 2', snapshot: 2, previous: 1 },
    { package: { name: 'curl', path: 'packages/x86_64/curl-1.0.0-r0.x86_64.icepkg' } },
  ]);
  expect(told[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:password').toString('base64')}`);
});

test.runIf(hasOpenssl)('the signature is the one that openssl computes as the manual says', async () => {
  await hook('publish');
  await depot.publish({ name: 'zlib' });
  await deliverDue(depot.repository);
  const { headers, body = '' } = told[0] ?? {};
  writeFileSync(join(depot.folder, 'body.json'), body);
  const manual = readFileSync(join(import.meta.dirname, '../../docs/repositories.md'), 'utf8');
  const script = /```text\n(key=\$\(.*?)```/s.exec(manual)?.[1] ?? '';
  const computed = execFileSync('sh', ['-c', script], {
    cwd: depot.folder,
    encoding: 'utf8',
    env: {
      ...process.env,
      id: String(headers?.['webhook-id']),
      timestamp: String(headers?.['webhook-timestamp']),
    },
  });
  expect(`v1,${computed.trim()}`).toBe(headers?.['webhook-signature']);
  expect(Number(headers?.['webhook-timestamp'])).toBeGreaterThan(Date.now() / 1000 - 600);
  expect(statSync(secretFile()).mode & 0o777).toBe(0o600);
});

test('a receiver that fails is asked again, later each time, and holds up what comes after', async () => {
  const { id } = await hook('publish');
  await depot.publish({ name: 'zlib' });
  await depot.publish({ name: 'bash' });
  answers = [500, 0, 302, 200];
  const problems: string[] = [];
  const outcomes: string[] = [];
  let time = Date.now();
  const run = (after: number): Promise<void> =>
    deliverDue(depot.repository, {
      now: () => (time += after),
      onProblem: (problem) => problems.push(problem),
      onOutcome: (outcome) => outcomes.push(outcome),
    });
  await run(0);
  await run(0);
  expect([told.length, outcomes]).toEqual([1, ['failed']]);
  await run(6000);
  await run(11_000);
  expect(waitingFor(depot.repository, { id })).toHaveLength(2);
  await run(21_000);
  expect(outcomes).toEqual(['failed', 'failed', 'failed', 'delivered', 'delivered']);
  const ids = told.map(({ headers }) => headers['webhook-id']);
  expect(new Set(ids.slice(0, 4)).size).toBe(1);
  expect(problems[0]).toMatch(
    /^webhook [0-9a-f]{8} \(http:\/\/127\.0\.0\.1:\d+\): publish evt_\w+: the receiver answers 500; again in 5 s$/,
  );
  expect(problems.join()).not.toMatch(/hidden-path|password|whsec/);
});

test('given up: after a day, where the receiver is gone for good, and the oldest where too many wait', async () => {
  const { id } = await hook('publish');
  const outcomes: [string, number][] = [];
  const onOutcome = (outcome: string, count: number): unknown => outcomes.push([outcome, count]);
  const event = { type: 'publish', channel: 'stable', data: {} } as const;
  answers = [500];
  announce(depot.repository, event, new Date(Date.now() - 90_000_000));
  await deliverDue(depot.repository, { onOutcome });
  answers = [410];
  announce(depot.repository, event);
  await deliverDue(depot.repository, { onOutcome });
  expect(outcomes).toEqual([
    ['given-up', 1],
    ['given-up', 1],
  ]);
  for (let at = 0; at < MOST_WAITING + 3; at++) announce(depot.repository, event, new Date(Date.now() + at));
  expect(waitingFor(depot.repository, { id })).toHaveLength(MOST_WAITING);
  answers = [204];
  await deliverDue(depot.repository, { onOutcome });
  expect(outcomes.filter(([what]) => what === 'lost')).toEqual(Array.from({ length: 3 }, () => ['lost', 1]));
});

test('nothing of it keeps anybody from publishing', async () => {
  await hook('publish');
  const [webhook] = readWebhooks(depot.repository);
  rmSync(secretFile());
  await depot.publish({ name: 'zlib' });
  const problems: string[] = [];
  const onProblem = (problem: string): unknown => problems.push(problem);
  await deliverDue(depot.repository, { onProblem });
  expect([told.length, problems]).toEqual([0, [expect.stringMatching(/webhook\.secret: the secret/)]]);
  writeFileSync(join(depot.repository, '.icepkg/webhooks.json'), '{"format":1,"webhooks":[{}]}');
  await expect(depot.publish({ name: 'bash' })).resolves.toMatchObject({ changed: true });
  await expect(deliverDue(depot.repository)).rejects.toMatchObject({ code: 'format-invalid' });
  expect(webhook?.secretFile).toBe(secretFile());
});

test('what is refused: no web address, a short secret, an unknown id; a removed webhook is told nothing', async () => {
  const { id } = await hook('publish');
  await depot.publish({ name: 'zlib' });
  await removeWebhook(depot.repository, id);
  await deliverDue(depot.repository);
  expect([told, readdirSync(join(depot.repository, '.icepkg/outbox'))]).toEqual([[], []]);
  await expect(removeWebhook(depot.repository, id)).rejects.toMatchObject({ code: 'not-found' });
  writeFileSync(join(depot.folder, 'short'), 'abc\n');
  const add = (url: string, file: string) =>
    addWebhook(depot.repository, { url, secretFile: join(depot.folder, file), events: ['publish'] });
  await expect(add('ftp://example.org', 'x')).rejects.toMatchObject({ code: 'usage' });
  await expect(add(address, 'short')).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringMatching(/short: the secret is shorter than 16 bytes/) as string,
  });
  await expect(add(address, 'missing/folder')).rejects.toMatchObject({ code: 'io-failed' });
});
