/** Changes to a root in a line, and what it looks like afterwards. */
import { cpSync, existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { changeWorld, type ChangeOutcome } from '#engine/change-world';
import type { EngineContext } from '#engine/context';
import { verify } from '#engine/queries/verify';
import { installRequest, reinstallRequest, removeRequest, upgradeRequest } from '#engine/requests';
import { rollback } from '#engine/rollback';
import { addToWorld, removeFromWorld } from '#engine/world';

const setting = { dryRun: false, confirm: () => true } as const;
export const install = (context: EngineContext, ...words: readonly string[]): Promise<ChangeOutcome> =>
  changeWorld(context, { ...installRequest(words), ...setting });
export const remove = (context: EngineContext, ...words: readonly string[]): Promise<ChangeOutcome> =>
  changeWorld(context, { ...removeRequest(context.root, words), ...setting });
/** One goes and another comes in one transaction. */
export const swap = (context: EngineContext, old: string, next: string): Promise<ChangeOutcome> =>
  changeWorld(context, {
    ...installRequest([next]),
    edit: (world) => addToWorld(removeFromWorld(world, [old]), [next]),
    ...setting,
  });
export const upgrade = (context: EngineContext): Promise<ChangeOutcome> =>
  changeWorld(context, { ...upgradeRequest(context, []), ...setting });
export const reinstall = (context: EngineContext, ...words: readonly string[]): Promise<ChangeOutcome> =>
  changeWorld(context, { ...reinstallRequest(context.root, words), ...setting });
export const undo = (context: EngineContext): Promise<ChangeOutcome> => rollback(context, setting);

export const text = ({ root }: EngineContext, path: string): string => readFileSync(join(root, path), 'utf8');
export const linkOf = ({ root }: EngineContext, path: string): string | undefined =>
  lstatSync(join(root, path), { throwIfNoEntry: false })?.isSymbolicLink() === true
    ? readlinkSync(join(root, path))
    : undefined;
export const problems = ({ root }: EngineContext): readonly string[] =>
  verify(root, []).problems.map(({ path, problem }) => `${path}: ${problem}`);

/** Puts the shell of this machine, with what it needs, into a root. */
export function addShell({ root }: EngineContext): void {
  const { stdout } = spawnSync('ldd', ['/bin/sh'], { encoding: 'utf8' });
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/gu)].map((match) => match[1] ?? '');
  for (const file of ['/bin/sh', ...libraries])
    if (existsSync(file)) cpSync(file, join(root, file), { dereference: true, recursive: true });
}
