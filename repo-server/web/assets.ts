/** The style sheet and the script, named by what is in them, so that browsers may keep them for ever. */
import { createHash } from 'node:crypto';
import { SCRIPT } from './script.ts';
import type { Drawn } from './sheet.ts';
import { STYLE } from './style.ts';

const tag = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

export const STYLE_PATH = `web/${tag(STYLE)}.css`;
export const SCRIPT_PATH = `web/${tag(SCRIPT)}.js`;

const asset = (type: string, body: string): Drawn => ({
  status: 200,
  type: `${type}; charset=utf-8`,
  body,
  immutable: true,
});

/** By their paths below the repository. */
export const ASSETS: ReadonlyMap<string, Drawn> = new Map([
  [`/${STYLE_PATH}`, asset('text/css', STYLE)],
  [`/${SCRIPT_PATH}`, asset('text/javascript', SCRIPT)],
]);
