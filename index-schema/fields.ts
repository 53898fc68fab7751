/** The small grammars that every format shares: names, versions, dependencies, paths, digests. */
import * as v from 'valibot';
import { isSafePath } from './path.ts';
import { dependencySpelling, isDependency, isCapability } from './dependency.ts';
import { isVersion } from './version.ts';

/** Architectures a package can be for; `noarch` installs on every machine. */
export const ARCHES = ['x86_64', 'aarch64', 'noarch'] as const;
export type Arch = (typeof ARCHES)[number];
/** Architectures a machine can have. */
export type MachineArch = Exclude<Arch, 'noarch'>;

/** C0, DEL and C1 controls, and the marks that reorder text on a terminal. */
export const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

export const ArchSchema = v.picklist(ARCHES, 'expected one of x86_64, aarch64, noarch');
export const PackageNameSchema = v.pipe(
  v.string('expected a string'),
  v.regex(
    /^[A-Za-z0-9_][A-Za-z0-9_+.-]{0,127}$/,
    'expected a package name (letters, digits, and _ + . - after the first)',
  ),
);
/** True for the bare name of a package; false with a range, and for capabilities such as `cmd:awk`. */
export const isPackageName = (text: string): boolean => v.is(PackageNameSchema, text);
export const VersionSchema = v.pipe(
  v.string('expected a string'),
  v.check(isVersion, 'expected a version such as 1.2.3-r0'),
  v.description('A semantic version and a release: 1.36.1-r2.'),
);
function spelling(text: string): string {
  const guess = dependencySpelling(text);
  return guess === undefined ? '' : `: did you mean ${guess}?`;
}

export const DependencySchema = v.pipe(
  v.string('expected a string'),
  v.check(isDependency, ({ input }) => `expected a dependency such as zlib@^1.2${spelling(input)}`),
  v.description('A dependency: NAME, NAME@RANGE, alternatives A | B, or a conflict !NAME@RANGE.'),
);
export const CapabilitySchema = v.pipe(
  v.string('expected a string'),
  v.check(
    isCapability,
    ({ input }) => `expected a name such as cmd:awk or so:libz.so.1@=1.3.1${spelling(input)}`,
  ),
  v.description('What a package offers: NAME or NAME@=VERSION.'),
);
export const Sha256Schema = v.pipe(
  v.string('expected a string'),
  v.regex(
    /^[0-9a-f]{64}$/,
    ({ input }) =>
      `expected 64 lower-case hexadecimal digits (a sha256)${input.length === 64 ? '' : `, and found ${input.length} characters`}`,
  ),
);
export const PathSchema = v.pipe(
  v.string('expected a string'),
  v.check(
    isSafePath,
    'expected a relative path without . or .. components, empty components or control characters',
  ),
  v.description(
    'A path below the root, without a leading slash, . and .. components, control characters or marks that reorder text.',
  ),
);
export const SymlinkTargetSchema = v.pipe(
  v.string('expected a string'),
  v.minLength(1, 'expected a target that is not empty'),
  v.maxBytes(4095),
  v.check((text) => !UNPRINTABLE.test(text), 'expected no control characters'),
  v.description('Where a symbolic link leads: at most 4095 bytes without control characters.'),
);
const account = v.pipe(
  v.string('expected a string'),
  v.regex(/^[a-z_][a-z0-9_-]{0,30}$/, 'expected an account name (lower-case letters, digits, _ and -)'),
);
export const UserNameSchema = account;
export const GroupNameSchema = account;
/** One line of printable text. */
export const LineSchema = v.pipe(
  v.string('expected a string'),
  v.maxLength(8192),
  v.check((text) => !UNPRINTABLE.test(text), 'expected one line of printable text'),
  v.description('One line of text without control characters or marks that reorder text.'),
);
