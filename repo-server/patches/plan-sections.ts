/** Cuts the content that a patch carries into sections, and chooses what of the old package each is made with. */
import type { Manifest, RegularFile } from '#schema/manifest';
import { neededFiles, sourceFiles, type Piece } from '#schema/patch/format';
import { matchFiles, type OldFile } from './match-files.ts';

/** Content of one section; it bounds the memory that making and applying take. */
const SECTION_BYTES = 8 * 1024 * 1024;
/** Of a file that is cut, what surrounds the same place in the old file comes along, because content moves. */
const MARGIN = 2 * 1024 * 1024;
const MOST_DICTIONARY = 16 * 1024 * 1024;

/** A run of bytes of one file of the new package. */
export interface Span {
  readonly file: RegularFile;
  readonly start: number;
  readonly size: number;
}

export interface PlannedSection {
  readonly spans: readonly Span[];
  readonly pieces: readonly Piece[];
  /** Bytes of the spans, and of the pieces. */
  readonly size: number;
  readonly dictionarySize: number;
}

export function planSections(from: Manifest, to: Manifest): PlannedSection[] {
  const match = matchFiles(sourceFiles(from));
  const carried = neededFiles(from, to).flatMap(({ file, same }) => (same === undefined ? [file] : []));
  return cut(carried).map((spans) => {
    const pieces = piecesFor(spans, match);
    const size = spans.reduce((sum, span) => sum + span.size, 0);
    return { spans, pieces, size, dictionarySize: pieces.reduce((sum, [, , length]) => sum + length, 0) };
  });
}

function cut(files: readonly RegularFile[]): readonly Span[][] {
  const sections: Span[][] = [];
  let room = 0;
  for (const file of files) {
    for (let start = 0; start < file.size;) {
      if (room === 0) {
        sections.push([]);
        room = SECTION_BYTES;
      }
      const size = Math.min(file.size - start, room);
      sections.at(-1)?.push({ file, start, size });
      start += size;
      room -= size;
    }
  }
  return sections;
}

function piecesFor(spans: readonly Span[], match: (file: RegularFile) => OldFile | undefined): Piece[] {
  const pieces: Piece[] = [];
  const taken = new Set<number>();
  let room = MOST_DICTIONARY;
  for (const span of spans) {
    const old = match(span.file);
    if (old === undefined || taken.has(old.place)) continue;
    taken.add(old.place);
    const [start, end] = counterpart(span, old.file.size);
    const size = Math.min(end - start, room);
    if (size > 0) pieces.push([old.place, start, size]);
    room -= size;
  }
  return pieces;
}

/** Where in a file of `oldSize` bytes the content of a span is likely to be. */
function counterpart({ file, start, size }: Span, oldSize: number): readonly [number, number] {
  if (size === file.size) return [0, oldSize];
  const scale = oldSize / file.size;
  return [
    Math.max(0, Math.floor(start * scale) - MARGIN),
    Math.min(oldSize, Math.ceil((start + size) * scale) + MARGIN),
  ];
}
