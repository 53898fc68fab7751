/** The menu of GRUB is a script; what a definition says is no part of it. */
import { expect, test } from 'vitest';
import { grubMenu } from '#bootstrap/grub';
import type { Definition } from '#bootstrap/definition';

const definition = { system: 'small', hardware: { console: 'ttyS0' } } as unknown as Definition;
const linuxLine = (cmdline: string, linux = '/vmlinuz'): string | undefined =>
  grubMenu(definition, { linux, cmdline, initrd: undefined })
    .split('\n')
    .find((line) => line.startsWith('  linux '));

test('plain words stand as they are', () => {
  expect(linuxLine('console=ttyS0,115200 root=PARTUUID=0c9f-01  rw net.ifnames=0')).toBe(
    '  linux /vmlinuz console=ttyS0,115200 root=PARTUUID=0c9f-01 rw net.ifnames=0',
  );
});

test('what means something to GRUB is told to the kernel', () => {
  expect(linuxLine('a=$root b;halt } #c {d}', '/vmlinuz;1 2')).toBe(
    "  linux '/vmlinuz;1 2' 'a=$root' 'b;halt' '}' '#c' '{d}'",
  );
});

test.each([`dyndbg="file x +p"`, `it's`, 'a\\b'])('%s is refused, which GRUB would change', (cmdline) => {
  expect(() => linuxLine(cmdline)).toThrow(expect.objectContaining({ code: 'image-failed' }));
});
