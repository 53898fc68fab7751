/** The version of icepkg that builds. */
import * as fs from 'node:fs';

/** Looks in the folders above this file, because the program may be bundled. */
export function icepkgVersion(): string {
  let folder = new URL('./', import.meta.url);
  for (;;) {
    const file = new URL('package.json', folder);
    if (fs.existsSync(file)) {
      const { name, version } = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
      if (name === 'icepkg' && typeof version === 'string') return version;
    }
    const above = new URL('../', folder);
    if (above.href === folder.href) throw new Error('package.json of icepkg is missing');
    folder = above;
  }
}
