/** Whether two builds of a recipe gave the same bytes, and where they first differ. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { readResult } from './cached-build.ts';
import { run } from './command.ts';
import type { BuildNode } from './order.ts';
import { walkTree } from './tree.ts';

const DIFFOSCOPE_LINES = 40;
/** Milliseconds; it takes large programs apart function by function. */
const DIFFOSCOPE_TIME = 120_000;

/** @throws IcepkgError `build-failed` with the first difference */
export async function compareBuilds(node: BuildNode, first: string, second: string): Promise<void> {
  const again = new Map(readResult(second).map((built) => [built.name, built]));
  const different = readResult(first).filter((built) => again.get(built.name)?.sha256 !== built.sha256);
  const [one] = different;
  if (one === undefined) return;
  const pair = [first, second].map((folder) => path.join(folder, one.file));
  throw new IcepkgError(
    'build-failed',
    `${node.recipe.name} for ${node.arch}: two builds gave different bytes in ${different.map(({ file }) => file).join(', ')}`,
    {
      hint: `Look for times, random names and file orders in the build; $SOURCE_DATE_EPOCH is the only clock. ${await firstDifference(pair)}`,
    },
  );
}

async function firstDifference(pair: readonly string[]): Promise<string> {
  if (pair.some((file) => !fs.existsSync(file))) return 'One build has no such package';
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-compare-'));
  try {
    const trees = pair.map((_, index) => path.join(scratch, String(index)));
    for (const [index, tree] of trees.entries()) {
      fs.mkdirSync(tree);
      await run(['tar', '--no-same-owner', '-C', tree, '-xf', pair[index] ?? '']);
    }
    const { text, file } = differenceOf(trees[0] ?? '', trees[1] ?? '');
    return file === undefined ? text : `${text}${diffoscope(trees, file)}`;
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

/** What diffoscope makes of a file that differs; empty where it is not installed. */
function diffoscope(trees: readonly string[], file: string): string {
  const shown = spawnSync('diffoscope', ['--text', '-', ...trees.map((tree) => path.join(tree, file))], {
    encoding: 'utf8',
    timeout: DIFFOSCOPE_TIME,
  });
  // 1 says that they differ, as in diff(1).
  if (shown.error !== undefined || shown.status !== 1) return '';
  const lines = shown.stdout.trimEnd().split('\n').slice(0, DIFFOSCOPE_LINES);
  return `; diffoscope says:\n${lines.map((line) => line.replaceAll(/\/\S*\/icepkg-compare-\w+\/([01])\//g, '$1/')).join('\n')}`;
}

interface Difference {
  readonly text: string;
  /** The regular file whose content differs. */
  readonly file?: string;
}

/** The manifest differs with every file, so it is looked at last. */
function differenceOf(left: string, right: string): Difference {
  const options = { holder: 'the package holds', code: 'build-failed', nodes: true } as const;
  const [before, after] = [left, right].map(
    (tree) => new Map(walkTree(tree, options).map((entry) => [entry.path, entry])),
  );
  const paths = [...new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])];
  for (const name of [...paths.filter((one) => !one.startsWith('.icepkg')), ...paths]) {
    const [a, b] = [before?.get(name), after?.get(name)];
    if (a === undefined || b === undefined) return { text: `Only one of them has ${name}` };
    if (a.type !== b.type || a.mode !== b.mode || a.target !== b.target)
      return { text: `Type, mode or target of ${name} differs` };
    if (a.type !== 'file') continue;
    const [x, y] = [left, right].map((tree) => fs.readFileSync(path.join(tree, name)));
    if (x === undefined || y === undefined || x.equals(y)) continue;
    const offset = x.findIndex((byte, index) => byte !== y[index]);
    const at = offset === -1 ? x.length : offset;
    return { text: `The first difference is in ${name} at byte ${at}`, file: name };
  }
  return { text: 'The files are the same; the packing differs' };
}
