/**
 * A chain of packages that need one another, p000 needing p001 and so on, with the mix of files that systems have:
 * a few large and many small ones, half of the bytes text, the other half hard to compress like machine code.
 */
import { createCipheriv, createHash } from 'node:crypto';

export const PACKAGES = 100;
/** How many files of how many bytes a package has: 60 files, 960,000 bytes. */
const SIZES = [
  [1, 300_000],
  [4, 80_000],
  [15, 16_000],
  [40, 2_500],
] as const;

export interface ChainFile {
  readonly path: string;
  readonly content: Buffer;
}

export const packageName = (index: number): string => `p${String(index).padStart(3, '0')}`;

/** The files of one package, in the order of their paths; the same for the same index. */
export function chainFiles(index: number): readonly ChainFile[] {
  const files: ChainFile[] = [];
  for (const [count, size] of SIZES) {
    for (let number = 0; number < count; number++) {
      const at = files.length;
      const path = `usr/share/${packageName(index)}/part${at % 6}/file${String(at).padStart(2, '0')}`;
      files.push({ path, content: at % 2 === 0 ? code(path, size) : text(path, size) });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Bytes without any order, from a seeded stream. */
function noise(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** Short runs of noise between repeating ones, as in machine code: compresses to about half. */
function code(seed: string, size: number): Buffer {
  const bytes = noise(seed, size);
  for (let at = 16; at + 16 <= size; at += 32) bytes.copyWithin(at, at % 1024, (at % 1024) + 16);
  return bytes;
}

const WORDS =
  'the package holds files that a machine needs to start and each of them is listed with its size mode owner and digest so that nobody has to guess what was installed when or why return static const struct if else for while unsigned char'.split(
    ' ',
  );

function text(seed: string, size: number): Buffer {
  const choices = noise(seed, size >> 2);
  const line: string[] = [];
  let length = 0;
  for (let at = 0; length < size; at = (at + 1) % choices.length) {
    const word = WORDS[(choices[at] ?? 0) % WORDS.length] ?? '';
    line.push(word);
    length += word.length + 1;
  }
  return Buffer.from(line.join(' ').padEnd(size).slice(0, size));
}
