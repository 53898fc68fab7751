/** Packages that promise little and give without end: refused, and never held in memory whole. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseCanonicalJson } from '#schema/canonical-json';
import { CODECS, openEncoder, type Codec } from '#schema/container/codec';
import { readHeader } from '#schema/container/read';
import { MAX_FRAME_BYTES, MAX_HEADER_BYTES, MAX_JSON_ITEMS } from '#schema/limits';
import { digest, forge, refusal, verify, type Loose } from './support.ts';

const MEGABYTE = 1024 * 1024;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'icepkg-bomb-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Compresses so many zeros with the program of that name. */
function zeros(codec: Codec, megabytes: number, ...options: readonly string[]): Buffer {
  const output = join(folder, `zeros.${codec}`);
  const words = codec === 'xz' ? ['xz', '-0', '-T1', '--format=xz', ...options] : ['zstd', '-q', ...options];
  const run = spawnSync('sh', ['-c', `head -c ${megabytes}M /dev/zero | "$@" -c > "$0"`, output, ...words]);
  expect(run.stderr.toString()).toBe('');
  return readFileSync(output);
}

/** Peak memory must not grow by more than this while a bomb is looked at: the bound of a header and some copies of it. */
const ROOM = 256 * MEGABYTE;
async function bounded(look: () => Promise<void>): Promise<void> {
  const before = process.resourceUsage().maxRSS * 1024;
  await look();
  expect(process.resourceUsage().maxRSS * 1024 - before).toBeLessThan(ROOM);
}

describe.each(CODECS)('%s', (codec) => {
  test('a header of nothing but zeros is refused at the bound of headers', () =>
    bounded(async () => {
      const bomb = zeros(codec, 128);
      expect(bomb.length).toBeLessThan(MEGABYTE);
      expect(await refusal(bomb)).toContain(`gives more than ${MAX_HEADER_BYTES} bytes`);
    }));

  test('a frame that gives more than was said is refused', () =>
    bounded(async () => {
      const good = await forge(undefined, { codec });
      const { headerSize } = readHeader(good, 'good');
      const bomb = zeros(codec, 64);
      const spoil = (m: Loose): object => ({
        ...m,
        frames: m.frames.map((one) => ({ ...one, size: bomb.length, sha256: digest(bomb) })),
      });
      const header = (await forge(spoil, { codec })).subarray(0, -(good.length - headerSize));
      expect(await refusal(Buffer.concat([header, bomb]))).toMatch(
        /^package-corrupt: x\.icepkg: the frame at 0 cannot be decoded/,
      );
    }));

  test('a frame that gives less than was said is refused', async () => {
    const spoil = (m: Loose): object => ({
      ...m,
      frames: m.frames.map((one) => ({ ...one, uncompressedSize: MAX_FRAME_BYTES })),
    });
    expect(await refusal(await forge(spoil, { codec }))).toMatch(
      /^package-corrupt: x\.icepkg: the frame at 0 cannot be decoded \(gives \d+ bytes instead of 16777216\)$/,
    );
  });

  test('a frame of two is refused', async () => {
    const encoder = openEncoder(codec, 1);
    const good = await forge(undefined, { codec });
    const { headerSize, manifest } = readHeader(good, 'good');
    const twice = Buffer.concat([good.subarray(headerSize), await encoder.encode(Buffer.alloc(512))]);
    const spoil = (m: Loose): object => ({
      ...m,
      frames: m.frames.map((one) => ({ ...one, size: twice.length, sha256: digest(twice) })),
    });
    const header = (await forge(spoil, { codec })).subarray(0, -(good.length - headerSize));
    expect(manifest.frames).toHaveLength(1);
    expect(await refusal(Buffer.concat([header, twice]))).toMatch(/cannot be decoded \(bytes follow the end/);
  });

  test('a frame in the other codec is refused', async () => {
    const other = codec === 'xz' ? 'zstd' : 'xz';
    const good = await forge(undefined, { codec });
    const foreign = await forge(undefined, { codec: other });
    const data = foreign.subarray(readHeader(foreign, 'foreign').headerSize);
    const spoil = (m: Loose): object => ({
      ...m,
      frames: m.frames.map((one) => ({ ...one, size: data.length, sha256: digest(data) })),
    });
    const { headerSize } = readHeader(good, 'good');
    const header = (await forge(spoil, { codec })).subarray(0, -(good.length - headerSize));
    expect(await refusal(Buffer.concat([header, data]))).toMatch(/the frame at 0 cannot be decoded/);
  });
});

test('a dictionary or window larger than any package needs is refused, not allocated', () =>
  bounded(async () => {
    const bombs = {
      xz: zeros('xz', 1, '--lzma2=preset=1,dict=1GiB'),
      // A frame header alone, of a window of 2 GiB.
      zstd: Buffer.from('28b52ffd00a8010000', 'hex'),
    };
    for (const codec of CODECS)
      expect(await refusal(bombs[codec]), codec).toMatch(/the header frame cannot be read/);
  }));

test('a header that only just fits is read', async () => {
  const description = 'a'.repeat(8192);
  const files = Array.from({ length: 60_000 }, (_, i) => ({
    type: 'directory',
    path: `d/${String(i).padStart(6, '0')}${'x'.repeat(40)}`,
    mode: 0o755,
  }));
  const big = await forge((m) => ({ ...m, description, files, installedSize: 0 }));
  writeFileSync(join(folder, 'big.icepkg'), big);
  expect(readHeader(join(folder, 'big.icepkg'), 'big').manifest.files).toHaveLength(60_000);
  await expect(verify(big)).rejects.toThrow('disagree on d/000000');
});

test.each(['{},', '0,', '"",'])('a document of millions of %s is refused before it is parsed', (item) =>
  bounded(async () => {
    const text = `{"files":[${item.repeat(MAX_JSON_ITEMS + 1)}0]}`;
    expect(() => parseCanonicalJson(Buffer.from(text), 'x')).toThrow(
      `holds more than ${MAX_JSON_ITEMS} items`,
    );
  }),
);
