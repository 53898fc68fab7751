/** What is done with built images: compared, explained, billed, signed, written to disks. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Definition } from '#bootstrap/definition';
import { diffImages, isSameImage } from '#bootstrap/diff';
import { flashImage, type FlashTarget } from '#bootstrap/flash';
import { releasedDigest } from '#bootstrap/release';
import { imageCycloneDx } from '#bootstrap/sbom-cyclonedx';
import { imageSpdx } from '#bootstrap/sbom-spdx';
import { whyInImage } from '#bootstrap/why';
import { generateKey } from '#schema/keys';
import { expectError, ImageBench, tool, type Built } from '../support/images.ts';
import { makeDepot, type Depot } from '../support/repository.ts';
import { problemsOfSpdx3 } from '../support/spdx3.ts';

let depot: Depot;
let scratch: string;
let bench: ImageBench;
let built: Built;
const key = generateKey();

beforeAll(async () => {
  depot = await makeDepot();
  scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-built-'));
  bench = new ImageBench(depot, scratch);
  await depot.publish(
    { name: 'base-files', license: 'MIT', files: { 'etc/base': 'x', tmp: { directory: 0o1777 } } },
    {
      name: 'libtool',
      license: 'Zlib',
      provides: ['so:libtool.so.1'],
      files: { 'usr/lib/libtool.so.1': 'code' },
    },
    {
      name: 'tool',
      license: 'GPL-2.0-only',
      depends: ['so:libtool.so.1'],
      files: {
        'usr/bin/tool': { text: '#!/bin/sh\n', mode: 0o755 },
        'usr/bin/tool2': { hard: 'usr/bin/tool' },
      },
    },
  );
  const overlay = { 'etc/own': 'of the definition\n' };
  built = await bench.build(bench.define({ board: { formats: ['img'] }, overlay }), { keys: [key] });
});
afterAll(() => {
  depot.dispose();
  fs.rmSync(scratch, { recursive: true, force: true });
});

describe('difference', () => {
  test('of packages, files and outputs', async () => {
    await depot.publish({
      name: 'tool',
      version: '1.1.0-r0',
      license: 'GPL-3.0-only',
      files: { 'usr/bin/tool': { text: '#!/bin/sh\ntrue\n', mode: 0o755 }, 'usr/bin/more': '' },
    });
    const now = await bench.build(bench.define({ board: { formats: ['img'] } }));
    const diff = diffImages(built.description, now.description);
    expect(diff.packages.removed).toMatchObject([{ name: 'libtool' }]);
    expect(diff.packages.changed).toMatchObject([
      {
        name: 'tool',
        from: { version: '1.0.0-r0', license: 'GPL-2.0-only', size: 10 },
        to: { version: '1.1.0-r0', license: 'GPL-3.0-only', size: 15 },
      },
    ]);
    expect(diff.files?.added).toEqual(['usr/bin/more']);
    expect(diff.files?.removed).toEqual(
      expect.arrayContaining(['etc/own', 'usr/bin/tool2', 'usr/lib/libtool.so.1']),
    );
    expect(diff.files?.changed).toContainEqual({ path: 'usr/bin/tool', what: ['content 10 -> 15 bytes'] });
  });

  test('there is none to the image itself', () => {
    expect(isSameImage(diffImages(built.description, built.description))).toBe(true);
  });
});

describe('why', () => {
  test.each([
    ['libtool', ['libtool-1.0.0-r0', 'needed by tool-1.0.0-r0 (so:libtool.so.1)', 'asked for (tool)']],
    ['/usr/bin/tool', ['usr/bin/tool', 'tool-1.0.0-r0', 'asked for (tool)']],
    ['etc/own', ['etc/own', 'brought by the definition, or made while the image was composed']],
  ])('%s', (wanted, chain) => {
    expect(whyInImage(built.description, wanted).paths).toEqual([chain]);
  });

  test('what is not there is said to be missing', () => {
    expect(() => whyInImage(built.description, 'nothing')).toThrow(
      expectError('not-found', /small-box has no package or file nothing/),
    );
  });
});

describe('bill of materials', () => {
  interface Spdx {
    readonly type: string;
    readonly spdxId: string;
    readonly name?: string;
    readonly from?: string;
    readonly to?: readonly string[];
    readonly relationshipType?: string;
  }
  const regular = (): string[] =>
    built.description.entries.filter(({ type }) => type === 'file').map((entry) => entry.path);

  test('SPDX has every file, contained in its packages or in the image', () => {
    const text = imageSpdx(built.description);
    expect(imageSpdx(built.description)).toBe(text);
    const { '@graph': graph } = JSON.parse(text) as { '@graph': Spdx[] };
    expect(problemsOfSpdx3(JSON.parse(text) as Parameters<typeof problemsOfSpdx3>[0])).toEqual([]);
    const files = graph.filter(({ type }) => type === 'software_File');
    expect(files.map(({ name }) => name)).toEqual(regular().map((file) => `./${file}`));
    const contained = graph.filter(({ relationshipType }) => relationshipType === 'contains');
    const inside = new Set(contained.flatMap(({ to }) => to ?? []));
    expect(files.filter(({ spdxId }) => !inside.has(spdxId))).toEqual([]);
    const id = (name: string): string => graph.find((one) => one.name === name)?.spdxId ?? '';
    const holder = (file: string): string[] =>
      contained.filter(({ to }) => to?.includes(id(file))).map(({ from = '' }) => from);
    expect(holder('./usr/bin/tool')).toEqual([id('tool')]);
    const { spdxId: image } =
      graph.find(({ type, spdxId }) => type === 'software_Package' && spdxId.endsWith('#image')) ?? {};
    expect(holder('./etc/own')).toEqual([image]);
    const needs = graph.find((one) => one.relationshipType === 'dependsOn' && one.from === id('tool'));
    expect(needs?.to).toEqual([id('libtool')]);
  });
  test('CycloneDX has every file with its hash', () => {
    interface Component {
      readonly name: string;
      readonly type: string;
      readonly hashes: readonly { readonly content: string }[];
      readonly components?: readonly Component[];
    }
    const document = JSON.parse(imageCycloneDx(built.description)) as { components: Component[] };
    const all = document.components.flatMap((one) => [one].concat(one.components ?? []));
    const files = all.filter(({ type }) => type === 'file');
    expect(files.map(({ name }) => name).sort()).toEqual(regular().sort());
    const own = files.find(({ name }) => name === 'etc/own');
    const entry = built.description.entries.find((one) => one.path === 'etc/own');
    expect(own?.hashes[0]?.content).toBe(entry?.sha256);
  });
});

test('a file system that no package changes is made once, and the image is as if made anew', async () => {
  const partitions = [
    { name: 'data', type: 'data', filesystem: 'ext4', mount: '/srv' },
    { name: 'root', type: 'root', filesystem: 'ext4', free: '4M' },
  ];
  const overlay = { 'srv/data': 'of the definition\n' };
  const define = (): Definition => bench.define({ board: { formats: ['img'], partitions }, overlay });
  const cache = bench.folder('cache');
  const kept = (name: string): string[] =>
    fs.readdirSync(path.join(cache, 'filesystems', 'small-box.x86_64', name));
  await bench.build(define(), { cache });
  const before = kept('data');
  await depot.publish({ name: 'tool', version: '1.2.0-r0', files: { 'usr/bin/tool': 'another' } });
  const { files } = await bench.build(define(), { cache });
  expect(kept('data')).toEqual(before);
  expect(kept('root')).toHaveLength(2);
  expect((await bench.build(define())).files).toEqual(files);
});

describe('release', () => {
  const file = (): string => path.basename(built.path('img'));

  test('sha256sum agrees, and the signature holds', () => {
    expect(tool('sh', '-c', `cd '${built.folder}' && sha256sum -c SHA256SUMS`)).toMatch(
      /small-box\.x86_64\.img: OK/,
    );
    const { sha256 } = built.files.find(({ format }) => format === 'img') ?? {};
    expect(releasedDigest(built.folder, file(), [key.public])).toBe(sha256);
  });

  test('another key, and changed checksums, are refused', () => {
    const other = generateKey();
    expect(() => releasedDigest(built.folder, file(), [other.public])).toThrow(
      expectError('trust-failed', /signed by none/),
    );
    const copy = bench.folder('release');
    fs.cpSync(built.folder, copy, { recursive: true });
    fs.appendFileSync(path.join(copy, 'SHA256SUMS'), `${'0'.repeat(64)}  evil.img\n`);
    expect(() => releasedDigest(copy, file(), [key.public])).toThrow(
      expectError('trust-failed', /signed by none/),
    );
  });

  test('a signature does not outlive what it signed', async () => {
    const output = bench.folder('release');
    fs.cpSync(built.folder, output, { recursive: true });
    await bench.build(bench.define({ board: { formats: ['tar'] } }), { output });
    expect(fs.existsSync(path.join(output, 'SHA256SUMS.sig'))).toBe(false);
  });
});

/** Root may set up loop devices, where the kernel has them. */
function mayLoop(): boolean {
  if (process.getuid?.() !== 0 || !fs.existsSync('/dev/loop-control')) return false;
  return spawnSync('losetup', ['--find'], { stdio: 'ignore' }).status === 0;
}

describe('flash', () => {
  const flash = (target: string, sha256 = built.files.find(({ format }) => format === 'img')?.sha256 ?? '') =>
    flashImage({ image: built.path('img'), sha256, target, confirm: () => Promise.resolve(true) });

  test('to a new file and over a larger one', async () => {
    const target = path.join(bench.folder('disk'), 'disk');
    await flash(target);
    tool('cmp', built.path('img'), target);
    fs.truncateSync(target, fs.statSync(target).size + 4096);
    const { size } = (await flash(target)) satisfies FlashTarget;
    expect(size).toBe(fs.statSync(built.path('img')).size + 4096);
  });

  test('a target that is too small keeps what it has', async () => {
    const target = path.join(bench.folder('disk'), 'disk');
    fs.writeFileSync(target, 'precious');
    await expect(flash(target)).rejects.toThrow(
      expectError('image-failed', /too small: it has 0\.0 MiB, and the image \d+\.\d MiB/),
    );
    expect(fs.readFileSync(target, 'utf8')).toBe('precious');
  });

  test('an image that is not what was released is not written', async () => {
    const target = path.join(bench.folder('disk'), 'disk');
    await expect(flash(target, '0'.repeat(64))).rejects.toThrow(
      expectError('verify-failed', /its hash differs/),
    );
    expect(fs.existsSync(target)).toBe(false);
  });

  describe.skipIf(!mayLoop())('to a real block device', () => {
    const MIB = 1024 ** 2;
    let file: string;
    let device: string;
    const attach = (size: number): void => {
      file = path.join(bench.folder('loop'), 'disk');
      fs.writeFileSync(file, '');
      fs.truncateSync(file, size);
      device = tool('losetup', '--find', '--show', '--partscan', file).trim();
    };
    afterEach(() => void tool('losetup', '--detach', device));

    test('it is written, read back, and has the partitions of the image', async () => {
      const { size } = fs.statSync(built.path('img'));
      attach(size + MIB);
      expect(await flash(device)).toEqual({ path: device, isDevice: true, size: size + MIB });
      tool('cmp', '-n', String(size), built.path('img'), device);
      const { partitiontable } = JSON.parse(tool('sfdisk', '--json', device)) as {
        partitiontable: { partitions: { name: string }[] };
      };
      expect(partitiontable.partitions).toMatchObject([{ name: 'root' }]);
    });

    test('one that is too small is refused, and both sizes are named', async () => {
      attach(MIB);
      await expect(flash(device)).rejects.toThrow(
        expectError(
          'image-failed',
          /^\/dev\/loop\d+ is too small: it has 1\.0 MiB, and the image \d+\.\d MiB$/,
        ),
      );
    });

    test('one that is mounted is refused, and so is the file behind it', async () => {
      attach(64 * MIB);
      tool('mkfs.ext4', '-q', device);
      await expect(flash(file)).rejects.toThrow(
        expectError('image-failed', /is in use: used by \/dev\/loop/),
      );
      const other = `${file}-by-another-name`;
      fs.linkSync(file, other);
      await expect(flash(other)).rejects.toThrow(/is in use: used by \/dev\/loop/);
      const place = bench.folder('mount');
      tool('mount', device, place);
      try {
        await expect(flash(device)).rejects.toThrow(expectError('image-failed', /is in use: mounted at/));
      } finally {
        tool('umount', place);
      }
      expect(tool('e2fsck', '-fn', device)).toContain('Pass 5');
    });

    test('one that is another device once more is refused', async () => {
      attach(64 * MIB);
      const again = tool('losetup', '--find', '--show', device).trim();
      try {
        await expect(flash(device)).rejects.toThrow(
          expectError('image-failed', /is in use: used by \/dev\/loop/),
        );
      } finally {
        tool('losetup', '--detach', again);
      }
    });
  });

  test('a device that is not there is not made as a file in memory', async () => {
    for (const device of ['/dev/icepkg-none', '/dev/disk/icepkg-none'])
      await expect(flash(device)).rejects.toThrow(expectError('not-found', /^there is no device \/dev\//));
    expect(fs.existsSync('/dev/icepkg-none')).toBe(false);
  });

  test('a folder is no target', async () => {
    await expect(flash(scratch)).rejects.toThrow(expectError('image-failed', /no disk and no file/));
  });
});
