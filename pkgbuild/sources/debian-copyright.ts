/** The licence that a `debian/copyright` file states, where it has the machine-readable format (DEP-5), in SPDX's words. */
import { COMMON_LICENSES } from '../license-names.ts';

export interface DebianLicense {
  /** All licences of the files, joined by AND; `undefined` where the file is prose or names no licence. */
  readonly expression: string | undefined;
  /** Short names that SPDX does not have; they are `LicenseRef-NAME` in the expression. */
  readonly unmapped: readonly string[];
}

/** Debian's short names, lower case, that are not SPDX's already. */
const SPDX: Readonly<Record<string, string>> = {
  apache: 'Apache-2.0',
  'apache-2': 'Apache-2.0',
  'artistic-1': 'Artistic-1.0-Perl',
  'artistic-2': 'Artistic-2.0',
  artistic: 'Artistic-1.0-Perl',
  'bsd-2': 'BSD-2-Clause',
  'bsd-2-clauses': 'BSD-2-Clause',
  'bsd-3': 'BSD-3-Clause',
  'bsd-4': 'BSD-4-Clause',
  'boost-1.0': 'BSL-1.0',
  cc0: 'CC0-1.0',
  expat: 'MIT',
  mit: 'MIT',
  'mit/x11': 'MIT',
  'public-domain': 'LicenseRef-PublicDomain',
  'python-2.0': 'Python-2.0',
  x11: 'X11',
  zlib: 'Zlib',
};

export function readDebianCopyright(text: string): DebianLicense {
  const stanzas = text.split(/\n\s*\n/).map(readStanza);
  const [header] = stanzas;
  if (!/copyright-format|dep-?5/i.test(header?.get('format') ?? header?.get('format-specification') ?? ''))
    return { expression: undefined, unmapped: [] };
  const unmapped = new Set<string>();
  const names = stanzas
    // What the packagers wrote is not in the package.
    .filter((stanza) => stanza.has('files') && !/^debian\/\S*$/.test(stanza.get('files') ?? ''))
    .map((stanza) => (stanza.get('license') ?? '').split('\n')[0]?.trim() ?? '')
    .filter((name) => name !== '');
  const all = [...new Set(names)].map((name) => toExpression(name, unmapped));
  const conjuncts = all.flatMap((one) => (/[()]| OR /.test(one) ? [one] : one.split(' AND ')));
  const parts = [...new Set(conjuncts)].sort();
  const joined = parts.map((part) => (parts.length > 1 && part.includes(' OR ') ? `(${part})` : part));
  return {
    expression: joined.length === 0 ? undefined : joined.join(' AND '),
    unmapped: [...unmapped].sort(),
  };
}

/** Fields of a stanza by lower-case name; the lines of a value are joined by line feeds. */
function readStanza(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z][A-Za-z-]*):\s*(.*)$/.exec(line);
    if (match !== null) {
      name = (match[1] ?? '').toLowerCase();
      fields.set(name, match[2] ?? '');
    } else if (name !== '') fields.set(name, `${fields.get(name) ?? ''}\n${line.trim()}`.trim());
  }
  return fields;
}

/** `GPL-2+ or Artistic, and BSD-3-clause`: a comma before `and` binds weaker than `or`. */
function toExpression(text: string, unmapped: Set<string>): string {
  const conjunctions = text.split(/,\s*and\s+/i).map((part) => {
    const alternatives = part.split(/\s*,?\s+or\s+/i).map((alternative) => {
      const all = alternative.split(/\s+and\s+|,\s*/i).map((name) => toIdentifier(name.trim(), unmapped));
      return all.join(' AND ');
    });
    return alternatives.length > 1
      ? alternatives.map((one) => (one.includes(' AND ') ? `(${one})` : one)).join(' OR ')
      : (alternatives[0] ?? '');
  });
  return conjunctions
    .map((part) => (conjunctions.length > 1 && part.includes(' OR ') ? `(${part})` : part))
    .join(' AND ');
}

function toIdentifier(name: string, unmapped: Set<string>): string {
  const gnu = /^(AGPL|LGPL|GPL|GFDL)-?v?(\d(?:\.\d)?)(\+|-or-later|-only)?$/i.exec(name);
  if (gnu !== null) {
    const version = gnu[2]?.includes('.') === true ? gnu[2] : `${gnu[2] ?? ''}.0`;
    const later = gnu[3] === '+' || gnu[3]?.toLowerCase() === '-or-later';
    return `${(gnu[1] ?? '').toUpperCase()}-${version}-${later ? 'or-later' : 'only'}`;
  }
  const plain = name.replace(/-clause$/i, '-Clause');
  const known =
    COMMON_LICENSES.find((one) => one.toLowerCase() === plain.toLowerCase()) ?? SPDX[name.toLowerCase()];
  if (known !== undefined) return known;
  unmapped.add(name);
  return `LicenseRef-${name.replaceAll(/[^A-Za-z0-9.]+/g, '-').replaceAll(/^-|-$/g, '')}`;
}
