/** Signing a package that is there already. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CODECS } from '#schema/container/codec';
import { signPackage, writePackage } from '#schema/container/write';
import { sha256 } from '#schema/digest';
import { generateKey, type PrivateKey } from '#schema/keys';
import { file, noise, withFolder } from './support.ts';

test.each(CODECS)('gives the bytes that signing at once gives (%s)', (codec) =>
  withFolder(async (folder) => {
    const keys = [generateKey(), generateKey()];
    const write = async (name: string, signers: readonly PrivateKey[]): Promise<string> => {
      const { file: written } = await writePackage({
        metadata: { name: 'a', version: '1.0.0-r0', arch: 'x86_64' },
        entries: [file('usr/noise', noise(3_000_000, 'signed'))],
        output: join(folder, name),
        codec,
        keys: signers,
      });
      return written;
    };
    const wanted = readFileSync(await write('both.icepkg', keys));
    for (const signers of [[], keys.slice(1)]) {
      const output = join(folder, 'signed.icepkg');
      const whole = await signPackage(await write('other.icepkg', signers), keys, output);
      expect(readFileSync(output).equals(wanted)).toBe(true);
      expect(whole).toEqual({ size: wanted.length, sha256: sha256(wanted) });
    }
  }),
);
