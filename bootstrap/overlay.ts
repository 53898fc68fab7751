/** The overlay: files that the definition itself brings, in its own folder. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { compileRules, type Ruled } from '#pkgbuild/path-rules';
import type { Definition } from './definition.ts';
import { walkOverlay, type OverlayEntry } from './overlay-tree.ts';
import { placeInRoot } from './root-path.ts';

/** What a definition says of a path's owner and mode; everything else is 0:0 with the mode of the overlay. */
export type PathFacts = Pick<Ruled, 'owner' | 'account' | 'mode' | 'xattrs'>;

/**
 * Copies the overlays into the root, later ones over earlier ones, and returns what the rules say of each path.
 * @throws IcepkgError `format-invalid` where a rule matches nothing, `path-conflict` where a file would replace a directory
 */
export function applyOverlays(root: string, definition: Definition): Map<string, PathFacts> {
  const rules = compileRules(definition.owners);
  const facts = new Map<string, PathFacts>();
  for (const overlay of definition.overlays)
    for (const entry of walkOverlay(overlay)) {
      const target = placeInRoot(root, entry.path);
      // A folder that is a symlink in the image, such as `lib`, stays one, and what it leads to stays as it is.
      if (entry.type === 'directory' && isLink(target)) {
        placeInRoot(root, `${entry.path}/`);
        continue;
      }
      fs.mkdirSync(path.dirname(target), { recursive: true, mode: 0o755 });
      place(path.join(overlay, entry.path), target, entry);
      facts.set(path.relative(root, target), rules.of([entry.path], entry.type));
    }
  const idle = rules.idle().map((index) => definition.owners[index]?.path);
  if (idle.length > 0)
    throw new IcepkgError('format-invalid', `owners: no file of an overlay matches ${idle.join(', ')}`, {
      hint: 'Mend the path, or take the rule out',
    });
  return facts;
}

const isLink = (file: string): boolean =>
  fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;

function place(from: string, to: string, { type, mode, target }: OverlayEntry): void {
  const there = fs.lstatSync(to, { throwIfNoEntry: false });
  if (type === 'directory') {
    if (there?.isDirectory() !== true) fs.mkdirSync(to);
    fs.chmodSync(to, mode);
    return;
  }
  if (there?.isDirectory() === true)
    throw new IcepkgError('format-invalid', `${from}: in the image this is a folder`, {
      hint: 'Rename the file in the overlay',
    });
  fs.rmSync(to, { force: true });
  if (type === 'symlink') fs.symlinkSync(target ?? '', to);
  else {
    fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE);
    fs.chmodSync(to, mode);
  }
}
