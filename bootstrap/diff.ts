/** What differs between two images, or two locks: packages, licences, sizes, files. */
import { parseJson } from '#schema/canonical-json';
import { decodeDescription, type ImageDescription, type RootEntry } from './description.ts';
import { decodeLock, type Lock } from './lock.ts';
import { readInput } from './read-input.ts';

export interface ImageDiff {
  readonly packages: {
    readonly added: readonly Version[];
    readonly removed: readonly Version[];
    readonly changed: readonly { readonly name: string; readonly from: Version; readonly to: Version }[];
  };
  /** Only between images. */
  readonly files:
    | {
        readonly added: readonly string[];
        readonly removed: readonly string[];
        readonly changed: readonly { readonly path: string; readonly what: readonly string[] }[];
      }
    | undefined;
  /** Outputs whose size differs, by format. */
  readonly outputs: readonly { readonly format: string; readonly from: number; readonly to: number }[];
}

/** What of a package is compared. */
export interface Version {
  readonly name: string;
  readonly version: string;
  readonly size: number;
  readonly license: string;
  /** Of the package file: a rebuild may keep the version. */
  readonly sha256: string;
}

type Side = Lock | ImageDescription;

/** @throws IcepkgError `not-found`, `format-invalid` for what is neither a lock nor a description */
export function readSide(file: string): Side {
  const bytes = readInput(file, 'Name a lock, or the NAME.ARCH.json that lies beside an image');
  const document = parseJson(bytes, file);
  const isImage = typeof document === 'object' && document !== null && 'entries' in document;
  return isImage ? decodeDescription(bytes, file) : decodeLock(bytes, file);
}

export function diffImages(before: Side, after: Side): ImageDiff {
  const [old, now] = [versions(before), versions(after)];
  return {
    packages: {
      added: [...now.values()].filter(({ name }) => !old.has(name)),
      removed: [...old.values()].filter(({ name }) => !now.has(name)),
      changed: [...old.values()].flatMap((from) => {
        const to = now.get(from.name);
        return to === undefined || to.sha256 === from.sha256 ? [] : [{ name: from.name, from, to }];
      }),
    },
    files: 'entries' in before && 'entries' in after ? diffFiles(before, after) : undefined,
    outputs: 'entries' in before && 'entries' in after ? diffOutputs(before, after) : [],
  };
}

export const isSameImage = ({ packages, files, outputs }: ImageDiff): boolean =>
  [
    packages.added,
    packages.removed,
    packages.changed,
    files?.added ?? [],
    files?.removed ?? [],
    files?.changed ?? [],
    outputs,
  ].every(({ length }) => length === 0);

const versions = ({ locked }: Side): Map<string, Version> =>
  new Map(
    locked
      .map(({ record }) => record)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, version, installedSize, license = 'NOASSERTION', package: { sha256 } }) => [
        name,
        { name, version, size: installedSize, license, sha256 },
      ]),
  );

function diffFiles(before: ImageDescription, after: ImageDescription): NonNullable<ImageDiff['files']> {
  const old = new Map(before.entries.map((entry) => [entry.path, entry]));
  const now = new Map(after.entries.map((entry) => [entry.path, entry]));
  return {
    added: [...now.keys()].filter((file) => !old.has(file)),
    removed: [...old.keys()].filter((file) => !now.has(file)),
    changed: [...old].flatMap(([file, from]) => {
      const to = now.get(file);
      const what = to === undefined ? [] : differences(from, to);
      return what.length === 0 ? [] : [{ path: file, what }];
    }),
  };
}

function differences(from: RootEntry, to: RootEntry): string[] {
  const field = (name: string, a = 'none', b = 'none'): string[] => (a === b ? [] : [`${name} ${a} -> ${b}`]);
  return [
    ...field('type', from.type, to.type),
    ...field('mode', from.mode.toString(8), to.mode.toString(8)),
    ...field('owner', `${from.uid}:${from.gid}`, `${to.uid}:${to.gid}`),
    ...field('target', from.target, to.target),
    ...field('device', numbers(from), numbers(to)),
    ...(JSON.stringify(from.xattrs) === JSON.stringify(to.xattrs) ? [] : ['attributes']),
    ...(from.sha256 === to.sha256
      ? []
      : [from.size === to.size ? 'content' : `content ${from.size} -> ${to.size} bytes`]),
  ];
}

const numbers = ({ device }: RootEntry): string | undefined =>
  device === undefined ? undefined : `${device.major}:${device.minor}`;

function diffOutputs(before: ImageDescription, after: ImageDescription): ImageDiff['outputs'] {
  const sizes = new Map(after.files.map(({ format, size }) => [format, size]));
  return before.files.flatMap(({ format, size: from }) => {
    const to = sizes.get(format);
    return to === undefined || to === from ? [] : [{ format, from, to }];
  });
}
