/** The provenance statement of a package: in-toto Statement v1 with a SLSA provenance v1 predicate. */
import * as v from 'valibot';
import { parseJson } from './canonical-json.ts';
import { decode } from './decode.ts';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PROVENANCE_TYPE = 'https://slsa.dev/provenance/v1';
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
/** What our own builder calls itself and what it does; `docs/provenance.md` says what stands behind them. */
export const BUILDER_ID = 'urn:icepkg:builder';
export const BUILD_TYPE = 'urn:icepkg:build:recipe:1';

const Digest = v.record(v.string(), v.string('expected a digest'));

/** Something that went in or came out; in-toto's ResourceDescriptor. */
const ResourceSchema = v.looseObject({
  name: v.optional(v.string()),
  uri: v.optional(v.string()),
  digest: v.optional(Digest),
  annotations: v.optional(v.record(v.string(), v.unknown())),
});

/** Statements of other builders may say more than ours: unknown members are let through. */
const StatementSchema = v.looseObject({
  _type: v.literal(STATEMENT_TYPE, `expected ${STATEMENT_TYPE}`),
  subject: v.pipe(
    v.array(v.looseObject({ name: v.optional(v.string()), digest: Digest }), 'expected a list of subjects'),
    v.minLength(1, 'expected a subject'),
  ),
  predicateType: v.literal(PROVENANCE_TYPE, `expected ${PROVENANCE_TYPE}`),
  predicate: v.looseObject({
    buildDefinition: v.looseObject({
      buildType: v.string('expected a URI'),
      externalParameters: v.looseObject({}),
      internalParameters: v.optional(v.looseObject({})),
      resolvedDependencies: v.optional(v.array(ResourceSchema, 'expected a list of resources')),
    }),
    runDetails: v.looseObject({
      builder: v.looseObject({ id: v.string('expected a URI') }),
      byproducts: v.optional(v.array(ResourceSchema, 'expected a list of resources')),
    }),
  }),
});

export type Resource = v.InferOutput<typeof ResourceSchema>;
export type Statement = v.InferOutput<typeof StatementSchema>;

/** @throws IcepkgError `format-invalid` naming the member that is wrong */
export function decodeStatement(bytes: Uint8Array, what: string): Statement {
  return decode(StatementSchema, parseJson(bytes, what), what);
}
