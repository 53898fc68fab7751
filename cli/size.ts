/** Numbers for people. */
import { IcepkgError } from '#schema/error';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function sizeText(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${bytes < 0 ? '-' : ''}${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}

/** `1 file`, `2 files`. @param noun one that takes an s */
export const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** `500K`, `10G`: bytes, with a unit of 1024 each. @throws IcepkgError `usage` */
export function parseSize(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?)([KMGT]?)(?:i?B)?$/i.exec(text) ?? [];
  const size = Math.floor(Number(number) * (FACTORS[unit.toUpperCase()] ?? 1));
  if (number !== '' && size > 0) return size;
  throw new IcepkgError('usage', `${JSON.stringify(text)} is no size`, {
    hint: 'Give a number of bytes, or one with a unit: 500K, 20M, 10G',
  });
}
