/** Reads what rules look at in a package: every file once. */
import type { Manifest, RegularFile } from '#schema/manifest';
import { elfDetails } from '../elf-details.ts';
import { isElf } from '../elf-image.ts';
import { withPackage } from '../package-content.ts';
import type { Recipe } from '../recipe-schema.ts';
import { shebangOf } from '../shebang.ts';
import { BUILD_ROOT } from '../toolchain.ts';
import type { FileFacts, PackageView } from './rule.ts';

export interface Surroundings {
  /** Packages that are looked at together with this one. */
  readonly around: readonly Manifest[];
  readonly recipe: Recipe | undefined;
}

/** @throws IcepkgError where the file is no sound package */
export function readPackageView(file: string, { around, recipe }: Surroundings): PackageView {
  return withPackage(file, (content) => {
    const { manifest } = content;
    const regular = manifest.files.filter((entry) => entry.type === 'file');
    return {
      manifest,
      files: regular.map((entry) => factsOf(entry, content.read(entry))),
      entries: new Map(manifest.files.map((entry) => [entry.path, entry])),
      recipe,
      together: around.some(({ name }) => name === manifest.name) ? around : [manifest, ...around],
    };
  });
}

/** Folders of the sandbox that exist only while something is built. */
const BUILD_PATHS = ['src', 'dest', 'sysroot', 'tools', 'distfiles'].map((name) => `${BUILD_ROOT}/${name}`);
const ARCHIVE_MAGIC = '!<arch>\n';

function factsOf(entry: RegularFile, content: Uint8Array): FileFacts {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const elf = elfDetails(bytes);
  const isArchive = bytes.toString('latin1', 0, ARCHIVE_MAGIC.length) === ARCHIVE_MAGIC;
  return {
    entry,
    elf,
    brokenElf: elf === undefined && isElf(bytes),
    shebang: shebangOf(bytes),
    gzipTime: bytes.length >= 10 && bytes.readUInt16BE(0) === 0x1f8b ? bytes.readUInt32LE(4) : undefined,
    buildPath: BUILD_PATHS.find((folder) => bytes.includes(folder)),
    debugArchive: isArchive && bytes.includes('.debug_info'),
  };
}
