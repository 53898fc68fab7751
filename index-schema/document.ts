/** Documents that lie beside a package: what is in it, and how it was made. */
import type { PackageRecord } from './index-shard.ts';

export type PackageDocument = NonNullable<PackageRecord['documents']>[number];

/** What icepkg writes and reads, and what each file is called beside `NAME-VERSION-rN.ARCH.icepkg`. */
export const DOCUMENT_SUFFIX = {
  'spdx-2.3': '.spdx.json',
  'spdx-3.0.1': '.spdx3.json',
  provenance: '.intoto.jsonl',
} as const;

export type DocumentType = keyof typeof DOCUMENT_SUFFIX;

export const DOCUMENT_TYPES = Object.keys(DOCUMENT_SUFFIX) as DocumentType[];

/** No document is longer; one of a package with 100,000 files has about 60 MB. */
export const MAX_DOCUMENT_BYTES = 256 * 1024 * 1024;
