/**
 * The ELF file inside an x86 kernel, which QEMU starts by PVH: an emulated machine unpacks slowly.
 *
 * Offsets are those of the Linux/x86 boot protocol, version 2.08 and later.
 */
import { IcepkgError } from '#schema/error';
import { openDecoder } from '#schema/container/codec';

const SECTOR = 512;
const SETUP_SECTORS = 0x1f1;
const MAGIC = 0x202;
const VERSION = 0x206;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const FIRST_WITH_PAYLOAD = 0x0208;
/** The build appends the size of what it compressed. */
const SIZE = 4;

/** @throws IcepkgError `image-failed` where `kernel` is no bzImage compressed by zstd */
export function unpackKernel(kernel: Buffer, name: string): Uint8Array {
  if (kernel.length < PAYLOAD_LENGTH + SIZE || kernel.toString('latin1', MAGIC, MAGIC + 4) !== 'HdrS')
    throw cannot(name, 'it is no bzImage');
  if (kernel.readUInt16LE(VERSION) < FIRST_WITH_PAYLOAD)
    throw cannot(name, 'its boot protocol is older than 2.08');
  const setup = (kernel.readUInt8(SETUP_SECTORS) + 1) * SECTOR;
  const start = setup + kernel.readUInt32LE(PAYLOAD_OFFSET);
  const end = start + kernel.readUInt32LE(PAYLOAD_LENGTH);
  if (end > kernel.length || end - start < SIZE) throw cannot(name, 'it is cut short');
  try {
    return openDecoder('zstd').decode(kernel.subarray(start, end - SIZE), kernel.readUInt32LE(end - SIZE));
  } catch (cause) {
    throw cannot(name, 'it is not compressed by zstd, or damaged', cause);
  }
}

const cannot = (name: string, why: string, cause?: unknown): IcepkgError =>
  new IcepkgError('image-failed', `the kernel ${name} cannot be unpacked: ${why}`, {
    cause,
    hint: 'Take unpackKernel out of the board',
  });
