/** Rules on the shell texts of a recipe. */
import type { RecipeRule, RecipeView, Remark, Script } from './rule.ts';

/** Where a command begins. */
const START = String.raw`(?:^|[;&|(\n]|\b(?:then|do|else|exec|env)\b)\s*`;
const command = (names: string): RegExp => new RegExp(`${START}(?:\\w+=\\S*\\s+)*(?:${names})(?=\\s|$)`, 'm');

/** The line of the recipe that a line of a step stands in, or the field where the text is no block of lines. */
function placeIn(view: RecipeView, where: string, line: number): NonNullable<Remark['at']> {
  const keys = where.split('.');
  const at = view.place(keys).line;
  return /:\s*\|[-+]?\s*$/.test(view.text.split('\n')[at - 1] ?? '') ? at + 1 + line : keys;
}

/** One remark for each step whose text matches; the first place that matches is quoted. */
const matching =
  (pattern: RegExp, message: (where: string, found: string) => string, only?: RegExp) =>
  (view: RecipeView): Remark[] =>
    view.scripts.flatMap(({ where, text }) => {
      const found = only === undefined || only.test(where) ? pattern.exec(text) : null;
      if (found === null) return [];
      const start = found.index + found[0].search(/\S/);
      const at = placeIn(view, where, text.slice(0, start).split('\n').length - 1);
      return [{ at, message: message(where, found[0].trim().replace(/^[;&|(]\s*/, '')) }];
    });

const stepsNamed = (view: RecipeView, name: string): Script[] =>
  view.scripts.filter(({ where }) => where === name || where.endsWith(`.${name}`));

/** Lines joined where a backslash continues them; in the place of those that were joined stands nothing. */
const joined = (text: string): string[] =>
  text
    .replaceAll(/(?:.*\\\n)+.*/g, (lines) => lines.replaceAll('\\\n', ' ') + lines.replaceAll(/[^\n]/g, ''))
    .split('\n');

const lines =
  (names: readonly string[], test: (line: string) => boolean, message: (where: string) => string) =>
  (view: RecipeView): Remark[] =>
    names
      .flatMap((name) => stepsNamed(view, name))
      .flatMap(({ where, text }) => {
        const line = joined(text).findIndex(test);
        return line === -1 ? [] : [{ at: placeIn(view, where, line), message: message(where) }];
      });

const CONFIGURE = /^(?!\s*(?:chmod|sed|touch|rm)\s).*?(?:^|[\s;&/])configure(?=\s|$)/;

export const STEP_RULES: readonly RecipeRule[] = [
  {
    name: 'jobs-fixed',
    severity: 'warning',
    why: 'A fixed number of jobs is too much for one machine and too little for the other, and ignores `--jobs`.',
    fix: 'Write `-j"$JOBS"`.',
    check: matching(/\s(?:-j\s*\d+|--jobs[= ]\d+|-l\s*\d+)\b/, (where, found) => `${where} has ${found}`),
  },
  {
    name: 'jobs-missing',
    severity: 'style',
    why: 'Without `-j` make runs one job at a time.',
    fix: 'Write `make -j"$JOBS"`; where a build breaks with several jobs, write `-j1` and allow `jobs-fixed`.',
    check: lines(
      ['build'],
      (line) => /^\s*make\b/.test(line) && !/-j|\$JOBS/.test(line),
      (where) => `${where} runs make with one job`,
    ),
  },
  {
    name: 'usr-local',
    severity: 'warning',
    why: '`/usr/local` belongs to the operator of the machine; a step that names it installs there or looks there.',
    fix: 'Configure with `--prefix=/usr`.',
    check: matching(/^(?!.*\bsed\b).*\/usr\/local\b/m, (where) => `${where} names /usr/local`),
  },
  {
    name: 'sudo',
    severity: 'error',
    why: 'Steps run in a sandbox as the user who builds; nobody can become root there, and nothing needs it.',
    fix: 'Drop it; owners and modes are given under `owners`.',
    check: matching(command('sudo|su|doas|fakeroot'), (where, found) => `${where} runs ${found}`),
  },
  {
    name: 'network-in-steps',
    severity: 'error',
    why: 'Steps have no network, so that a build gives the same result whenever it runs.',
    fix: 'Name what is fetched under `sources`.',
    check: matching(
      command(
        'curl|wget|git\\s+(?:clone|fetch|pull|submodule)|pip3?\\s+install|npm\\s+(?:install|ci)|cargo\\s+fetch|go\\s+(?:get|mod\\s+download)|svn|hg|rsync\\s+\\S*::\\S*',
      ),
      (where, found) => `${where} runs ${found}`,
    ),
  },
  {
    name: 'owners-in-steps',
    severity: 'warning',
    why: 'The sandbox knows one user, so owners that a step sets are lost.',
    fix: 'Name the paths under `owners`.',
    check: matching(command('chown|chgrp|setcap|mknod'), (where, found) => `${where} runs ${found}`),
  },
  {
    name: 'install-owner',
    severity: 'warning',
    why: '`install -o` and `-g` fail in the sandbox, where there is no other user.',
    fix: 'Drop the options and name the paths under `owners`.',
    check: matching(/\binstall\s(?:[^\n]*\s)?-[og]\s*\w/, (where) => `${where} installs with an owner`),
  },
  {
    name: 'destdir-missing',
    severity: 'warning',
    why: '`make install` without `DESTDIR` writes to the sandbox itself, so nothing arrives in the package.',
    fix: 'Write `make install DESTDIR="$DESTDIR"`, or what the Makefile calls it.',
    check: lines(
      ['install'],
      (line) =>
        /\b(?:make|ninja|meson|cmake)\b[^;&|]*\binstall\b/.test(line) &&
        !/DESTDIR|INSTALL_ROOT|INSTALLROOT|prefix=|PREFIX=|BUILDROOT|INSTALL_\w*PATH|CONFIG_PREFIX/.test(
          line,
        ),
      (where) => `${where} installs without DESTDIR`,
    ),
  },
  {
    name: 'prefix-missing',
    severity: 'warning',
    why: 'configure without `--prefix=/usr` installs into `/usr/local`.',
    fix: 'Add `--prefix=/usr`.',
    check: lines(
      ['prepare', 'build'],
      (line) => CONFIGURE.test(line) && !/--?prefix\b/.test(line),
      (where) => `${where} runs configure without --prefix`,
    ),
  },
  {
    name: 'host-missing',
    severity: 'warning',
    why: 'configure without `--host` believes that it builds for the machine it runs on, and tries programs that cannot run.',
    fix: 'Add `--build="$BUILD" --host="$HOST"`. A script that is not of autoconf takes `CC="$CC"` or `CHOST="$HOST"`.',
    check: lines(
      ['prepare', 'build'],
      (line) => CONFIGURE.test(line) && !/--host|\$HOST|\$CC|\$CROSS|CROSS_COMPILE/.test(line),
      (where) => `${where} runs configure without --host`,
    ),
  },
  {
    name: 'compiler-fixed',
    severity: 'warning',
    why: '`gcc`, `cc`, `ar` and `strip` by their plain names are those of the machine that builds, and make programs for it.',
    fix: 'Use `$CC`, `$AR`, `$RANLIB` and `$STRIP`, and `$BUILD_CC` for programs that run during the build.',
    check: matching(
      command('(?:gcc|g\\+\\+|cc|c\\+\\+|clang|ar|ranlib|strip)'),
      (where, found) => `${where} runs ${found}`,
    ),
  },
  {
    name: 'strip-in-steps',
    severity: 'style',
    why: 'The builder strips what was installed, reproducibly and for the right processor.',
    fix: 'Drop `make install-strip`, `install -s` and `$STRIP`.',
    check: matching(
      /\binstall-strip\b|\binstall\s+(?:-\w*\s+)*-\w*s\b|(?<!=["']?)\$\{?STRIP\b/,
      (where, found) => `${where} strips with ${found}`,
    ),
  },
  {
    name: 'error-ignored',
    severity: 'warning',
    why: 'A step that goes on after an error makes packages that lack something, and nobody is told.',
    fix: 'Let the step fail, or test for what may be missing.',
    check: matching(
      /\|\|\s*(?:true|:)(?=\s|$)|\bset\s+\+e\b|\bmake\s+(?:\S+\s+)*-k\b/m,
      (where, found) => `${where} ignores errors: ${found}`,
      /^(?!.*check$)/,
    ),
  },
  {
    name: 'check-ignored',
    severity: 'warning',
    why: 'A check whose failure does not matter checks nothing.',
    fix: 'Leave out the tests that cannot work, by name and with a comment, and let the others count.',
    check: matching(
      /\|\|\s*(?:true|:|echo)(?=\s|$)|\bset\s+\+e\b/m,
      (where, found) => `${where} ignores failures: ${found}`,
      /check$/,
    ),
  },
  {
    name: 'clock-in-steps',
    severity: 'warning',
    why: 'The time, the name of the machine and the like are different at the next build, and so are the bytes.',
    fix: 'Use `$SOURCE_DATE_EPOCH`: `date -u -d "@$SOURCE_DATE_EPOCH"`.',
    check: matching(
      /\$\(\s*(?:date(?![^)]*SOURCE_DATE_EPOCH)|hostname|whoami|uname\s+-[a-z]*[nrva])[^)]*\)/,
      (where, found) => `${where} asks for ${found}`,
    ),
  },
  {
    name: 'architecture-fixed',
    severity: 'style',
    why: 'A step for all architectures that names one of them is wrong for the other.',
    fix: 'Use `$ARCH` and `$HOST`, or `perArch`.',
    check: (view) =>
      matching(
        /\b(?:x86_64|amd64|aarch64|arm64)-(?:linux|unknown|pc|alpine)\S*/,
        (where, found) => `${where} names ${found}`,
        /^(?!perArch)/,
      )(view),
  },
  {
    name: 'libdir-multiarch',
    severity: 'warning',
    why: 'There are no folders such as `lib64` or `lib/x86_64-linux-gnu` here; nothing looks for libraries there.',
    fix: 'Configure with `--libdir=/usr/lib`.',
    check: matching(
      /\/lib(?:64|32|\/(?:x86_64|aarch64)-linux-\w+)\b/,
      (where, found) => `${where} names ${found}`,
    ),
  },
  {
    name: 'patch-in-steps',
    severity: 'style',
    why: 'A patch that a step applies is not listed, and its failure shows no hunk.',
    fix: 'List the file under `patches`.',
    check: matching(command('patch\\s+-\\S+|git\\s+apply'), (where, found) => `${where} runs ${found}`),
  },
];
