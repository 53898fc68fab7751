/** Documents that lie beside a package file: bills of materials and provenance, taken in along with it. */
import * as fs from 'node:fs';
import { parseJson } from '#schema/canonical-json';
import { sha256 } from '#schema/digest';
import {
  DOCUMENT_SUFFIX,
  DOCUMENT_TYPES,
  MAX_DOCUMENT_BYTES,
  type DocumentType,
  type PackageDocument,
} from '#schema/document';
import { envelopeSigners, readEnvelope } from '#schema/dsse';
import { IcepkgError } from '#schema/error';
import type { PublicKey } from '#schema/keys';
import { decodeStatement } from '#schema/provenance';

export interface FoundDocument {
  readonly file: string;
  readonly record: PackageDocument;
}

export interface DocumentedPackage {
  /** Where it belongs in the repository. */
  readonly path: string;
  readonly sha256: string;
  /** Where given, one of these must have signed the provenance, and that must name the bills of materials. */
  readonly trustedKeys?: readonly PublicKey[] | undefined;
}

/**
 * Finds the documents of a package file and checks that they can be read and that the provenance is of this package.
 * @throws IcepkgError `package-corrupt`, `format-invalid`, or `package-unsigned` where none of the trusted keys signed them
 */
export function documentsBeside(packageFile: string, of: DocumentedPackage): FoundDocument[] {
  const found = DOCUMENT_TYPES.flatMap((type) => readDocument(packageFile, type));
  const documents = found.map(({ type, file, bytes }): FoundDocument => {
    const path = `${of.path}${DOCUMENT_SUFFIX[type]}`;
    return { file, record: { type, path, size: bytes.length, sha256: sha256(bytes) } };
  });
  const provenance = found.find(({ type }) => type === 'provenance');
  if (provenance !== undefined) checkSubject(provenance, of.sha256);
  for (const { type, file, bytes } of found) if (type !== 'provenance') parseJson(bytes, file);
  if (of.trustedKeys !== undefined) checkSigned(documents, provenance, of.trustedKeys);
  return documents;
}

interface Document {
  readonly type: DocumentType;
  readonly file: string;
  readonly bytes: Uint8Array;
}

function readDocument(packageFile: string, type: DocumentType): Document[] {
  const file = `${packageFile}${DOCUMENT_SUFFIX[type]}`;
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isFile() || stat.size > MAX_DOCUMENT_BYTES)
    throw new IcepkgError('format-invalid', `${file}: no document of at most ${MAX_DOCUMENT_BYTES} bytes`, {
      hint: 'Move it away, or build the package again',
    });
  return [{ type, file, bytes: fs.readFileSync(file) }];
}

function checkSubject({ bytes, file }: Document, packageSha256: string): void {
  const { subject } = decodeStatement(readEnvelope(bytes, file).payload, file);
  if (subject.some(({ digest }) => digest['sha256'] === packageSha256)) return;
  throw new IcepkgError('package-corrupt', `${file}: says how another package was made`, {
    hint: 'Build the package again: icepkg build writes both; or move the document away',
  });
}

/** A bill of materials bears no signature: the provenance says by its digest which one it is. */
function checkSigned(
  documents: readonly FoundDocument[],
  provenance: Document | undefined,
  trustedKeys: readonly PublicKey[],
): void {
  const vouched = provenance === undefined ? [] : vouchedFor(provenance, trustedKeys);
  const stray = documents.find(
    ({ record }) => record.type !== 'provenance' && !vouched.includes(record.sha256),
  );
  if (stray === undefined) return;
  throw new IcepkgError('package-unsigned', `${stray.file}: no provenance that is signed names it`, {
    hint: 'Bring the documents as icepkg build --key wrote them, all of one build',
  });
}

/** Digests of what came out of the build beside the package. @throws IcepkgError `package-unsigned` */
function vouchedFor({ bytes, file }: Document, trustedKeys: readonly PublicKey[]): (string | undefined)[] {
  const envelope = readEnvelope(bytes, file);
  if (envelopeSigners(envelope, trustedKeys).length === 0)
    throw new IcepkgError('package-unsigned', `${file}: none of the trusted keys signed it`, {
      hint: 'Sign it when building, with --key, or name the key that did with --trust',
    });
  const { byproducts = [] } = decodeStatement(envelope.payload, file).predicate.runDetails;
  return byproducts.map(({ digest }) => digest?.['sha256']);
}
