/** Upgrades from the real server: by patch where there is one that fits, and whole in every other case. */
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '#schema/canonical-json';
import { sha256 } from '#schema/digest';
import { openEncoder } from '#schema/container/codec';
import { MAX_SECTION_BYTES, patchListPath, type PatchHead } from '#schema/patch/format';
import { changeWorld, type ChangeOutcome } from '#engine/change-world';
import { openContext, type EngineContext } from '#engine/context';
import { installRequest, upgradeRequest } from '#engine/requests';
import type { Progress } from '#engine/model';
import { openPatch } from '#engine/patch/read-patch';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { program } from '../cli/icepkg.ts';
import { makeDepot, type DeclaredPackage, type Depot } from '../support/repository.ts';
import { randomText } from './support.ts';

const CODE = randomText(0.125, 1);
const OLD: DeclaredPackage = {
  name: 'tool',
  version: '1.0.0-r0',
  files: {
    'lib/code': CODE,
    'lib/data': randomText(0.125, 2),
    'etc/tool.conf': { text: 'old', config: true },
  },
};
const NEW: DeclaredPackage = {
  name: 'tool',
  version: '1.1.0-r0',
  files: {
    'lib/code': `${CODE.slice(0, 50_000)}changed${CODE.slice(50_000)}`,
    'lib/data': randomText(0.125, 2),
    'lib/more': 'more',
    'etc/tool.conf': { text: 'new', config: true },
  },
};

let depot: Depot;
let server: RepositoryServer;
let root: EngineContext;
let warnings: string[];
beforeEach(async () => {
  depot = await makeDepot();
  await depot.publish(OLD);
  server = await serve(depot.repository, {});
  root = depot.root({ mirror: server.url });
  await changeWorld(root, { ...installRequest(['tool']), dryRun: false, confirm: () => true });
});
afterEach(async () => {
  await server.close();
  depot.dispose();
});

function reopened(): EngineContext {
  warnings = [];
  const onProgress = (progress: Progress): void => {
    if (progress.phase === 'warning') warnings.push(progress.message);
  };
  return openContext({ root: root.root, sync: false, onProgress });
}

async function upgrade(): Promise<ChangeOutcome> {
  const context = reopened();
  return changeWorld(context, { ...upgradeRequest(context, []), dryRun: false, confirm: () => true });
}

const installed = (path: string): string => fs.readFileSync(join(root.root, path), 'utf8');
const isUpgraded = (): boolean =>
  installed('lib/code') === (NEW.files?.['lib/code'] as string) && installed('lib/more') === 'more';
const inRepository = (path: string): string => join(depot.repository, path);
const PACKAGE = 'packages/x86_64/tool-1.1.0-r0.x86_64.icepkg';
const packageSize = (): number => fs.statSync(inRepository(PACKAGE)).size;
const patchFile = (): string => {
  const name = fs.readdirSync(inRepository('packages/x86_64')).find((one) => /^tool.*\.icepatch$/.test(one));
  return inRepository(`packages/x86_64/${name ?? 'there is no patch'}`);
};

describe('an upgrade', () => {
  it('moves a patch instead of the package, and leaves nothing of it behind', async () => {
    const { patches } = await depot.publish(NEW);
    expect(patches).toMatchObject({ made: 1, problems: [] });
    const { received } = await upgrade();
    expect(isUpgraded()).toBe(true);
    expect(warnings).toEqual([]);
    expect(received).toMatchObject({ patched: 1, packageBytes: packageSize() });
    expect(received?.bytes).toBeLessThan(packageSize() / 20);
    const cache = fs.readdirSync(join(root.root, 'var/cache/icepkg/packages'));
    expect(cache.filter((name) => !/^[0-9a-f]{64}\.icepkg$/.test(name))).toEqual([]);
    expect(cache).toHaveLength(1);
  });

  it('is told by the command in words and as JSON', async () => {
    await depot.publish(NEW);
    const run = promisify(execFile);
    const words = ['upgrade', '--yes', '--no-sync', '--root', root.root];
    const { stdout } = await run(process.execPath, program(...words));
    expect(stdout).toMatch(/^fetched \d+ B instead of [\d.]+ KiB: 1 package by patch$/m);
    await depot.publish({ ...NEW, version: '1.2.0-r0', files: { ...NEW.files, 'lib/more': 'yet more' } });
    const { stdout: json } = await run(process.execPath, program(...words, '--json'));
    const told = JSON.parse(json) as { receivedBytes: number; downloadSize: number };
    expect(told).toMatchObject({ patchedPackages: 1, transaction: 3 });
    expect(told.receivedBytes).toBeLessThan(told.downloadSize / 20);
  });

  it('upgrades again on top of what a patch made', async () => {
    await depot.publish(NEW);
    await upgrade();
    await depot.publish({ ...NEW, version: '1.2.0-r0', files: { ...NEW.files, 'lib/more': 'yet more' } });
    expect((await upgrade()).received).toMatchObject({ patched: 1 });
    expect(installed('lib/more')).toBe('yet more');
  });

  it('goes by patch though the operator changed a configuration file', async () => {
    await depot.publish(NEW);
    fs.writeFileSync(join(root.root, 'etc/tool.conf'), 'mine');
    expect((await upgrade()).received).toMatchObject({ patched: 1 });
    expect([installed('etc/tool.conf'), installed('etc/tool.conf.icepkg-new')]).toEqual(['mine', 'new']);
  });

  it.each([
    ['changed', () => fs.appendFileSync(join(root.root, 'lib/code'), 'x')],
    ['changed in place', () => fs.writeFileSync(join(root.root, 'lib/data'), randomText(0.125, 3))],
    ['gone', () => fs.rmSync(join(root.root, 'lib/data'))],
    [
      'a symlink now',
      () => {
        fs.renameSync(join(root.root, 'lib/code'), join(root.root, 'lib/elsewhere'));
        fs.symlinkSync('elsewhere', join(root.root, 'lib/code'));
      },
    ],
  ])('takes the whole package where an installed file is %s', async (_, change) => {
    await depot.publish(NEW);
    change();
    const { received } = await upgrade().catch((error: unknown) => {
      // A foreign file in the way is for the file plan to judge, once the package is there.
      expect(error).toMatchObject({ code: 'file-conflict' });
      return { received: undefined };
    });
    expect(warnings.join()).toContain('tool-1.1.0-r0: fetching the whole package, since a patch failed');
    expect(fs.readdirSync(join(root.root, 'var/cache/icepkg/packages')).join()).not.toContain('rebuilt');
    if (received === undefined) return;
    expect(isUpgraded()).toBe(true);
    expect(received.patched).toBe(0);
    expect(received.bytes).toBeGreaterThan(packageSize());
  });

  it('leaves nothing behind where the transaction is refused', async () => {
    await depot.publish(NEW);
    fs.writeFileSync(join(root.root, 'lib/more'), 'mine');
    await expect(upgrade()).rejects.toMatchObject({ code: 'file-conflict' });
    expect(installed('lib/code')).toBe(CODE);
    expect(fs.readdirSync(join(root.root, 'var/cache/icepkg/packages'))).toHaveLength(1);
  });

  it('takes the whole package without patches in the configuration, and asks for none', async () => {
    await depot.publish(NEW);
    fs.writeFileSync(join(root.root, 'etc/icepkg/icepkg.toml'), '[network]\npatches = false\n');
    const { received } = await upgrade();
    expect(received).toEqual({ bytes: packageSize(), packageBytes: packageSize(), patched: 0 });
    expect(isUpgraded()).toBe(true);
  });

  it('takes the whole package from versions that no patch was made from', async () => {
    await depot.publish({ ...OLD, version: '1.0.1-r0' }, { ...OLD, version: '1.0.2-r0' });
    await depot.publish({ ...OLD, version: '1.0.3-r0' }, NEW);
    const { received } = await upgrade();
    expect(received).toMatchObject({ patched: 0 });
    expect([isUpgraded(), warnings]).toEqual([true, []]);
  });
});

/** Writes a patch and a list that names it as it is. */
function putPatch(bytes: Uint8Array, { from }: { readonly from?: string } = {}): void {
  fs.writeFileSync(patchFile(), bytes);
  const file = inRepository(patchListPath(PACKAGE));
  const list = JSON.parse(fs.readFileSync(file, 'utf8')) as { patches: Record<string, unknown>[] };
  const [patch] = list.patches;
  list.patches = [{ ...patch, size: bytes.length, sha256: sha256(bytes), ...(from ? { from } : {}) }];
  fs.writeFileSync(file, canonicalJson(list));
}

async function encodePatch(head: PatchHead, ...sections: readonly Uint8Array[]): Promise<Uint8Array> {
  return Buffer.concat([await openEncoder('zstd').encode(canonicalJson(head)), ...sections]);
}

/** The head of the patch that is published, and its header section. */
function publishedPatch(): { readonly head: PatchHead; readonly header: Uint8Array } {
  const patch = openPatch(patchFile(), 'it');
  patch.close();
  const { size } = fs.statSync(patchFile());
  const behind = patch.head.sections.reduce((sum, section) => sum + section.size, 0);
  const start = size - behind - patch.head.header.size;
  const header = fs.readFileSync(patchFile()).subarray(start, start + patch.head.header.size);
  return { head: patch.head, header };
}

describe('a patch that is not what it should be', () => {
  beforeEach(async () => {
    await depot.publish(NEW);
  });

  const hostile: [string, () => Promise<void> | void][] = [
    [
      'damaged',
      () => {
        const bytes = fs.readFileSync(patchFile());
        bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
        putPatch(bytes);
      },
    ],
    ['not the one of the list', () => fs.appendFileSync(patchFile(), 'x')],
    ['cut short', () => putPatch(fs.readFileSync(patchFile()).subarray(0, -9))],
    ['cut short on the way', () => fs.truncateSync(patchFile(), 100)],
    [
      'longer than its sections',
      () => putPatch(Buffer.concat([fs.readFileSync(patchFile()), Buffer.alloc(9)])),
    ],
    ['gone', () => fs.rmSync(patchFile())],
    ['no patch', () => putPatch(Buffer.from('not a patch at all'))],
    [
      'of another package',
      async () => {
        await depot.publish({ ...OLD, name: 'other' });
        await depot.publish({ ...NEW, name: 'other' });
        const folder = inRepository('packages/x86_64');
        const name = fs.readdirSync(folder).find((one) => /^other.*\.icepatch$/.test(one)) ?? '';
        putPatch(fs.readFileSync(join(folder, name)));
      },
    ],
    [
      'a bomb: small, and more than it declares',
      async () => {
        const { head, header } = publishedPatch();
        const bomb = await openEncoder('zstd', 1).encode(Buffer.alloc(8 * MAX_SECTION_BYTES));
        const sections = head.sections.map((section) => ({ ...section, size: bomb.length, pieces: [] }));
        putPatch(await encodePatch({ ...head, sections }, header, ...sections.map(() => bomb)));
      },
    ],
    [
      'one that declares more than a section may hold',
      async () => {
        const { head, header } = publishedPatch();
        const [first] = head.sections;
        if (first === undefined) throw new Error('the patch has no section');
        const sections = [{ ...first, uncompressedSize: 8 * MAX_SECTION_BYTES }];
        putPatch(await encodePatch({ ...head, sections }, header, Buffer.alloc(first.size)));
      },
    ],
    [
      'one that draws on what there is not',
      async () => {
        const { head, header } = publishedPatch();
        const sections = head.sections.map((of) => ({
          ...of,
          pieces: [[0, 0, 9] as [number, number, number]],
        }));
        putPatch(
          await encodePatch({ ...head, sections }, header, ...sections.map(({ size }) => Buffer.alloc(size))),
        );
      },
    ],
    ['listed by nonsense', () => fs.writeFileSync(inRepository(patchListPath(PACKAGE)), '[{"from": 1}]')],
    [
      'listed endlessly',
      () => fs.writeFileSync(inRepository(patchListPath(PACKAGE)), Buffer.alloc(999_999, ' ')),
    ],
  ];
  it.each(hostile)('costs bytes, never correctness: %s', async (_, spoil) => {
    await spoil();
    const { received } = await upgrade();
    expect(isUpgraded()).toBe(true);
    expect(received?.patched).toBe(0);
    expect(received?.bytes).toBeLessThan(2 * packageSize());
    expect(warnings.join()).toContain('since a patch failed');
    expect(fs.readdirSync(join(root.root, 'var/cache/icepkg/packages')).join()).not.toMatch(/icepatch/);
  });

  it('is not even fetched where the list says that it is larger than the package', async () => {
    putPatch(Buffer.alloc(packageSize() + 1));
    expect((await upgrade()).received?.bytes).toBeLessThan(packageSize() + 1000);
    expect([isUpgraded(), warnings]).toEqual([true, []]);
  });
});
