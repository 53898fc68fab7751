/** The shell that puts sources in place. */
import { quote } from '../shell.ts';
import { BUILD_ROOT } from '../toolchain.ts';
import { DISTFILES, type ResolvedSource } from './resolve.ts';
import type { ExtractRules } from './schema.ts';

const SOURCE_FOLDER = `${BUILD_ROOT}/src`;
const DEB_FOLDER = `${BUILD_ROOT}/.deb`;

const ARCHIVE = /\.(?:tar(?:\.[a-z0-9]+)?|t[gx]z|tbz2?)$/;

/** Debian's own paperwork, which says nothing on a system without dpkg. */
const DEBIAN_NOISE = [
  './usr/share/lintian',
  './usr/share/bug',
  './usr/share/doc-base',
  './usr/share/reportbug',
];

/** Archives are unpacked inside the sandbox, because they come from outside like all else. */
export function unpackScript(sources: readonly ResolvedSource[]): string {
  const lines = sources.flatMap((source) => {
    const into = source.into === undefined ? defaultFolder(source) : `${SOURCE_FOLDER}/${source.into}`;
    return [`mkdir -p ${quote(into)}`, unpackOne(source, into)];
  });
  return [...lines, `chmod -R u+rwX ${SOURCE_FOLDER}`].join('\n');
}

/** A Debian package that is not put into a folder is installed as it is. */
const defaultFolder = (source: ResolvedSource): string =>
  source.kind === 'deb' && source.extract !== false ? `${BUILD_ROOT}/dest` : SOURCE_FOLDER;

function unpackOne(source: ResolvedSource, into: string): string {
  if (source.kind === 'local') {
    const from = quote(source.shownAt);
    return `if [ -d ${from} ]; then cp -R ${from}/. ${quote(into)}; else cp ${from} ${quote(into)}; fi`;
  }
  const file = quote(`${DISTFILES}/${source.file}`);
  const archive = source.kind === 'deb' || ARCHIVE.test(source.file);
  if (source.extract === false || !archive) return `cp ${file} ${quote(into)}`;
  const rules = source.extract === true ? {} : source.extract;
  if (source.kind === 'deb') return unpackDeb(file, into, rules);
  return tarCommand(file, into, { strip: 1, ...rules });
}

function tarCommand(file: string, into: string, { strip = 0, only = [], except = [] }: ExtractRules): string {
  const words = ['tar', '--no-same-owner', `--strip-components=${strip}`, '-C', quote(into)];
  words.push('--wildcards', '--anchored', '--no-wildcards-match-slash');
  for (const pattern of except) words.push(`--exclude=${quote(pattern)}`);
  return [...words, '-xf', file, ...only.map(quote)].join(' ');
}

/**
 * A `.deb` is an `ar` archive whose member `data.tar.*` holds the files (deb(5)). What dpkg's scripts would do is not
 * done. The licence becomes a file of the source folder, where the texts for all packages are collected; other
 * documents of Debian's own stay behind.
 */
function unpackDeb(file: string, into: string, rules: ExtractRules): string {
  const below = (patterns: readonly string[]): string[] =>
    patterns.map((pattern) => `./${pattern.replace(/^\.?\//, '')}`);
  const data = `${DEB_FOLDER}/data.tar`;
  const unpack = tarCommand(data, into, {
    strip: rules.strip ?? 0,
    only: below(rules.only ?? []),
    except: [...below(rules.except ?? []), ...DEBIAN_NOISE],
  });
  const licence = tarCommand(data, into, { only: ['./usr/share/doc/*/copyright'] });
  return `mkdir ${DEB_FOLDER}
ar p ${file} "$(ar t ${file} | grep '^data\\.tar')" > ${data}
${unpack}
${rules.only === undefined ? '' : `${licence} 2> ${DEB_FOLDER}/log || :`}
for licence in ${quote(into)}/usr/share/doc/*/copyright; do
  if [ -L "$licence" ] || [ ! -f "$licence" ]; then continue; fi
  mv "$licence" "${SOURCE_FOLDER}/copyright-$(basename "$(dirname "$licence")")"
done
rm -rf ${DEB_FOLDER} ${quote(into)}/usr/share/doc`;
}
