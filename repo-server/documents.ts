/** Documents that lie beside a package file: bills of materials and provenance, taken in along with it. */
import * as fs from 'node:fs';
import { parseJson } from '#schema/canonical-json';
import { sha256 } from '#schema/digest';
import { DOCUMENT_SUFFIX, DOCUMENT_TYPES, MAX_DOCUMENT_BYTES, type PackageDocument } from '#schema/document';
import { readEnvelope } from '#schema/dsse';
import { IcepkgError } from '#schema/error';
import { decodeStatement } from '#schema/provenance';

export interface FoundDocument {
  readonly file: string;
  readonly record: PackageDocument;
}

/**
 * Finds the documents of a package file and checks that they can be read and that the provenance is of this package.
 * @param of where the package belongs in the repository, and its digest
 * @throws IcepkgError `package-corrupt` or `format-invalid`
 */
export function documentsBeside(
  packageFile: string,
  of: { readonly path: string; readonly sha256: string },
): FoundDocument[] {
  return DOCUMENT_TYPES.flatMap((type): FoundDocument[] => {
    const file = `${packageFile}${DOCUMENT_SUFFIX[type]}`;
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    if (!stat.isFile() || stat.size > MAX_DOCUMENT_BYTES)
      throw new IcepkgError('format-invalid', `${file}: no document of at most ${MAX_DOCUMENT_BYTES} bytes`, {
        hint: 'Move it away, or build the package again',
      });
    const bytes = fs.readFileSync(file);
    if (type === 'provenance') checkSubject(bytes, file, of.sha256);
    else parseJson(bytes, file);
    const path = `${of.path}${DOCUMENT_SUFFIX[type]}`;
    return [{ file, record: { type, path, size: bytes.length, sha256: sha256(bytes) } }];
  });
}

function checkSubject(bytes: Uint8Array, file: string, packageSha256: string): void {
  const { subject } = decodeStatement(readEnvelope(bytes, file).payload, file);
  if (subject.some(({ digest }) => digest['sha256'] === packageSha256)) return;
  throw new IcepkgError('package-corrupt', `${file}: says how another package was made`, {
    hint: 'Build the package again: icepkg build writes both; or move the document away',
  });
}
