/** Other package managers' recipes as ours: read, never run. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError, isErrno } from '#schema/error';
import { parseRecipe, recipeNames } from '../recipe.ts';
import { schemaComment } from '../schema-comment.ts';
import { importApkbuild, type ImportContext } from './apkbuild.ts';
import { importArchPkgbuild } from './arch-pkgbuild.ts';
import { fillDigests } from './digests.ts';
import { Notes, type Draft, type ImportNote } from './draft.ts';
import { importMelange } from './melange.ts';
import { renderRecipe } from './render.ts';

export type ImportFormat = 'apkbuild' | 'melange' | 'pkgbuild';

export interface ImportRequest {
  readonly file: string;
  /** By the file's name and content without. */
  readonly format?: ImportFormat;
  /** Folder that receives the folder of the recipe. */
  readonly into: string;
  /** Folders of recipes, for what build dependencies stand for. */
  readonly roots: readonly string[];
  readonly cacheFolder: string;
  /** Fetches sources whose sha256 is not known. */
  readonly fetch: boolean;
}

export interface Imported {
  readonly name: string;
  readonly format: ImportFormat;
  /** Path of the recipe. */
  readonly file: string;
  /** True where nothing of the package was lost. */
  readonly whole: boolean;
  readonly notes: readonly ImportNote[];
}

/** The largest of real distributions have a third of it. */
const MAX_BYTES = 256 * 1024;
const IMPORTERS: Readonly<Record<ImportFormat, (text: string, context: ImportContext) => Draft>> = {
  apkbuild: importApkbuild,
  melange: importMelange,
  pkgbuild: importArchPkgbuild,
};

/**
 * Writes a recipe folder and says what it could not carry over.
 * @throws IcepkgError `format-invalid` where the file cannot be read, `usage` where the folder is there already
 */
export async function importRecipe(request: ImportRequest): Promise<Imported> {
  const text = readText(request.file);
  const format = request.format ?? detect(request.file, text);
  const notes = new Notes();
  const known = new Set(request.roots.flatMap(recipeNames));
  const draft = IMPORTERS[format](text, { file: request.file, notes, known });
  const { cacheFolder, fetch } = request;
  const sources = await fillDigests(draft.sources, { cacheFolder, fetch, notes });
  const beside = [...sources.flatMap(({ local }) => local ?? []), ...draft.patches];
  const files = besideFiles(path.dirname(request.file), beside, notes);
  const folder = path.join(request.into, draft.name);
  const file = path.join(folder, 'recipe.yaml');
  const recipe = renderRecipe(
    { ...draft, sources },
    notes.list,
    `${path.basename(request.file)} (${format})`,
  );
  check(recipe, request.file);
  write(folder, { 'recipe.yaml': `${schemaComment(folder)}${recipe}` }, files);
  return {
    name: draft.name,
    format,
    file,
    whole: notes.list.every(({ kind }) => kind !== 'lost'),
    notes: notes.list,
  };
}

function readText(file: string): string {
  let bytes: Uint8Array;
  try {
    const stat = fs.statSync(file);
    if (!stat.isFile() || stat.size > MAX_BYTES)
      throw unreadable(file, `no file of at most ${MAX_BYTES} bytes`);
    bytes = fs.readFileSync(file);
  } catch (cause) {
    if (isErrno(cause, 'ENOENT', 'ENOTDIR'))
      throw new IcepkgError('not-found', `${file}: no such file`, {
        cause,
        hint: 'Give the path of an APKBUILD, a melange YAML file or a PKGBUILD',
      });
    if (isErrno(cause, 'EACCES'))
      throw new IcepkgError('io-failed', `${file}: cannot be read`, {
        cause,
        hint: 'Give a file that you may read',
      });
    throw cause;
  }
  const text = new TextDecoder('utf-8').decode(bytes);
  if (text.includes('\0')) throw unreadable(file, 'holds zero bytes, so it is no text');
  return text.replaceAll(/[\ue000-\ue002\u0001\u0002]/g, '\ufffd').replaceAll('\r\n', '\n');
}

const unreadable = (file: string, why: string): IcepkgError =>
  new IcepkgError('format-invalid', `${file}: ${why}`, {
    hint: 'Give the path of an APKBUILD, a melange YAML file or a PKGBUILD',
  });

/** By the name; where that says nothing, by what only one of them has. */
function detect(file: string, text: string): ImportFormat {
  const name = path.basename(file).toUpperCase();
  if (name.endsWith('APKBUILD')) return 'apkbuild';
  if (name.endsWith('PKGBUILD')) return 'pkgbuild';
  if (/\.ya?ml$/i.test(file)) return 'melange';
  if (/^package:\s*$/m.test(text) && /^pipeline:/m.test(text)) return 'melange';
  if (/^pkgname=\(|^pkgname=/m.test(text)) return /^(?:source|arch)=\(/m.test(text) ? 'pkgbuild' : 'apkbuild';
  throw new IcepkgError(
    'format-invalid',
    `${file}: neither an APKBUILD, a melange YAML file nor a PKGBUILD`,
    {
      hint: 'Say which it is: --format apkbuild, melange or pkgbuild',
    },
  );
}

/** Paths of what lies beside the imported file, by their name in the recipe. */
function besideFiles(folder: string, names: readonly string[], notes: Notes): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of names) {
    const from = path.join(folder, name);
    if (fs.lstatSync(from, { throwIfNoEntry: false })?.isFile() === true) files.set(name, from);
    else notes.add('open', 'source', `${name} is not beside the file: put it into the folder of the recipe`);
  }
  return files;
}

/** What cannot be said in a recipe at all. */
function check(recipe: string, file: string): void {
  try {
    parseRecipe(recipe, 'recipe.yaml');
  } catch (cause) {
    if (!(cause instanceof IcepkgError)) throw cause;
    throw new IcepkgError('format-invalid', `${file}: cannot become a recipe: ${cause.message}`, {
      hint: 'Change that in a copy of the file, or write the recipe by hand',
      cause,
    });
  }
}

function write(
  folder: string,
  texts: Readonly<Record<string, string>>,
  copies: ReadonlyMap<string, string>,
): void {
  if (fs.existsSync(folder))
    throw new IcepkgError('usage', `${folder} is there already`, {
      hint: 'Give another folder with --into, or move it away',
    });
  fs.mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(texts)) fs.writeFileSync(path.join(folder, name), text);
  for (const [name, from] of copies) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.copyFileSync(from, path.join(folder, name));
  }
}
