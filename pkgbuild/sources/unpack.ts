/** The shell that puts sources in place. */
import { quote } from '../shell.ts';
import { BUILD_ROOT } from '../toolchain.ts';
import type { Source } from './schema.ts';

/** Where sources and the recipe's own files are shown inside the sandbox. */
export const DISTFILES = `${BUILD_ROOT}/distfiles`;
export const RECIPE_FOLDER = `${BUILD_ROOT}/recipe`;
const SOURCE_FOLDER = `${BUILD_ROOT}/src`;

const ARCHIVE = /\.(?:tar(?:\.[a-z0-9]+)?|t[gx]z|tbz2?)$/;

/** Archives are unpacked inside the sandbox, because they come from outside like all else. */
export function unpackScript(sources: readonly Source[]): string {
  const lines: string[] = [];
  for (const source of sources) {
    const into = quote(source.into === undefined ? SOURCE_FOLDER : `${SOURCE_FOLDER}/${source.into}`);
    lines.push(`mkdir -p ${into}`);
    if ('path' in source) {
      const from = `${RECIPE_FOLDER}/${source.path}`;
      lines.push(
        `if [ -d ${quote(from)} ]; then cp -R ${quote(`${from}/.`)} ${into}; else cp ${quote(from)} ${into}; fi`,
      );
    } else if (source.extract !== false && ARCHIVE.test(source.file))
      lines.push(
        `tar --no-same-owner --strip-components=1 -C ${into} -xf ${quote(`${DISTFILES}/${source.file}`)}`,
      );
    else lines.push(`cp ${quote(`${DISTFILES}/${source.file}`)} ${into}`);
  }
  return [...lines, `chmod -R u+rwX ${SOURCE_FOLDER}`].join('\n');
}
