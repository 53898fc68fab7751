/** What is asked of a build worker, and what it answers: everything that crosses the broker. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import { decode } from '#schema/decode';
import { IcepkgError } from '#schema/error';
import { PackageNameSchema, PathSchema, Sha256Schema } from '#schema/fields';
import { isSafePath } from '#schema/path';
import type { BuildNode } from '../order.ts';
import { namedFiles } from '../recipe-files.ts';

/** Bytes of all recipe files in a job; what is large belongs into a source with a sha256. */
const MOST_BYTES = 16 * 1024 * 1024;

const FileSchema = v.strictObject({
  path: PathSchema,
  mode: v.number(),
  base64: v.pipe(v.string(), v.base64()),
});
const JobSchema = v.strictObject({
  format: v.literal(1),
  recipe: PackageNameSchema,
  arch: v.picklist(['x86_64', 'aarch64']),
  options: v.record(v.string(), v.boolean()),
  codec: v.picklist(['zstd', 'xz']),
  check: v.boolean(),
  /** The folders of the recipe and of what it is built with, below one folder. */
  files: v.array(FileSchema),
});
export type BuildJob = v.InferOutput<typeof JobSchema>;

const PackageSchema = v.strictObject({ file: v.string(), sha256: Sha256Schema, size: v.number() });
const AnswerSchema = v.variant('state', [
  v.strictObject({ state: v.literal('built'), worker: v.string(), packages: v.array(PackageSchema) }),
  /** The recipe does not build: nothing that another attempt would mend. */
  v.strictObject({
    state: v.literal('failed'),
    worker: v.string(),
    message: v.string(),
    hint: v.optional(v.string()),
  }),
]);
export type BuildAnswer = v.InferOutput<typeof AnswerSchema>;

const StepSchema = v.strictObject({
  worker: v.string(),
  recipe: v.string(),
  arch: v.string(),
  phase: v.string(),
});
export type BuildStep = v.InferOutput<typeof StepSchema>;

export const decodeJob = (value: unknown): BuildJob => decode(JobSchema, value, 'a job of the queue');
export const decodeAnswer = (value: unknown): BuildAnswer =>
  decode(AnswerSchema, value, 'the answer of a worker');
/** `undefined` for what is no step: progress is a courtesy. */
export const decodeStep = (value: unknown): BuildStep | undefined =>
  v.is(StepSchema, value) ? value : undefined;

/**
 * The files of the recipes that take part in a build.
 * @throws IcepkgError `usage` where they are too large, or a recipe takes something from outside of its folder
 */
export function packRecipes(nodes: readonly BuildNode[]): BuildJob['files'] {
  for (const node of nodes) refuseOutside(node);
  const folders = new Map(nodes.map((node) => [node.recipe.name, node.folder]));
  const files: BuildJob['files'] = [];
  let size = 0;
  for (const [name, folder] of folders) {
    const home = fs.realpathSync(folder) + path.sep;
    for (const inside of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
      const file = path.join(folder, inside);
      const stat = fs.statSync(file, { throwIfNoEntry: false });
      if (stat?.isFile() !== true) continue;
      if (!fs.realpathSync(file).startsWith(home)) throw outsideOf(name, inside);
      size += stat.size;
      if (size > MOST_BYTES) throw tooLarge(name);
      const base64 = fs.readFileSync(file).toString('base64');
      files.push({ path: `${name}/${inside}`, mode: stat.mode & 0o777, base64 });
    }
  }
  return files;
}

function refuseOutside(node: BuildNode): void {
  const outside = namedFiles(node).find((name) => name.startsWith('../'));
  if (outside !== undefined) throw outsideOf(node.recipe.name, outside);
}

const outsideOf = (recipe: string, file: string): IcepkgError =>
  new IcepkgError(
    'usage',
    `${recipe} takes ${file}, which lies outside of its folder and does not go to other machines`,
    {
      hint: 'Build it here, or put the file into the folder of the recipe',
    },
  );

const tooLarge = (name: string): IcepkgError =>
  new IcepkgError(
    'usage',
    `the files of ${name} and what it is built with are larger than ${MOST_BYTES} bytes`,
    {
      hint: 'Name large files as sources with an address and a sha256',
    },
  );

/** Writes the recipes of a job below a folder that is empty. */
export function unpackRecipes({ files }: BuildJob, folder: string): void {
  for (const file of files) {
    if (!isSafePath(file.path)) throw new IcepkgError('path-unsafe', `a job names the file ${file.path}`);
    const to = path.join(folder, file.path);
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.writeFileSync(to, Buffer.from(file.base64, 'base64'), { mode: file.mode, flag: 'wx' });
  }
}
