/** Globs over whole paths: `*` stands for anything, slashes included, `?` for one character. */
export function matchesGlob(path: string, glob: string): boolean {
  const pattern = glob
    .replace(/^\//, '')
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^(?:${pattern})$`, 's').test(path);
}
