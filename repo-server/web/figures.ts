/** How pages write sizes, times and counts. */
import { markup, type Html } from './html.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Three digits at most, decimal units: `30.1 kB`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ''}`;
}

/** `1 package`, `12,345 packages`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count.toLocaleString('en-US')} ${count === 1 ? noun : plural}`;

/** The day, with the moment for machines; time zone UTC. */
export const day = (iso: string): Html => markup`<time datetime="${iso}">${iso.slice(0, 10)}</time>`;

export const moment = (iso: string): Html =>
  markup`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`;
