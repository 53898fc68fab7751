/** Packages that were damaged on their way: every kind ends in an `IcepkgError`, and none is taken for good. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CODECS } from '#schema/container/codec';
import { readHeader } from '#schema/container/read';
import { verifyPackage } from '#schema/container/verify';
import { forge, goodPackage, refusal, verify, withFolder } from './support.ts';

describe.each(CODECS)('a %s package', (codec) => {
  const whole = goodPackage({ codec });
  const boundaries = whole.then((bytes) => {
    const { headerSize, manifest } = readHeader(bytes, 'good');
    expect(manifest.frames.length).toBeGreaterThan(2);
    return [headerSize, ...manifest.frames.map((frame) => headerSize + frame.offset + frame.size)];
  });

  test('is good as it was made', async () => {
    const bytes = await whole;
    expect(await refusal(bytes)).toBe('accepted');
    expect((await verify(bytes)).size).toBe(bytes.length);
  });

  test('is refused cut short at, before and after the end of each frame, and at many places between', async () => {
    const bytes = await whole;
    const lengths = new Set((await boundaries).flatMap((end) => [end - 1, end, end + 1]));
    for (let i = 0; i < 60; i++) lengths.add(Math.floor((bytes.length * i) / 60));
    for (const length of lengths) {
      if (length >= bytes.length) continue;
      expect(await refusal(bytes.subarray(0, length)), `${length} bytes`).toMatch(
        /^package-corrupt: x\.icepkg: /,
      );
    }
  });

  test('is refused with one bit flipped, wherever', async () => {
    const bytes = await whole;
    const [headerSize = 0] = await boundaries;
    const places = new Set((await boundaries).flatMap((end) => [end - 1, end, end + 1, end + 5]));
    for (let at = 0; at < headerSize; at += 5) places.add(at);
    for (let i = 0; i < 40; i++) places.add(Math.floor((bytes.length * i) / 40));
    for (const at of places) {
      if (at >= bytes.length) continue;
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      const told = await refusal(flipped);
      // Unused bits of a frame's own header may be set without changing what it holds.
      if (told === 'accepted') expect({ at, same: sameMeaning(flipped, bytes) }).toEqual({ at, same: true });
      else expect(told, `byte ${at}`).toMatch(/^(?:package-corrupt|format-invalid): /);
    }
  });

  test('is refused twice in one file, or with anything behind it', async () => {
    const bytes = await whole;
    expect(await refusal(Buffer.concat([bytes, bytes]))).toBe(
      `package-corrupt: x.icepkg: ${bytes.length} bytes follow the last frame`,
    );
    for (const more of [Buffer.alloc(1), Buffer.alloc(512), Buffer.from('<html>')]) {
      expect(await refusal(Buffer.concat([bytes, more]))).toBe(
        `package-corrupt: x.icepkg: ${more.length} bytes follow the last frame`,
      );
    }
  });

  test('is refused with its frames exchanged', async () => {
    const bytes = await whole;
    const [header = 0, first = 0, second = 0] = await boundaries;
    const exchanged = Buffer.concat([
      bytes.subarray(0, header),
      bytes.subarray(first, second),
      bytes.subarray(header, first),
      bytes.subarray(second),
    ]);
    expect(await refusal(exchanged)).toMatch(/^package-corrupt: .* the frame at 0 is damaged/);
  });
});

function sameMeaning(a: Uint8Array, b: Uint8Array): boolean {
  const [one, other] = [readHeader(a, 'a'), readHeader(b, 'b')];
  return one.manifestSha256 === other.manifestSha256 && one.signatures.length === other.signatures.length;
}

describe('what is no package', () => {
  test.each([
    ['an empty file', Buffer.alloc(0), 'the file is empty'],
    ['zeros', Buffer.alloc(4096), 'not an icepkg package'],
    ['a web page', Buffer.from('<!doctype html><title>404</title>'), 'not an icepkg package'],
    ['a shell script', Buffer.from('#!/bin/sh\nrm -rf /\n'), 'not an icepkg package'],
    ['the first bytes of zstd alone', Buffer.from('28b52ffd', 'hex'), 'the header frame cannot be read'],
    ['the first bytes of xz alone', Buffer.from('fd377a585a00', 'hex'), 'the header frame cannot be read'],
    ['a skippable frame of zstd', Buffer.from('502a4d180400000000000000', 'hex'), 'not an icepkg package'],
  ])('%s is refused', async (_, bytes, message) => {
    expect(await refusal(bytes)).toMatch(`package-corrupt: x.icepkg: ${message}`);
  });

  test('a folder, or nothing at all, is named', () =>
    withFolder((folder) => {
      mkdirSync(join(folder, 'folder'));
      expect(() => verifyPackage(join(folder, 'folder'))).toThrow(`${folder}/folder: not a regular file`);
      expect(() => verifyPackage(join(folder, 'none'))).toThrow(`${folder}/none: no such file`);
    }));

  test.each(CODECS)('a %s archive of something else is refused', async (codec) => {
    const other = await forge(undefined, {
      codec,
      header: (tar) => Buffer.concat([Buffer.from('x'), tar.subarray(1)]),
    });
    expect(await refusal(other)).toBe(
      'package-corrupt: x.icepkg: the header frame does not hold .icepkg/manifest.json where it belongs',
    );
    const empty = await forge(undefined, { codec, header: () => Buffer.alloc(1024) });
    expect(await refusal(empty)).toMatch('does not hold .icepkg/manifest.json');
  });
});
