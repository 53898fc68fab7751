/** Makes packages of folders, without recipes: the folder brings the content, a manifest file says the rest. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { makeFolder } from '#engine/make-folder';
import { MAX_LEVEL, type Codec } from '#schema/container/codec';
import { writePackage, type PackageMetadata } from '#schema/container/write';
import { IcepkgError, isErrno } from '#schema/error';
import type { Arch } from '#schema/fields';
import type { PrivateKey } from '#schema/keys';
import { packageFileName } from '#schema/record';
import { isVersion } from '#schema/version';
import { BUILD_EPOCH } from './epoch.ts';
import { packageEntries } from './entries.ts';
import { withDeclared } from './pack-entries.ts';
import { PackManifestSchema, type PackManifest } from './pack-schema.ts';
import { scanPart } from './scan.ts';
import { walkTree, type TreeEntry } from './tree.ts';
import { decodeYaml, readYamlFile, type YamlDocument } from './yaml.ts';

/** One package to make. */
export interface PackJob {
  readonly folder: string;
  /** Path of the manifest file. */
  readonly manifest: string;
}

export interface PackOptions {
  /** Folder that receives the packages; made where it is missing. */
  readonly output: string;
  /** Overrides what the manifests say. */
  readonly arch?: Arch;
  readonly codec: Codec;
  readonly level?: number;
  readonly keys: readonly PrivateKey[];
  /** Times in packages whose manifest gives none, in seconds since the epoch. */
  readonly epoch: number;
}

export interface Packed {
  readonly name: string;
  readonly version: string;
  readonly arch: Arch;
  /** Path of the package. */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** Packages that are written at the same time: xz compresses in threads. */
const AT_ONCE = 4;

const MANUAL = 'docs/packing.md lists the fields of a manifest file';
const TO_HAVE_IT =
  'A pattern is a path below the folder, without a leading slash; make what it should match there, or under entries';
const FOREIGN = {
  conflicts: "A conflict is a dependency with a bang: depends: ['!other@<2']",
  files:
    'The folder says what is in the package; owners and modes go under owners, more entries under entries',
};

/** The folder and the manifest in the same position belong together. @throws IcepkgError `usage` where one is left over */
export function pairJobs(folders: readonly string[], manifests: readonly string[]): PackJob[] {
  if (folders.length !== manifests.length)
    throw new IcepkgError(
      'usage',
      `${folders.length} folders and ${manifests.length} manifest files were given`,
      { hint: 'Give one --manifest FILE for each folder, in the same order' },
    );
  return folders.map((folder, index) => ({ folder, manifest: manifests[index] ?? '' }));
}

/** `SOURCE_DATE_EPOCH` where it is set, else the time that builds have. @throws IcepkgError `usage` for what is no time */
export function defaultEpoch(environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment['SOURCE_DATE_EPOCH'];
  if (text === undefined || text === '') return BUILD_EPOCH;
  const seconds = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seconds)) return seconds;
  throw new IcepkgError(
    'usage',
    `SOURCE_DATE_EPOCH is ${JSON.stringify(text)}, which is no number of seconds`,
    {
      hint: 'Set it to seconds since 1970, or leave it away',
    },
  );
}

/**
 * Packs every folder. All manifests are read before the first package is written.
 * @throws IcepkgError naming the manifest file with line, or the path in the folder
 */
export async function packFolders(jobs: readonly PackJob[], options: PackOptions): Promise<Packed[]> {
  checkLevel(options);
  const planned = jobs.map((job) => planPackage(job, options));
  const outputs = new Map<string, string>();
  for (const { output, job } of planned) {
    const other = outputs.get(output);
    if (other !== undefined)
      throw new IcepkgError('usage', `${other} and ${job.manifest} both make ${path.basename(output)}`, {
        hint: 'Give them different names, versions or architectures',
      });
    outputs.set(output, job.manifest);
  }
  makeOutput(options.output);
  const packed: Packed[] = [];
  const queue = planned.entries();
  const work = async (): Promise<void> => {
    for (const [index, one] of queue) packed[index] = await writePlanned(one, options);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return packed;
}

function checkLevel({ codec, level }: PackOptions): void {
  if (level === undefined || level <= MAX_LEVEL[codec]) return;
  throw new IcepkgError('usage', `--level ${level} is more than ${codec} has`, {
    hint: `The highest is ${MAX_LEVEL[codec]}`,
  });
}

function makeOutput(folder: string): void {
  try {
    makeFolder(folder);
    fs.accessSync(folder, fs.constants.W_OK);
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS')) throw cause;
    throw new IcepkgError('io-failed', `${folder}: packages cannot be written there`, {
      cause,
      hint: 'Give another folder with --output',
    });
  }
}

interface Planned {
  readonly job: PackJob;
  readonly document: YamlDocument<PackManifest>;
  readonly version: string;
  readonly arch: Arch;
  /** Path of the package. */
  readonly output: string;
}

function planPackage(job: PackJob, options: PackOptions): Planned {
  const text = readYamlFile(job.manifest, 'manifest file');
  const document = decodeYaml(PackManifestSchema, {
    text,
    file: job.manifest,
    manual: MANUAL,
    foreign: FOREIGN,
  });
  const { name, version: said, release, arch: saidArch } = document.value;
  const arch = options.arch ?? saidArch;
  if (arch === undefined)
    throw document.refuse([], 'missing field arch', 'Add arch: noarch, x86_64 or aarch64, or give --arch');
  const whole = isVersion(said);
  if (whole && release !== undefined)
    throw document.refuse(['release'], `the version ${said} has a release already`);
  const version = whole ? said : `${said}-r${release ?? 0}`;
  const output = path.join(options.output, packageFileName({ name, version, arch }));
  checkFolder(job.folder, output);
  return { job, document, version, arch, output };
}

function checkFolder(folder: string, output: string): void {
  const stat = fs.statSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true)
    throw new IcepkgError(
      'not-found',
      `${folder}: ${stat === undefined ? 'no such folder' : 'not a folder'}`,
      {
        hint: 'Give the folder that holds the content as it shall lie below the root',
      },
    );
  if (isBelow(path.resolve(output), path.resolve(folder)))
    throw new IcepkgError('usage', `the package would be written into ${folder}, the folder to pack`, {
      hint: 'Give another folder with --output',
    });
}

const isBelow = (file: string, folder: string): boolean =>
  file.startsWith(folder === '/' ? '/' : `${folder}/`);

async function writePlanned(planned: Planned, options: PackOptions): Promise<Packed> {
  const { job, document, version, arch, output } = planned;
  const manifest = document.value;
  const tree = readTree(job);
  const held = packageEntries({
    root: job.folder,
    entries: tree,
    owners: manifest.owners,
    configFiles: manifest.configFiles ?? [],
  });
  const entries = withDeclared(held.entries, document, held.rules);
  for (const index of held.rules.idle())
    throw document.refuse(['owners', index, 'path'], `matches nothing in ${job.folder}`, TO_HAVE_IT);
  for (const index of held.idleConfig)
    throw document.refuse(['configFiles', index], `matches no file in ${job.folder}`, TO_HAVE_IT);
  const metadata = describe(planned, tree, options.epoch);
  try {
    const written = await writePackage({
      metadata,
      entries,
      output,
      codec: options.codec,
      keys: options.keys,
      ...(options.level === undefined ? {} : { level: options.level }),
    });
    return {
      name: manifest.name,
      version,
      arch,
      file: output,
      size: written.size,
      sha256: written.sha256,
    };
  } catch (cause) {
    if (!(cause instanceof IcepkgError) || cause.code !== 'format-invalid') throw cause;
    throw new IcepkgError('format-invalid', `${job.manifest}: ${cause.message}`, { cause, hint: MANUAL });
  }
}

/** The folder's entries; the manifest file is none of them, should it lie in there. */
function readTree({ folder, manifest }: PackJob): TreeEntry[] {
  try {
    const own = path.relative(path.resolve(folder), path.resolve(manifest));
    return walkTree(folder, { holder: `${folder} holds`, code: 'path-unsafe', nodes: true }).filter(
      (entry) => entry.path !== own,
    );
  } catch (cause) {
    if (!isErrno(cause, 'EACCES', 'ENOENT')) throw cause;
    throw new IcepkgError('io-failed', `${cause.path ?? folder}: cannot be read`, {
      cause,
      hint: 'Give yourself the right to read all of the folder',
    });
  }
}

function describe(planned: Planned, tree: readonly TreeEntry[], epoch: number): PackageMetadata {
  const { document, job, version, arch } = planned;
  const { release: _, owners: _owners, entries, configFiles, scan, ...said } = document.value;
  void [_, _owners, entries, configFiles];
  const part = { name: said.name, declared: undefined, role: 'main', entries: tree } as const;
  const found = scan
    ? scanPart(part, { root: job.folder, arch, version: version.replace(/-r\d+$/, '') })
    : { depends: [], provides: [] };
  const lists = {
    depends: [...new Set([...(said.depends ?? []), ...found.depends])],
    provides: [...new Set([...(said.provides ?? []), ...found.provides])],
  };
  const fields = Object.entries({ buildTime: epoch, ...said, ...lists, version, arch });
  return Object.fromEntries(
    fields.filter(([, value]) => !(Array.isArray(value) && value.length === 0)),
  ) as PackageMetadata;
}
