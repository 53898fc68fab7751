/** Kernels that are unpacked for QEMU, by the Linux/x86 boot protocol. */
import { expect, test } from 'vitest';
import { unpackKernel } from '#bootstrap/unpack-kernel';
import { openEncoder } from '#schema/container/codec';
import { expectError } from '../support/images.ts';

/** A bzImage with one sector of setup code beside its header. */
async function bzImage(program: Buffer, { version = 0x020f } = {}): Promise<Buffer> {
  const setup = Buffer.alloc(2 * 512);
  setup.writeUInt8(1, 0x1f1);
  setup.write('HdrS', 0x202);
  setup.writeUInt16LE(version, 0x206);
  const payload = await openEncoder('zstd').encode(program);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(program.length);
  const loader = Buffer.from('what unpacks');
  setup.writeUInt32LE(loader.length, 0x248);
  setup.writeUInt32LE(payload.length + size.length, 0x24c);
  return Buffer.concat([setup, loader, payload, size, Buffer.from('what follows')]);
}

const program = Buffer.from(`\x7fELF${'a kernel '.repeat(1000)}`);

test('a kernel is unpacked', async () => {
  expect(Buffer.from(unpackKernel(await bzImage(program), 'vmlinuz'))).toEqual(program);
});

test.each([
  [
    'what is no kernel',
    async () => Buffer.alloc(4096),
    /the kernel vmlinuz cannot be unpacked: it is no bzImage/,
  ],
  ['a kernel that is too old', () => bzImage(program, { version: 0x0207 }), /older than 2\.08/],
  ['a kernel that is cut short', async () => (await bzImage(program)).subarray(0, 1050), /it is cut short/],
  [
    'a damaged kernel',
    async () => (await bzImage(program)).fill(0, 1040, 1050),
    /not compressed by zstd, or damaged/,
  ],
] as const)('%s', async (_, make, message) => {
  const kernel = await make();
  expect(() => unpackKernel(kernel, 'vmlinuz')).toThrow(expectError('image-failed', message));
});
