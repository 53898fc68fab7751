/**
 * Globs over whole paths: `*` stands for anything, slashes included, `?` for one character. `!` in front takes back
 * what an earlier glob matched.
 */
export function openGlobs(globs: readonly string[]): (path: string) => boolean {
  const rules = globs.map((glob) => {
    const isBack = glob.startsWith('!');
    return { is: !isBack, pattern: patternOf(isBack ? glob.slice(1) : glob) };
  });
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.is ?? false;
}

function patternOf(glob: string): RegExp {
  const pattern = glob
    .replace(/^\//, '')
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^(?:${pattern})$`, 's');
}
