/** How the usual commands of build systems look, and what of them a pipeline takes as input. */

type Words = readonly string[];
type Values = Readonly<Record<string, string | boolean | readonly string[]>>;

export interface System {
  /** Of the pipeline. */
  readonly name: string;
  /** Commands that build, in their order. */
  readonly build: readonly ((words: Words) => boolean)[];
  readonly install: readonly ((words: Words) => boolean)[];
  /** Inputs that each phase of the pipeline reads. */
  readonly phases: Readonly<Partial<Record<'prepare' | 'build' | 'install', readonly string[]>>>;
  /** `undefined` where a command does more than the pipeline can. `folder` is that of the build, `''` for none. */
  readonly inputs: (found: {
    readonly build: readonly Words[];
    readonly install: readonly Words[];
  }) => { readonly with: Values; readonly folder: string } | undefined;
  /** Other commands, with the folder that the pipeline builds in. */
  readonly elsewhere: (text: string, folder: string) => string;
}

const FOLDER = 'icepkg-build';
const inFolder = (text: string, folder: string): string =>
  folder === ''
    ? text
    : text.replaceAll(
        new RegExp(
          `((?:-C|--test-dir|--build|-d)[ =]?)"?${folder.replaceAll(/[.+]/g, '\\$&')}"?(?=[\\s;]|$)`,
          'gm',
        ),
        `$1${FOLDER}`,
      );

/** A word without quotes, where it stays one word and no command is in it. */
function argument(word: string): string | undefined {
  const bare = word.replaceAll(/"([^"\\`$\s]*(?:\$[A-Za-z_]\w*[^"\\`$\s]*)*)"|'([^'\s$"`\\]*)'/g, '$1$2');
  return /^[A-Za-z0-9_./:@%+=,~-]*(?:\$[A-Za-z_]\w*[A-Za-z0-9_./:@%+=,~-]*)*$/.test(bare) ? bare : undefined;
}

/** All words as arguments but those that say what the pipeline says anyway. */
function argumentsOf(words: Words, said: RegExp): string[] | undefined {
  const found: string[] = [];
  for (const word of words) {
    const text = argument(word);
    if (text === undefined) return undefined;
    if (text !== '' && !said.test(text)) found.push(text);
  }
  return found;
}

const listed = (name: string, words: readonly string[]): Values =>
  words.length === 0 ? {} : { [name]: words };
const isMake = (words: Words): boolean => words[0] === 'make' || words[0] === 'gmake';
const isInstall = (words: Words): boolean => words.some((word) => /^"?DESTDIR=/.test(word));
const SAID_TO_MAKE = /^-j(?:\d+|\$JOBS)?$|^DESTDIR=\$DESTDIR\/?$|^V=1$/;

/** What `make` builds and installs: targets apart from other arguments. */
function makeWords(
  build: Words,
  install: Words,
): { readonly make: string[]; readonly targets: string[]; readonly install: string[] } | undefined {
  if ([build, install].some((words) => words.includes('-C') || words.includes('-f'))) return undefined;
  const [built, installed] = [build, install].map((words) => argumentsOf(words.slice(1), SAID_TO_MAKE));
  if (built === undefined || installed === undefined) return undefined;
  if (!install.some((word) => /^"?DESTDIR="?\$\{?DESTDIR\}?"?\/?"?$/.test(word))) return undefined;
  const isTarget = (word: string): boolean => /^[A-Za-z][\w.-]*$/.test(word);
  const flags = built.filter((word) => !isTarget(word));
  const own = installed.filter((word) => !isTarget(word));
  // One list of arguments is for both.
  if (own.some((word) => !flags.includes(word)) && flags.some((word) => !own.includes(word)))
    return undefined;
  return {
    make: [...new Set([...flags, ...own])],
    targets: built.filter(isTarget),
    install: installed.filter(isTarget),
  };
}

const usualInstall = (targets: readonly string[]): Values =>
  targets.length === 1 && targets[0] === 'install' ? {} : listed('install', targets);

const SAID_TO_CONFIGURE =
  /^--(?:build=\$BUILD|host=\$HOST|target=\$HOST|prefix=\/usr|sysconfdir=\/etc|localstatedir=\/var|mandir=\/usr\/share\/man|infodir=\/usr\/share\/info|libdir=\/usr\/lib|bindir=\/usr\/bin|datadir=\/usr\/share)\/?$/;

const autotools: System = {
  name: 'autotools',
  build: [(words) => words[0] === './configure', (words) => isMake(words) && !isInstall(words)],
  install: [(words) => isMake(words) && isInstall(words)],
  phases: { prepare: ['configure', 'autoreconf'], build: ['make'], install: ['make', 'install'] },
  inputs: ({ build: [configure = [], make = []], install: [install = []] }) => {
    const options = argumentsOf(configure.slice(1), SAID_TO_CONFIGURE);
    const made = makeWords(make, install);
    if (options === undefined || made === undefined || made.targets.length > 0) return undefined;
    if (!configure.some((word) => /^"?--prefix="?\/usr"?\/?$/.test(word))) return undefined;
    return {
      with: { ...listed('configure', options), ...listed('make', made.make), ...usualInstall(made.install) },
      folder: '',
    };
  },
  elsewhere: (text) => text,
};

const SAID_TO_MESON =
  /^(?:--prefix=\/usr|--libdir=\/?(?:usr\/)?lib|--sysconfdir=\/etc|--localstatedir=\/var|--buildtype=\w+|-Dbuildtype=\w+|--wrap-mode=\w+|--libexecdir=libexec)$/;

const meson: System = {
  name: 'meson',
  build: [
    (words) =>
      /^(?:abuild-meson|arch-meson)$/.test(words[0] ?? '') ||
      (words[0] === 'meson' && !/^(?:compile|install|test|configure)$/.test(words[1] ?? '')),
    (words) =>
      (words[0] === 'meson' && words[1] === 'compile') ||
      (words[0] === 'ninja' && !words.includes('install')),
  ],
  install: [
    (words) =>
      (/^"?DESTDIR=/.test(words[0] ?? '') &&
        (words[1] === 'meson' || words[1] === 'ninja') &&
        words.includes('install')) ||
      (words[0] === 'meson' && words[1] === 'install' && words.includes('--destdir')),
  ],
  phases: { prepare: ['options'], build: [], install: [] },
  inputs: ({ build: [setup = []] }) => {
    const words = argumentsOf(setup.slice(setup[1] === 'setup' ? 2 : 1), SAID_TO_MESON);
    if (words === undefined) return undefined;
    const folders = words.filter((word) => !word.startsWith('-'));
    // `meson setup . output`, `meson setup output`.
    const folder = folders.find((word) => word !== '.') ?? '';
    if (
      folders.length > 2 ||
      folder === '' ||
      folder.includes('/') ||
      (folders.length === 2 && !folders.includes('.'))
    )
      return undefined;
    const options = words.filter((word) => word.startsWith('-'));
    return { with: listed('options', options), folder };
  },
  elsewhere: inFolder,
};

const SAID_TO_CMAKE =
  /^(?:-DCMAKE_INSTALL_PREFIX=\/usr\/?|-DCMAKE_INSTALL_LIBDIR=(?:\/usr\/)?lib|-DCMAKE_INSTALL_SYSCONFDIR=\/etc|-DCMAKE_BUILD_TYPE=\w+|-GNinja|-DCMAKE_SKIP_RPATH=\w+|-DCMAKE_VERBOSE_MAKEFILE=\w+|-DCMAKE_SYSTEM_\w+=\S+|-DCMAKE_C_COMPILER=\S+|-DCMAKE_FIND_ROOT_PATH=\S+)$/;

/** Flags that are those of every build. */
const OWN_FLAGS = /^-DCMAKE_C(?:XX)?_FLAGS="?\$\{?C(?:XX)?FLAGS(?::-)?\}?"?$/;

const cmake: System = {
  name: 'cmake',
  build: [
    (words) => words[0] === 'cmake' && words.some((word) => word.startsWith('-B')),
    (words) => words[0] === 'cmake' && words[1] === '--build',
  ],
  install: [
    (words) => /^"?DESTDIR=/.test(words[0] ?? '') && words[1] === 'cmake' && words[2] === '--install',
  ],
  phases: { prepare: ['options', 'source'], build: [], install: [] },
  inputs: ({ build: [configure = [], built = []], install: [installed = []] }) => {
    const options: string[] = [];
    let [folder, source] = ['', ''];
    const words = argumentsOf(
      configure.slice(1).filter((word) => !OWN_FLAGS.test(word)),
      /^$/,
    );
    if (words === undefined) return undefined;
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? '';
      if (word === '-B') folder = words[++at] ?? '';
      else if (word === '-S') source = words[++at] ?? '';
      else if (word === '-G') at++;
      else if (word === '-W') options.push(`-W${words[++at] ?? ''}`);
      else if (word.startsWith('-B')) folder = word.slice(2);
      else if (word.startsWith('-S')) source = word.slice(2);
      else if (!word.startsWith('-')) source = word;
      else if (!SAID_TO_CMAKE.test(word)) options.push(word);
    }
    const isFolder = /^[A-Za-z][\w.-]*$/;
    // Other than plain: one target, or a component.
    const plain =
      built.every((word) => word !== '--target' && word !== '-t') && !installed.includes('--component');
    if (!isFolder.test(folder) || !plain || /^[/$]/.test(source)) return undefined;
    const from = source === '' || source === '.' ? {} : { source };
    return { with: { ...listed('options', options), ...from }, folder };
  },
  elsewhere: inFolder,
};

const isPlainMake = (words: Words): boolean => isMake(words) && !isInstall(words);

const make: System = {
  name: 'make',
  build: [isPlainMake],
  install: [(words) => isMake(words) && isInstall(words)],
  phases: { build: ['make', 'targets'], install: ['make', 'install'] },
  inputs: ({ build: [build = []], install: [install = []] }) => {
    const made = makeWords(build, install);
    if (made === undefined) return undefined;
    const said = /^(?:PREFIX|prefix)=\/usr$|^CC=\$CC$|^CFLAGS=\$CFLAGS$/;
    return {
      with: {
        ...listed(
          'make',
          made.make.filter((word) => !said.test(word)),
        ),
        ...listed('targets', made.targets),
        ...usualInstall(made.install),
      },
      folder: '',
    };
  },
  elsewhere: (text) => text,
};

const isRelease = (words: Words): boolean =>
  words[0] === 'cargo' && (words[1] === 'build' || (words[1] === 'auditable' && words[2] === 'build'));
const BINARY = /^"?target\/(?:\$[A-Za-z]\w*\/|[\w-]+\/)?release\/([\w.-]+)"?$/;

const cargo: System = {
  name: 'cargo',
  build: [isRelease],
  install: [(words) => words[0] === 'install' && words.some((word) => BINARY.test(word))],
  // A pipeline wants all that it has no default for in each phase.
  phases: { build: ['options', 'bins'], install: ['bins'] },
  inputs: ({ build: [build = []], install: [install = []] }) => {
    const said = /^(?:--release|--frozen|--locked|--offline|--all-targets|--target=\S*)$/;
    const options = argumentsOf(build.slice(build[1] === 'auditable' ? 3 : 2), said);
    const bins = install.flatMap((word) => BINARY.exec(word)?.[1] ?? []);
    const to = install.at(-1) ?? '';
    if (
      options === undefined ||
      options.includes('--target') ||
      !/^"?\$\{?DESTDIR\}?"?\/usr\/bin(?:\/[\w.-]*)?"?$/.test(to)
    )
      return undefined;
    const named = /\/usr\/bin\/([\w.-]+)"?$/.exec(to)?.[1];
    if (named !== undefined && !(bins.length === 1 && bins[0] === named)) return undefined;
    return { with: { ...listed('options', options), bins }, folder: '' };
  },
  elsewhere: (text) =>
    text.replaceAll(/target\/(?:\$\w+\/)?release\//g, 'target/$ARCH-unknown-linux-musl/release/'),
};

const go: System = {
  name: 'go',
  build: [(words) => words[0] === 'go' && words[1] === 'build'],
  install: [(words) => words[0] === 'install' && /\/usr\/bin(?:\/[\w.-]*)?"?$/.test(words.at(-1) ?? '')],
  phases: { build: ['packages', 'ldflags', 'tags'], install: [] },
  inputs: ({ build: [build = []], install: [install = []] }) => goInputs(build, install),
  elsewhere: (text) => text,
};

/** A program is called as the folder of its package is. */
function goInputs(
  build: Words,
  install: Words,
): { readonly with: Values; readonly folder: string } | undefined {
  const packages: string[] = [];
  let [output, tags, ldflags] = ['', '', ''];
  for (let at = 2; at < build.length; at++) {
    const word = build[at] ?? '';
    const flag = /^-?-(o|tags|ldflags)(?:=(.*))?$/s.exec(word);
    if (flag !== null) {
      const value = (flag[2] ?? build[++at] ?? '').replace(/^(["'])(.*)\1$/s, '$2');
      if (flag[1] === 'o') output = value;
      else if (flag[1] === 'tags') tags = value;
      else ldflags = value.replaceAll(/\s+/g, ' ').trim();
    } else if (/^-(?:v|trimpath|a|buildvcs=false|mod=\w+|modcacherw|buildmode=\w+|x)$/.test(word)) continue;
    else if (word === '-p') at++;
    else packages.push(argument(word) ?? '');
  }
  const [only = '.'] = packages;
  const name = output.split('/').pop() ?? '';
  const installed = (install.at(-1) ?? '').replaceAll('"', '').split('/').pop() ?? '';
  if (
    packages.length > 1 ||
    only === '' ||
    only.split('/').pop() !== name ||
    (installed !== '' && installed !== 'bin' && installed !== name)
  )
    return undefined;
  if (/[`\\]|\$\(/.test(ldflags) || /[^\w,. -]/.test(tags)) return undefined;
  const kept = ldflags.replaceAll(/(?:^|\s)-[sw](?=\s|$)|(?:^|\s)-extldflags(?:=|\s+)\S+/g, '').trim();
  return {
    with: {
      packages: only,
      ...(kept === '' ? {} : { ldflags: kept }),
      ...(tags === '' ? {} : { tags: tags.replaceAll(' ', ',') }),
    },
    folder: '',
  };
}

/** Those with more commands first, so that `make` is what remains. */
export const SYSTEMS: readonly System[] = [autotools, meson, cmake, cargo, go, make];
