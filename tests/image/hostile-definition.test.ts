/** Definitions and overlays of strangers: whatever they say, nothing outside of the image is read into it or written. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { IcepkgError } from '#schema/error';
import { runFakeroot } from '#bootstrap/fakeroot';
import { expectError, ImageBench, rootPartition, tool } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;
let outside: string;

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-hostile-definition-'));
  bench = new ImageBench(depot, scratch);
  await depot.publish(
    { name: 'base-files', files: { 'srv/readme': 'read me\n', 'etc/sv/web/run': '#!/bin/sh\n' } },
    { name: 'tool', files: { 'usr/bin/tool': '#!/bin/sh\n' } },
    { name: 'links', files: { top: { link: '/' }, loop: { link: 'loop/a' } } },
  );
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});
beforeEach(() => {
  outside = fs.mkdtempSync(path.join(scratch, 'outside-'));
  fs.writeFileSync(path.join(outside, 'kept'), 'secret of the machine\n');
});

const anna = { name: 'anna', uid: 1000, sshKeys: ['ssh-ed25519 AAAA anna'] };
const data = { name: 'data', type: 'data', filesystem: 'ext4', mount: '/srv', size: '4M' };
const board = { formats: ['tar'] };

test.each([
  ['the host name', 'etc/hostname', 'kept', {}],
  ['the table of mounts', 'etc/fstab', 'fresh', {}],
  ['accounts', 'etc/passwd', 'kept', { users: [anna] }],
  ['keys', 'home/anna/.ssh/authorized_keys', 'kept', { users: [anna] }],
  ['a home', 'home/anna', '', { users: [anna] }],
  ['services', 'etc/service', '', { services: { enable: ['web'] } }],
  ['the state', 'var/lib/icepkg/state.sqlite', 'kept', {}],
  ['the program that starts the system', 'usr/lib/initramfs/init', 'kept', {}],
])('a symlink in the place of %s leads nowhere', async (_, place, name, system) => {
  const definition = bench.define({
    overlay: { 'srv/more': 'more\n' },
    system,
    board: { ...board, partitions: [...rootPartition('ext4'), data] },
  });
  const link = path.join(definition.overlays[0] ?? '', place);
  fs.mkdirSync(path.dirname(link), { recursive: true });
  fs.symlinkSync(path.join(outside, name), link);
  const outcome = await bench.build(definition).catch((error: unknown) => error);
  if (outcome instanceof Error) expect(outcome).toBeInstanceOf(IcepkgError);
  else if ('path' in (outcome as object))
    expect(
      fs.readFileSync((outcome as { path: (format: string) => string }).path('tar')).includes('secret of'),
    ).toBe(false);
  expect(fs.readdirSync(outside)).toEqual(['kept']);
  expect(fs.readFileSync(path.join(outside, 'kept'), 'utf8')).toBe('secret of the machine\n');
});

test('symlinks of packages on the way of an overlay stay inside the image', async () => {
  const system = { packages: ['tool', 'links'] };
  const inside = await bench.build(
    bench.define({ overlay: { [`top${outside}/fresh`]: 'x' }, system, board }),
  );
  expect(inside.description.entries.map((entry) => `/${entry.path}`)).toContain(`${outside}/fresh`);
  expect(fs.readdirSync(outside)).toEqual(['kept']);
  await expect(bench.build(bench.define({ overlay: { 'loop/x': 'x' }, system, board }))).rejects.toThrow(
    expectError('path-unsafe', /^\/loop\/ of the image goes through symlinks without end$/),
  );
});

test.each([
  [
    'a mount that climbs',
    { board: { partitions: [...rootPartition('ext4'), { ...data, mount: '/../../x' }] } },
    /partitions.*mount/,
  ],
  ['a mount of two fields', { board: { partitions: [{ ...data, mount: '/srv /etc' }] } }, /without spaces/],
  ['a home', { system: { users: [{ ...anna, home: '/home/../../../x' }] } }, /home: expected a path without/],
  [
    'a home of two lines',
    { system: { users: [{ ...anna, home: '/x\nroot::0' }] } },
    /home: expected one line/,
  ],
])('%s is refused at its place', (_, written, message) => {
  expect(() => bench.define(written)).toThrow(expectError('format-invalid', message));
});

test('an overlay that is a symlink out of the folder is refused', () => {
  const folder = path.dirname(bench.define({ overlay: { a: 'a' } }).overlays[0] ?? '');
  const home = path.join(folder, 'mine');
  fs.mkdirSync(home);
  fs.symlinkSync(outside, path.join(home, 'over'));
  const image = path.join(home, 'image.yaml');
  expect(() => bench.define({ image: { overlay: '../over' } })).toThrow(
    expectError('format-invalid', /overlay/),
  );
  fs.writeFileSync(image, 'system: small\nboard: box\noverlay: over\n');
  expect(() => bench.load(image, path.dirname(folder))).toThrow(
    expectError('path-unsafe', /the overlay .* leads out of the folder of the definition$/),
  );
});

test('names mean nothing to the makers of file systems', async () => {
  const names = [
    '-x',
    `quo'te"s`,
    '$(touch ran)',
    'back\\slash',
    'semi;colon',
    '*',
    `long/${'d'.repeat(200)}/${'f'.repeat(200)}`,
  ];
  const overlay = Object.fromEntries(names.map((name) => [name, 'x']));
  const vfat = { name: 'boot', type: 'boot', filesystem: 'vfat', mount: '/srv' };
  const definition = bench.define({
    overlay: { ...overlay, 'srv/-i': 'x', "srv/it's": 'x' },
    system: { owners: [{ path: '**', mode: '0600' }] },
    board: { formats: ['tar', 'img'], partitions: [vfat, ...rootPartition('ext4')] },
  });
  const built = await bench.build(definition);
  const paths = built.description.entries.map((entry) => entry.path);
  expect(paths).toEqual(expect.arrayContaining(names));
  const listed = tool('tar', '--quoting-style=literal', '-tf', built.path('tar'));
  for (const name of names) expect(listed).toContain(`./${name}\n`);
  const folder = definition.overlays[0] ?? '';
  fs.writeFileSync(path.join(folder, 'two\nlines'), 'x');
  await expect(bench.build(definition)).rejects.toThrow(/a path that no package may hold: "two\\nlines"$/);
});

test('device nodes may be called what they like', async () => {
  const names = ['-m', "it's", 'two\nlines', '--help', '$(touch ran)'];
  const facts = { mode: 0o600, uid: 1, gid: 2, size: 0, packages: [] };
  const tree = fs.mkdtempSync(path.join(scratch, 'tree-'));
  fs.writeFileSync(path.join(tree, '-c'), '');
  await runFakeroot({
    tree,
    entries: [
      { ...facts, path: '-c', type: 'file', xattrs: { 'user.a': 'eA==' } },
      ...names.map((name) => ({
        ...facts,
        path: name,
        type: 'character-device' as const,
        device: { major: 1, minor: 3 },
      })),
    ],
    script: names.map((name) => `test -c "$TREE"/'${name.replaceAll("'", String.raw`'\''`)}'`).join('\n'),
    environment: { SOURCE_DATE_EPOCH: '1' },
    tools: {},
  });
  expect(fs.readdirSync(tree)).toEqual(['-c']);
});
