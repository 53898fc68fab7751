/** Holds an SPDX 2.3 bill of materials against the manifest of a package. */
import * as v from 'valibot';
import { parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { IcepkgError } from '#schema/error';
import type { Manifest } from '#schema/manifest';

const Checksums = v.optional(
  v.array(
    v.looseObject({ algorithm: v.string(), checksumValue: v.string() }),
    'expected a list of checksums',
  ),
);
const BillSchema = v.looseObject({
  spdxVersion: v.literal('SPDX-2.3', 'expected SPDX-2.3'),
  packages: v.array(
    v.looseObject({ SPDXID: v.string(), checksums: Checksums }),
    'expected a list of packages',
  ),
  files: v.optional(v.array(v.looseObject({ fileName: v.string(), checksums: Checksums }))),
  relationships: v.optional(
    v.array(
      v.looseObject({
        spdxElementId: v.string(),
        relationshipType: v.string(),
        relatedSpdxElement: v.string(),
      }),
    ),
  ),
});

/** Files that one problem names. */
const NAMED = 3;

/** What the document says that is not so, one sentence each. */
export function billProblems(bytes: Uint8Array, manifest: Manifest, packageSha256: string): string[] {
  let bill: v.InferOutput<typeof BillSchema>;
  try {
    bill = decode(BillSchema, parseJson(bytes, 'bill of materials'), 'bill of materials');
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    return [`its ${error.message}`];
  }
  const problems: string[] = [];
  const described = new Set(
    (bill.relationships ?? [])
      .filter(({ relationshipType }) => relationshipType === 'DESCRIBES')
      .map(({ relatedSpdxElement }) => relatedSpdxElement),
  );
  if (!bill.packages.some((one) => described.has(one.SPDXID) && sha256Of(one.checksums) === packageSha256))
    problems.push('its bill of materials describes another package');
  const listed = new Map(
    (bill.files ?? []).map((one) => [one.fileName.replace(/^\.?\//, ''), sha256Of(one.checksums)]),
  );
  const files = manifest.files.filter(({ type }) => type === 'file' || type === 'hardlink');
  const digests = new Map(
    manifest.files.flatMap((one) => (one.type === 'file' ? [[one.path, one.sha256]] : [])),
  );
  const wrong = files.filter((one) => {
    const at = one.type === 'hardlink' ? one.target : one.path;
    return listed.get(one.path) !== digests.get(at);
  });
  if (wrong.length > 0)
    problems.push(`its bill of materials has other content for ${some(wrong.map(({ path }) => path))}`);
  const held = new Set(files.map(({ path }) => path));
  const extra = [...listed.keys()].filter((path) => !held.has(path));
  if (extra.length > 0)
    problems.push(`its bill of materials lists ${some(extra)}, which the package has not`);
  return problems;
}

const sha256Of = (
  checksums: readonly { readonly algorithm: string; readonly checksumValue: string }[] | undefined,
): string | undefined => checksums?.find(({ algorithm }) => algorithm === 'SHA256')?.checksumValue;

const some = (paths: readonly string[]): string =>
  paths.length <= NAMED
    ? paths.join(', ')
    : `${paths.slice(0, NAMED).join(', ')} and ${paths.length - NAMED} more`;
