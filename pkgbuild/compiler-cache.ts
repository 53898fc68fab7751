/**
 * ccache, where the machine has it. What it keeps is in no key, because it changes how long a build takes and not what
 * comes out. Each recipe has a cache of its own, so that no build can put anything into another's.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import type { BuildNode } from './order.ts';
import type { SandboxMount } from './sandbox.ts';
import { BUILD_ROOT, toolchainId } from './toolchain.ts';

export interface CompilerCache {
  /** The program itself. */
  readonly mount: SandboxMount;
  readonly environment: Readonly<Record<string, string>>;
  /** Arguments of bwrap that show what it keeps. */
  readonly more: readonly string[];
}

const PROGRAM = '/usr/bin/ccache';
const INSIDE = `${BUILD_ROOT}/ccache`;

/** @returns `undefined` where ccache is not installed */
export async function openCompilerCache(
  cacheFolder: string,
  { recipe, toolArch }: BuildNode,
): Promise<CompilerCache | undefined> {
  if (!fs.existsSync(PROGRAM)) return undefined;
  const folder = path.join(cacheFolder, 'ccache', `${recipe.name}.${toolArch}`);
  makeFolder(folder);
  return {
    mount: { from: PROGRAM, to: `${BUILD_ROOT}/tools/bin/ccache` },
    environment: {
      CCACHE_DIR: INSIDE,
      CCACHE_MAXSIZE: '2G',
      // The compilers that it calls are scripts, whose times say nothing.
      CCACHE_COMPILERCHECK: `string:${await toolchainId(toolArch)}`,
    },
    more: ['--bind', folder, INSIDE],
  };
}
