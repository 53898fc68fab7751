/** File capabilities: the text that `setcap` takes, to the bytes of the attribute `security.capability`. */

/** In the order of the kernel's numbers, from 0. */
const NAMES = [
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'linux_immutable',
  'net_bind_service',
  'net_broadcast',
  'net_admin',
  'net_raw',
  'ipc_lock',
  'ipc_owner',
  'sys_module',
  'sys_rawio',
  'sys_chroot',
  'sys_ptrace',
  'sys_pacct',
  'sys_admin',
  'sys_boot',
  'sys_nice',
  'sys_resource',
  'sys_time',
  'sys_tty_config',
  'mknod',
  'lease',
  'audit_write',
  'audit_control',
  'setfcap',
  'mac_override',
  'mac_admin',
  'syslog',
  'wake_alarm',
  'block_suspend',
  'audit_read',
  'perfmon',
  'bpf',
  'checkpoint_restore',
];

/** Revision 2 of the attribute: two words for each set. */
const REVISION = 0x0200_0000;
const EFFECTIVE = 1;

/**
 * Encodes one clause such as `cap_net_raw+ep` or `cap_net_raw,cap_net_admin=ep`; the sets are `p`, `i` and `e`.
 * Returns `undefined` where the text is none.
 */
export function encodeCapabilities(text: string): Uint8Array | undefined {
  const match = /^((?:cap_[a-z_]+,)*cap_[a-z_]+)[+=]([eip]{1,3})$/.exec(text.trim());
  if (match === null) return undefined;
  let mask = 0n;
  for (const name of (match[1] ?? '').split(',')) {
    const number = NAMES.indexOf(name.slice('cap_'.length));
    if (number === -1) return undefined;
    mask |= 1n << BigInt(number);
  }
  const sets = match[2] ?? '';
  const permitted = sets.includes('p') ? mask : 0n;
  const inheritable = sets.includes('i') ? mask : 0n;
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32LE(REVISION | (sets.includes('e') ? EFFECTIVE : 0), 0);
  for (const word of [0, 1]) {
    const shift = BigInt(32 * word);
    bytes.writeUInt32LE(Number((permitted >> shift) & 0xffff_ffffn), 4 + 8 * word);
    bytes.writeUInt32LE(Number((inheritable >> shift) & 0xffff_ffffn), 8 + 8 * word);
  }
  return bytes;
}
