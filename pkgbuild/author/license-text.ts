/** Tells a licence by its text: by sentences that only it has. */

interface Fingerprint {
  readonly id: string;
  /** All of them, in any order, in lower case with single spaces; of the GNU licences, which name each other, in the title. */
  readonly phrases: readonly string[];
  /** None of them. */
  readonly without?: readonly string[];
}

const BSD = 'redistributions of source code must retain the above copyright';
const BINARY = 'redistributions in binary form must reproduce the above';
const ENDORSE = /neither the names? of|may be used to endorse|not be used to endorse/;

/** The first that fits counts, so what contains another stands before it. */
const FINGERPRINTS: readonly Fingerprint[] = [
  { id: 'AGPL-3.0', phrases: ['gnu affero general public license', 'version 3'] },
  { id: 'LGPL-3.0', phrases: ['gnu lesser general public license', 'version 3, 29 june 2007'] },
  { id: 'LGPL-2.1', phrases: ['gnu lesser general public license', 'version 2.1'] },
  { id: 'LGPL-2.0', phrases: ['gnu library general public license', 'version 2'] },
  { id: 'GPL-3.0', phrases: ['gnu general public license', 'version 3, 29 june 2007'] },
  { id: 'GPL-2.0', phrases: ['gnu general public license', 'version 2, june 1991'] },
  { id: 'Apache-2.0', phrases: ['apache license', 'version 2.0, january 2004'] },
  { id: 'MPL-2.0', phrases: ['mozilla public license', 'version 2.0'] },
  { id: 'BSL-1.0', phrases: ['boost software license - version 1.0'] },
  { id: 'Artistic-2.0', phrases: ['the artistic license 2.0'] },
  { id: 'Unlicense', phrases: ['this is free and unencumbered software released into the public domain'] },
  { id: 'CC0-1.0', phrases: ['creative commons', 'cc0 1.0 universal'] },
  { id: 'BSD-4-Clause', phrases: [BSD, BINARY, 'all advertising materials mentioning features'] },
  { id: 'Zlib', phrases: ['altered source versions must be plainly marked as such', "'as-is'"] },
  { id: 'Zlib', phrases: ['altered source versions must be plainly marked as such'] },
  {
    id: 'ISC',
    phrases: [
      'permission to use, copy, modify, and/or distribute this software for any purpose',
      'provided that the above copyright notice and this permission notice appear in all copies',
    ],
  },
  {
    id: 'ISC',
    phrases: [
      'permission to use, copy, modify, and distribute this software for any purpose',
      'provided that the above copyright notice and this permission notice appear in all copies',
    ],
  },
  {
    id: 'X11',
    phrases: ['permission is hereby granted, free of charge', 'shall not be used in advertising'],
  },
  {
    id: 'MIT-0',
    phrases: ['permission is hereby granted, free of charge', 'sublicense, and/or sell copies'],
    without: ['shall be included in all copies'],
  },
  {
    id: 'MIT',
    phrases: ['permission is hereby granted, free of charge', 'shall be included in all copies'],
  },
];

/** Texts that say "or any later version" only in the sources they come with. */
const GNU = /^(?:AGPL|LGPL|GPL)-/;
/** Letters that the title of a GNU licence is within. */
const TITLE = 300;

/**
 * The SPDX identifier of a licence text, `undefined` for one that is not known.
 * @param source text of a source file, which says whether a later version of a GNU licence may be taken
 */
export function recogniseLicense(text: string, source = ''): string | undefined {
  const words = normalise(text);
  const title = words.slice(0, TITLE);
  const found =
    FINGERPRINTS.find(
      ({ id, phrases, without }) =>
        phrases.every((phrase) => (GNU.test(id) ? title : words).includes(phrase)) &&
        without?.some((phrase) => words.includes(phrase)) !== true,
    )?.id ?? bsd(words);
  if (found === undefined || !GNU.test(found)) return found;
  return /any later version|or later/.test(normalise(source)) ? `${found}-or-later` : `${found}-only`;
}

function bsd(words: string): string | undefined {
  if (!words.includes(BSD) || !words.includes(BINARY)) return undefined;
  return ENDORSE.test(words) ? 'BSD-3-Clause' : 'BSD-2-Clause';
}

const normalise = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[“”"]/g, "'")
    .replaceAll(/(?:^|\n)[\s/*#;.-]*/g, ' ')
    .replaceAll(/\s+/g, ' ');
