/** Makes one patch from two package files. The same packages give the same bytes. */
import * as fs from 'node:fs';
import { canonicalJson } from '#schema/canonical-json';
import { openDecoder, openEncoder } from '#schema/container/codec';
import { PackageContents } from '#schema/container/contents';
import { openPackage } from '#schema/container/open';
import type { PackageHeader } from '#schema/container/read';
import { readWholeHeader } from '#schema/container/verify';
import { headerTar } from '#schema/container/write';
import { dictionaryOf, openPatchEncoder, type PatchEncoder } from '#schema/patch/codec';
import { sourceFiles, type PatchHead } from '#schema/patch/format';
import { planSections, type PlannedSection } from './plan-sections.ts';

export interface PatchRequest {
  /** Paths of packages. */
  readonly from: string;
  readonly to: string;
  /** The file to write; what it is put together from lies beside meanwhile, as `.sections.part`. */
  readonly output: string;
  /** A patch that would be larger is given up. */
  readonly mostBytes: number;
}

/**
 * Writes the patch, unless it would be larger than it may be.
 * @returns whether there is one
 * @throws IcepkgError `package-corrupt`
 */
export type MakePatch = (request: PatchRequest) => Promise<boolean>;

/** For any number of patches one after the other. Memory is bounded by sections, not by packages. */
export function openPatchMaker(): MakePatch {
  const encoder = openPatchEncoder();
  return async (request) => makePatch(encoder, request);
}

async function makePatch(
  encoder: PatchEncoder,
  { from, to, output, mostBytes }: PatchRequest,
): Promise<boolean> {
  const [old, next] = [openContents(from), openContents(to)];
  const aside = `${output}.sections.part`;
  const sections = fs.openSync(aside, 'w+');
  try {
    const written = writeSections(sections, encoder, { old, next, mostBytes });
    if (written === undefined) return false;
    const head = await openEncoder('zstd', HEAD_LEVEL).encode(canonicalJson(written.head));
    if (head.length + written.size > mostBytes) return false;
    assemble(output, head, sections);
    return true;
  } finally {
    fs.closeSync(sections);
    fs.rmSync(aside, { force: true });
    fs.closeSync(old.fd);
    fs.closeSync(next.fd);
  }
}

const HEAD_LEVEL = 19;

interface Opened {
  readonly fd: number;
  readonly header: PackageHeader;
  readonly contents: PackageContents;
}

function openContents(file: string): Opened {
  const { header } = readWholeHeader(file);
  const fd = openPackage(file);
  const source = { fd, headerSize: header.headerSize, decoder: openDecoder(header.codec), what: file };
  return { fd, header, contents: new PackageContents(source, header.manifest.frames) };
}

interface Pair {
  readonly old: Opened;
  readonly next: Opened;
  readonly mostBytes: number;
}

/** @returns `undefined` as soon as they take more than they may */
function writeSections(
  fd: number,
  encoder: PatchEncoder,
  { old, next, mostBytes }: Pair,
): { readonly head: PatchHead; readonly size: number } | undefined {
  let size = 0;
  const write = (dictionary: Uint8Array, bytes: Uint8Array): number => {
    const compressed = encoder.encode(dictionary, bytes);
    for (let done = 0; done < compressed.length;) done += fs.writeSync(fd, compressed, done);
    size += compressed.length;
    return compressed.length;
  };
  const header = headerTar(next.header.manifestBytes, next.header.signatures);
  const headerSize = write(manifestDictionary(old.header.manifestBytes), header);
  const sections: PatchHead['sections'] = [];
  for (const planned of planSections(old.header.manifest, next.header.manifest)) {
    if (size > mostBytes) return undefined;
    const compressed = write(dictionaryFor(planned, old), contentOf(planned, next));
    sections.push({ size: compressed, uncompressedSize: planned.size, pieces: [...planned.pieces] });
  }
  const head: PatchHead = {
    format: 1,
    from: old.header.manifestSha256,
    to: next.header.manifestSha256,
    header: { size: headerSize, uncompressedSize: header.length },
    sections,
  };
  return { head, size };
}

function manifestDictionary(manifest: Uint8Array): Uint8Array {
  const { dictionary, content } = dictionaryOf(manifest.length);
  content.set(manifest);
  return dictionary;
}

function dictionaryFor({ pieces, dictionarySize }: PlannedSection, { header, contents }: Opened): Uint8Array {
  const { dictionary, content } = dictionaryOf(dictionarySize);
  const sources = sourceFiles(header.manifest);
  let at = 0;
  for (const [place, start, size] of pieces) {
    const file = sources.get(place);
    if (file !== undefined) contents.read(file, start, content.subarray(at, at + size));
    at += size;
  }
  return dictionary;
}

function contentOf({ spans, size }: PlannedSection, { contents }: Opened): Uint8Array {
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const span of spans) {
    contents.read(span.file, span.start, bytes.subarray(at, at + span.size));
    at += span.size;
  }
  return bytes;
}

const PIECE = 1024 * 1024;

function assemble(output: string, head: Uint8Array, sections: number): void {
  const room = Buffer.allocUnsafe(PIECE);
  const fd = fs.openSync(output, 'w', 0o644);
  const write = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length;) done += fs.writeSync(fd, bytes, done);
  };
  try {
    write(head);
    for (let at = 0, size = -1; size !== 0; at += size) {
      size = fs.readSync(sections, room, 0, PIECE, at);
      write(room.subarray(0, size));
    }
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
