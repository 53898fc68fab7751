/** Rules on where files are, and what kind of files they are. */
import { posix } from 'node:path';
import type { FileEntry } from '#schema/manifest';
import { BUILD_ROOT } from '../toolchain.ts';
import type { PackageRule, PackageView, Remark } from './rule.ts';

type Test = (entry: FileEntry, view: PackageView) => boolean;

/** One remark for each entry that `test` finds. */
const forEach =
  (test: Test, message: (path: string, entry: FileEntry) => string) =>
  (view: PackageView): Remark[] =>
    view.manifest.files
      .filter((entry) => test(entry, view))
      .map((entry) => ({ path: entry.path, message: message(entry.path, entry) }));

const onPath =
  (pattern: RegExp): Test =>
  ({ path, type }) =>
    type !== 'directory' && pattern.test(path);

const modeOf = (entry: FileEntry): number => ('mode' in entry ? entry.mode : 0);
const octal = (entry: FileEntry): string => modeOf(entry).toString(8).padStart(4, '0');

/** Folders that hold nothing that outlives a start, or that the kernel mounts over. */
const VOLATILE = /^(?:dev|proc|run|sys|tmp|var\/run|var\/lock|var\/tmp)\/./;
const FOREIGN = /^(?:usr\/local|opt|srv|mnt|media|home|root)\/./;
const KNOWN_TOP = new Set(
  'bin boot dev etc home init lib media mnt opt proc root run sbin srv sys tmp usr var'.split(' '),
);
const DEV_FILE = /^usr\/include\/|^usr\/(?:lib|share)\/(?:pkgconfig|cmake|aclocal)\/|^usr\/lib\/[^/]+\.a$/;
const DOC_FILE = /^usr\/share\/(?:man|doc|info|gtk-doc)\//;
const isMain = ({ manifest }: PackageView): boolean =>
  !/-(?:dev|doc|static|lang|headers)$/.test(manifest.name);
const LARGE_DOCS = 512 * 1024;
const DUPLICATE_BYTES = 16 * 1024;

/** The path that a link leads to, without its slash; `undefined` where it leads above the root. */
function resolved({ path, target }: { readonly path: string; readonly target: string }): string | undefined {
  const whole = target.startsWith('/') ? target.slice(1) : posix.join(posix.dirname(path), target);
  const plain = posix.normalize(whole === '' ? '.' : whole).replace(/\/$/, '');
  return plain === '..' || plain.startsWith('../') ? undefined : plain;
}

function dangling(view: PackageView): Remark[] {
  const present = new Set(view.together.flatMap(({ files }) => files.map(({ path }) => path)));
  const links = new Set(
    view.together.flatMap(({ alternatives }) => (alternatives ?? []).map(({ link }) => link)),
  );
  return view.manifest.files.flatMap((entry) => {
    if (entry.type !== 'symlink') return [];
    const target = resolved(entry);
    if (target === undefined || target === '.' || present.has(target) || links.has(target)) return [];
    // What lies in folders that a start fills cannot be known.
    if (VOLATILE.test(`${target}/`) || throughLink(view, target)) return [];
    return [{ path: entry.path, message: `${entry.path} leads to ${target}, which no package here holds` }];
  });
}

/** True where a parent of the path is itself a link, so that the path's spelling says little. */
function throughLink({ entries }: PackageView, path: string): boolean {
  for (let at = posix.dirname(path); at !== '.'; at = posix.dirname(at))
    if (entries.get(at)?.type === 'symlink') return true;
  return false;
}

function duplicates({ files }: PackageView): Remark[] {
  const first = new Map<string, string>();
  return files.flatMap(({ entry }) => {
    const other = first.get(entry.sha256);
    if (entry.size < DUPLICATE_BYTES) return [];
    if (other === undefined) first.set(entry.sha256, entry.path);
    return other === undefined
      ? []
      : [{ path: entry.path, message: `${entry.path} has the content of ${other}` }];
  });
}

function caseTwins({ manifest }: PackageView): Remark[] {
  const first = new Map<string, string>();
  return manifest.files.flatMap(({ path }) => {
    const folded = path.toLowerCase();
    const other = first.get(folded);
    if (other === undefined) first.set(folded, path);
    return other === undefined ? [] : [{ path, message: `${path} and ${other} differ only in case` }];
  });
}

export const LAYOUT_RULES: readonly PackageRule[] = [
  {
    name: 'volatile-path',
    severity: 'error',
    why: 'These folders are emptied or mounted over when a system starts, so what a package puts there is gone.',
    fix: 'Install elsewhere; a service makes what it needs below `/run` when it starts.',
    check: forEach(onPath(VOLATILE), (path) => `${path} is in a folder that a start empties`),
  },
  {
    name: 'local-path',
    severity: 'error',
    why: '`/usr/local`, `/opt`, `/srv`, `/home` and the like belong to the operator of the machine, not to packages.',
    fix: 'Configure with `--prefix=/usr`.',
    check: forEach(onPath(FOREIGN), (path) => `${path} is in a folder of the machine's operator`),
  },
  {
    name: 'build-folder-path',
    severity: 'error',
    why: 'The build installed below the folder that it was built in: `DESTDIR` was added twice, or a step installed into the sandbox.',
    fix: 'Look for a prefix that holds `$DESTDIR` already.',
    check: forEach(
      onPath(new RegExp(`^${BUILD_ROOT.slice(1)}/`)),
      (path) => `${path} is below the folder of the build`,
    ),
  },
  {
    name: 'unknown-top-folder',
    severity: 'warning',
    why: 'A folder at the top of the root that the file system hierarchy does not know is seldom wanted.',
    fix: 'Configure with `--prefix=/usr --sysconfdir=/etc --localstatedir=/var`.',
    check: forEach(
      ({ path, type }) => type !== 'directory' && !KNOWN_TOP.has(path.split('/')[0] ?? ''),
      (path) => `${path} is in no folder of the usual hierarchy`,
    ),
  },
  {
    name: 'setuid',
    severity: 'warning',
    why: 'The program runs with the rights of its owner, whoever starts it; every fault in it is a way to those rights.',
    fix: 'Give it a capability or a group instead, or allow it under `lint` with the reason.',
    check: forEach(
      (entry) => entry.type === 'file' && (modeOf(entry) & 0o4000) !== 0,
      (path, entry) => `${path} is setuid (${octal(entry)})`,
    ),
  },
  {
    name: 'setgid',
    severity: 'warning',
    why: 'The program runs with the rights of its group, whoever starts it.',
    fix: 'Drop the bit, or allow it under `lint` with the reason.',
    check: forEach(
      (entry) => entry.type === 'file' && (modeOf(entry) & 0o2000) !== 0,
      (path, entry) => `${path} is setgid (${octal(entry)})`,
    ),
  },
  {
    name: 'file-capabilities',
    severity: 'warning',
    why: 'A file capability gives whoever starts the program rights that they do not have.',
    fix: 'Drop the capability, or allow it under `lint` with the reason.',
    check: forEach(
      (entry) => 'xattrs' in entry && entry.xattrs?.['security.capability'] !== undefined,
      (path) => `${path} carries a capability`,
    ),
  },
  {
    name: 'world-writable',
    severity: 'error',
    why: 'Whoever has an account on the machine can replace the content. A folder is accepted with the sticky bit (mode 1777).',
    fix: 'Name a mode under `owners`.',
    check: forEach(
      (entry) =>
        (modeOf(entry) & 0o002) !== 0 &&
        !entry.type.endsWith('device') &&
        !(entry.type === 'directory' && (modeOf(entry) & 0o1000) !== 0),
      (path, entry) => `${path} can be written by everybody (${octal(entry)})`,
    ),
  },
  {
    name: 'unreadable',
    severity: 'style',
    why: 'A file below `usr` that only root can read hides nothing, because the package is public, and breaks tools of ordinary users.',
    fix: 'Install with mode 0644 or 0755, or allow it under `lint`.',
    check: forEach(
      (entry) => entry.type === 'file' && entry.path.startsWith('usr/') && (modeOf(entry) & 0o004) === 0,
      (path, entry) => `${path} cannot be read by ordinary users (${octal(entry)})`,
    ),
  },
  {
    name: 'command-not-executable',
    severity: 'warning',
    why: 'A file in a folder of commands that nobody can start is of no use there.',
    fix: 'Install it with mode 0755, or elsewhere.',
    check: forEach(
      (entry) =>
        entry.type === 'file' && /^(?:usr\/)?s?bin\/[^/]+$/.test(entry.path) && (modeOf(entry) & 0o111) === 0,
      (path) => `${path} is not executable`,
    ),
  },
  {
    name: 'executable-data',
    severity: 'style',
    why: 'Headers, manual pages, translations and the like are no programs.',
    fix: 'Install them with mode 0644.',
    check: forEach(
      (entry) =>
        entry.type === 'file' &&
        (modeOf(entry) & 0o111) !== 0 &&
        /\.(?:h|hpp|pc|a|mo|png|svg|html|css|md|conf)$|^usr\/share\/(?:man|info)\//.test(entry.path),
      (path) => `${path} is data and executable`,
    ),
  },
  {
    name: 'device-node',
    severity: 'warning',
    why: 'The kernel makes device nodes in `/dev`; one in a package is seldom needed and gives access to hardware by its mode.',
    fix: 'Leave it out.',
    check: forEach(
      ({ type }) => type.endsWith('device'),
      (path) => `${path} is a device node`,
    ),
  },
  {
    name: 'dev-files-in-main',
    severity: 'warning',
    why: 'Headers and what else only a compiler needs belong in the `-dev` package, which running systems do not install.',
    fix: 'Leave `split` at its default, or name the files under a `-dev` subpackage.',
    check: (view) =>
      isMain(view)
        ? forEach(onPath(DEV_FILE), (path) => `${path} is for compilers, but not in a -dev package`)(view)
        : [],
  },
  {
    name: 'static-library-in-main',
    severity: 'warning',
    why: 'A static library is for linking only, and large.',
    fix: 'Configure with `--disable-static`, or move it to the `-dev` package.',
    check: (view) =>
      isMain(view)
        ? forEach(onPath(/\.a$/), (path) => `${path} is a static library, but not in a -dev package`)(view)
        : [],
  },
  {
    name: 'documentation-in-main',
    severity: 'style',
    why: 'Small systems leave manual pages out by not installing the `-doc` package.',
    fix: 'Leave `split` at its default, or name the files under a `-doc` subpackage.',
    check: (view) =>
      isMain(view)
        ? forEach(onPath(DOC_FILE), (path) => `${path} is documentation, but not in a -doc package`)(view)
        : [],
  },
  {
    name: 'documentation-large',
    severity: 'style',
    why: 'More than 512 KiB of documentation in a package that is no `-doc` package is paid for by every system.',
    fix: 'Split it off, or leave out what is also on the web.',
    check: (view) => {
      const size = view.files
        .filter(({ entry }) => DOC_FILE.test(entry.path))
        .reduce((sum, { entry }) => sum + entry.size, 0);
      return isMain(view) && size > LARGE_DOCS
        ? [{ message: `${view.manifest.name} holds ${Math.round(size / 1024)} KiB of documentation` }]
        : [];
    },
  },
  {
    name: 'libtool-archive',
    severity: 'warning',
    why: 'A `.la` file names paths of the machine that built it; nothing needs it where pkg-config is there.',
    fix: 'Remove it in `install`.',
    check: forEach(onPath(/\.la$/), (path) => `${path} is a libtool archive`),
  },
  {
    name: 'object-file',
    severity: 'style',
    why: 'Object files are left over from compiling, but for the few that a C library starts programs with.',
    fix: 'Remove it in `install`.',
    check: forEach(
      ({ path, type }) => type === 'file' && path.endsWith('.o') && !/\/[^/]*crt[^/]*\.o$/.test(path),
      (path) => `${path} is an object file`,
    ),
  },
  {
    name: 'symlink-outside',
    severity: 'error',
    why: 'A link that climbs above the root, or into the folder of the build, leads somewhere else on every machine.',
    fix: 'Make the link relative to its own folder: `ln -s ../lib/NAME`.',
    check: forEach(
      (entry) =>
        entry.type === 'symlink' &&
        (resolved(entry) === undefined || entry.target.startsWith(`${BUILD_ROOT}/`)),
      (path, entry) => `${path} leads out of the root: ${entry.type === 'symlink' ? entry.target : ''}`,
    ),
  },
  {
    name: 'symlink-dangling',
    severity: 'warning',
    needsAll: true,
    why: 'No package here holds what the link leads to, so it leads to nothing unless a dependency brings it.',
    fix: 'Depend on the package that holds it and allow the link under `lint`, or remove the link.',
    check: dangling,
  },
  {
    name: 'symlink-absolute',
    severity: 'style',
    why: 'An absolute link is followed out of the root by tools that look into the root from outside, as image builders do.',
    fix: 'Make it relative: `ln -sr`.',
    check: forEach(
      (entry) =>
        entry.type === 'symlink' && entry.target.startsWith('/usr/') && entry.path.startsWith('usr/'),
      (path, entry) => `${path} is an absolute link to ${entry.type === 'symlink' ? entry.target : ''}`,
    ),
  },
  {
    name: 'duplicate-content',
    severity: 'style',
    why: 'The same bytes are stored and installed twice.',
    fix: 'Install one of them as a link to the other.',
    check: duplicates,
  },
  {
    name: 'case-twins',
    severity: 'style',
    why: 'Two paths that differ only in case become one on file systems that do not tell cases apart, as on the boot partition.',
    fix: 'Rename one of them.',
    check: caseTwins,
  },
  {
    name: 'leftover-file',
    severity: 'warning',
    why: 'Backups of editors and of patch, version control and packaging leftovers were not meant to be installed.',
    fix: 'Remove it in `install`.',
    check: forEach(
      onPath(/~$|\.(?:orig|rej|bak|swp)$|(?:^|\/)(?:\.git|\.svn|CVS|\.DS_Store|\.gitignore)(?:\/|$)/),
      (path) => `${path} is a leftover`,
    ),
  },
  {
    name: 'compiled-cache',
    severity: 'warning',
    why: 'Caches of interpreters hold times and paths of the build, and grow stale on the installed system.',
    fix: 'Remove them in `install`, or set `PYTHONDONTWRITEBYTECODE=1` under `env`.',
    check: forEach(
      onPath(/\.py[co]$|(?:^|\/)__pycache__\/|(?:^|\/)(?:perllocal\.pod|\.packlist)$/),
      (path) => `${path} is a cache or a log of an interpreter`,
    ),
  },
  {
    name: 'shared-cache',
    severity: 'warning',
    why: 'The file collects what all packages hold, so two packages that bring it conflict and both are wrong.',
    fix: 'Remove it in `install`.',
    check: forEach(
      onPath(
        /(?:^|\/)(?:ld\.so\.cache|icon-theme\.cache|mimeinfo\.cache|gschemas\.compiled|fonts\.cache-\d)$|^usr\/share\/info\/dir$|^usr\/lib\/charset\.alias$/,
      ),
      (path) => `${path} belongs to no single package`,
    ),
  },
];
