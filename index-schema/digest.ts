/** SHA-256, the one digest of every format. */
import * as crypto from 'node:crypto';

/** Lower-case hexadecimal SHA-256 of `bytes`. */
export function sha256(bytes: Uint8Array | string): string {
  return crypto.hash('sha256', bytes, 'hex');
}
