/**
 * Globs over whole paths: `*` stands for anything, slashes included, `?` for one character. `!` in front takes back
 * what an earlier glob matched.
 */
export function openGlobs(globs: readonly string[]): (path: string) => boolean {
  const rules = globs.map((glob) => {
    const isBack = glob.startsWith('!');
    return { is: !isBack, pattern: (isBack ? glob.slice(1) : glob).replace(/^\//, '') };
  });
  return (path) => rules.findLast(({ pattern }) => matches(pattern, path))?.is ?? false;
}

/** Goes back to the last `*` only, so that no pattern takes longer than its length times that of the path. */
function matches(pattern: string, path: string): boolean {
  let at = 0;
  let star = -1;
  /** Up to where that star has swallowed the path. */
  let swallowed = 0;
  for (let index = 0; index < path.length;) {
    const sign = pattern[at];
    if (sign === '*') {
      star = at++;
      swallowed = index;
    } else if (sign !== undefined && (sign === '?' || sign === path[index])) {
      at += 1;
      index += 1;
    } else if (star !== -1) {
      at = star + 1;
      index = ++swallowed;
    } else return false;
  }
  return /^\**$/.test(pattern.slice(at));
}
