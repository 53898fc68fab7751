/** Licences by the names that people write, and what SPDX calls them. */
import { nearest } from '#schema/nearest';
import { isLicenseExpression } from './license-expression.ts';

/** Those of SPDX's list that turn up, but for the GNU ones, which are composed. */
export const COMMON_LICENSES: readonly string[] = [
  '0BSD Apache-2.0 Artistic-2.0 BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-4-Clause BSL-1.0 CC-BY-3.0 CC-BY-4.0',
  'CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 ISC Libpng MIT MIT-0 MPL-1.1 MPL-2.0 NCSA OFL-1.1 OpenSSL PostgreSQL Unlicense',
  'Unicode-DFS-2016 WTFPL X11 Zlib curl FTL HPND BSD-4-Clause-UC IPL-1.0 AFL-2.1',
].flatMap((line) => line.split(' '));

/** Licences as they were called before SPDX, lower case. */
export const LICENSE_NAMES: Readonly<Record<string, string>> = {
  agpl3: 'AGPL-3.0-only',
  'agpl-3': 'AGPL-3.0-only',
  apache: 'Apache-2.0',
  apache2: 'Apache-2.0',
  'apache-2': 'Apache-2.0',
  'apache license 2.0': 'Apache-2.0',
  artistic: 'Artistic-1.0-Perl',
  'artistic2.0': 'Artistic-2.0',
  'asl 2.0': 'Apache-2.0',
  boost: 'BSL-1.0',
  'bsd-2': 'BSD-2-Clause',
  'bsd-3': 'BSD-3-Clause',
  bsd2: 'BSD-2-Clause',
  bsd3: 'BSD-3-Clause',
  'bsd-2-clause-freebsd': 'BSD-2-Clause',
  cc0: 'CC0-1.0',
  cddl: 'CDDL-1.0',
  cpl: 'CPL-1.0',
  epl: 'EPL-1.0',
  expat: 'MIT',
  'fdl1.3': 'GFDL-1.3-only',
  gpl1: 'GPL-1.0-only',
  gpl2: 'GPL-2.0-only',
  'gpl-2': 'GPL-2.0-only',
  gplv2: 'GPL-2.0-only',
  'gpl2+': 'GPL-2.0-or-later',
  'gplv2+': 'GPL-2.0-or-later',
  gpl3: 'GPL-3.0-only',
  'gpl-3': 'GPL-3.0-only',
  gplv3: 'GPL-3.0-only',
  'gpl3+': 'GPL-3.0-or-later',
  'gplv3+': 'GPL-3.0-or-later',
  lgpl2: 'LGPL-2.0-only',
  'lgpl2+': 'LGPL-2.0-or-later',
  'lgpl2.1': 'LGPL-2.1-only',
  'lgpl-2.1': 'LGPL-2.1-only',
  'lgpl2.1+': 'LGPL-2.1-or-later',
  'lgplv2.1+': 'LGPL-2.1-or-later',
  lgpl3: 'LGPL-3.0-only',
  'lgpl3+': 'LGPL-3.0-or-later',
  mpl: 'MPL-1.1',
  mpl2: 'MPL-2.0',
  ofl: 'OFL-1.1',
  perl: 'Artistic-1.0-Perl OR GPL-1.0-or-later',
  psf: 'Python-2.0',
  'public domain': 'LicenseRef-public-domain',
  'public-domain': 'LicenseRef-public-domain',
  w3c: 'W3C',
  zlib: 'Zlib',
};

/** What is likely meant by a name that says a family only. */
const LIKELY: Readonly<Record<string, string>> = {
  gpl: 'GPL-2.0-or-later',
  lgpl: 'LGPL-2.1-or-later',
  agpl: 'AGPL-3.0-or-later',
  bsd: 'BSD-3-Clause',
};

/** The SPDX expression that a text was probably meant to be. */
export function nearLicense(text: string): string | undefined {
  const words = text.split(/([()]|\s+(?:and|or|with)\s+)/i).map((word) => word.trim());
  const terms = words.map((word) =>
    /^(?:|[()]|and|or|with)$/i.test(word) ? word.toUpperCase() : nearTerm(word),
  );
  const meant = terms
    .filter((term) => term !== '')
    .join(' ')
    .replaceAll('( ', '(')
    .replaceAll(' )', ')');
  return isLicenseExpression(meant) ? meant : undefined;
}

/** One licence; what is not recognised comes back as it is. */
function nearTerm(word: string): string {
  if (isLicenseExpression(word)) return word;
  const lower = word.toLowerCase();
  return (
    LICENSE_NAMES[lower] ??
    gnuLicense(lower) ??
    LIKELY[plain(word)] ??
    COMMON_LICENSES.find((one) => plain(one) === plain(word)) ??
    nearest(word, COMMON_LICENSES) ??
    word
  );
}

/** `gpl v2`, `lgplv2.1+`, `gpl-3.0 or newer`. */
function gnuLicense(lower: string): string | undefined {
  const found =
    /^(?:gnu )?([al]?gpl|gfdl)[-_ ]?v?(?:ersion )?(\d)(?:\.(\d))?(?:\.0)?[-_ ]?(\+|or[-_ ]?(?:later|newer))?(?:only)?$/.exec(
      lower,
    );
  if (found === null) return undefined;
  const [, name = '', major = '', minor = '0', later] = found;
  return `${name.toUpperCase()}-${major}.${minor}-${later === undefined ? 'only' : 'or-later'}`;
}

const plain = (name: string): string =>
  name.toLowerCase().replaceAll(/\bthe\b|licen[sc]e|version|\bv(?=\d)|[\s,_-]/g, '');
