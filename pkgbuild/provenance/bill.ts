/** What a bill of materials says, in whichever format: read from a package file and what is known of its build. */
import * as crypto from 'node:crypto';
import type { Manifest } from '#schema/manifest';
import { withPackage } from '../package-content.ts';
import type { Material } from './materials.ts';

export interface BillFile {
  readonly path: string;
  readonly sha1: string;
  readonly sha256: string;
}

export interface Bill {
  readonly manifest: Manifest;
  /** Name and digest of the package file. */
  readonly file: string;
  readonly sha256: string;
  /** Every regular file, a hard link too, in the manifest's order. */
  readonly files: readonly BillFile[];
  readonly materials: readonly Material[];
  /** What the recipe says for finding vulnerabilities. */
  readonly cpe: string | undefined;
  readonly purl: string | undefined;
  /** Version of icepkg. */
  readonly builderVersion: string;
  /** ISO 8601, from SOURCE_DATE_EPOCH. */
  readonly created: string;
}

/** Every file of the package with its digests. SPDX asks for SHA-1 as well. */
export function billFiles(packageFile: string): { readonly manifest: Manifest; readonly files: BillFile[] } {
  return withPackage(packageFile, (content) => {
    const { manifest } = content;
    const known = new Map<string, BillFile>();
    for (const entry of manifest.files) {
      if (entry.type !== 'file') continue;
      const sha1 = crypto.hash('sha1', content.read(entry), 'hex');
      known.set(entry.path, { path: entry.path, sha1, sha256: entry.sha256 });
    }
    const files = manifest.files.flatMap((entry) => {
      const target = known.get(entry.type === 'hardlink' ? entry.target : entry.path);
      return target === undefined ? [] : [{ ...target, path: entry.path }];
    });
    return { manifest, files };
  });
}

export const isoTime = (seconds: number): string =>
  new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/** A UUID made of a digest (RFC 9562, version 8): the same content has the same name. */
export function contentUuid(content: string): string {
  const hex = crypto.hash('sha256', content, 'hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Licences of an expression that are in no list: their text is in the package. */
export const licenseRefs = (expression: string): string[] => [
  ...new Set(expression.match(/\bLicenseRef-[A-Za-z0-9.-]+/g) ?? []),
];
