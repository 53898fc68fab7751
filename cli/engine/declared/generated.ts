/** Files whose content no package holds, because the engine makes it of what packages declare. */
import { closeSync, constants, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { openDirectories } from '../root-fs/directories.ts';
import { setMetadata } from '../stage/metadata.ts';
import { openAreas } from '../transaction/areas.ts';
import { stagePath, usedAreas, type Area } from '../transaction/layout.ts';

export interface GeneratedFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
export interface GeneratedLink {
  readonly path: string;
  readonly target: string;
}
export type Generated = GeneratedFile | GeneratedLink;

/** Puts them into the stage; returns what could not be set there, in words. */
export function stageGenerated(
  root: string,
  areas: readonly Area[],
  generated: readonly Generated[],
): ReadonlyMap<string, string> {
  const deviations = new Map<string, string>();
  const paths = generated.map(({ path }) => path);
  const directories = openDirectories(root);
  try {
    openAreas(root, usedAreas(areas, paths));
    for (const one of generated) {
      const target = directories.reach(stagePath(areas, one.path), 0o755);
      rmSync(target, { force: true });
      if ('target' in one) symlinkSync(one.target, target);
      else {
        const deviation = writeGenerated(target, one);
        if (deviation !== undefined) deviations.set(one.path, deviation);
      }
    }
  } finally {
    directories.close();
  }
  return deviations;
}

function writeGenerated(target: string, file: GeneratedFile): string | undefined {
  const fd = openSync(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeFileSync(fd, file.content);
    return setMetadata(fd, file, file.mode);
  } finally {
    closeSync(fd);
  }
}
