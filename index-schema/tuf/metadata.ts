/**
 * The metadata of The Update Framework (specification 1.0.33, section 4): root, timestamp, snapshot, targets.
 * Members that this version does not know are kept, because signatures cover them.
 */
import * as v from 'valibot';
import { canonicalJson, parseJson, tufCanonicalJson } from '../canonical-json.ts';
import { decode } from '../decode.ts';
import { IcepkgError } from '../error.ts';
import { keyId, sign, type PrivateKey } from '../keys.ts';

const Text = v.string('expected a string');
const Count = v.pipe(
  v.number('expected a number'),
  v.safeInteger('expected an integer'),
  v.minValue(0, 'expected 0 or more'),
);
const Positive = v.pipe(
  v.number('expected a number'),
  v.safeInteger('expected an integer'),
  v.minValue(1, 'expected 1 or more'),
);
const Hex = v.pipe(Text, v.regex(/^[0-9a-f]+$/, 'expected lower-case hexadecimal digits'));
const SpecVersion = v.pipe(Text, v.regex(/^1\.\d+(\.\d+)?$/, 'expected a specification version 1.x'));
const Expires = v.pipe(
  Text,
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'expected a time such as 2030-01-31T12:00:00Z'),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'expected a time that exists'),
);

/** Any key: what this version cannot verify with is kept and never counts towards a threshold. */
export const TufKeySchema = v.looseObject({
  keytype: Text,
  scheme: Text,
  keyval: v.looseObject({ public: Text }),
});
const uniqueKeyIds = v.pipe(
  v.array(v.pipe(Text, v.minLength(1))),
  v.maxLength(1024),
  v.check((ids) => new Set(ids).size === ids.length, 'expected each key id once'),
);
const RoleSchema = v.looseObject({ keyids: uniqueKeyIds, threshold: Positive });
const Hashes = v.pipe(
  v.record(Text, Hex),
  v.check((hashes) => Object.keys(hashes).length > 0, 'expected at least one hash'),
);
/** `length` and `hashes` may be left out for metadata files (section 4.4). */
export const MetaFileSchema = v.looseObject({
  version: Positive,
  length: v.optional(Positive),
  hashes: v.optional(Hashes),
});
export const TargetFileSchema = v.looseObject({
  length: Count,
  hashes: Hashes,
  custom: v.optional(v.record(Text, v.unknown())),
});

const common = { spec_version: SpecVersion, version: Positive, expires: Expires };
const Keys = v.record(Text, TufKeySchema);

export const RootSchema = v.looseObject({
  _type: v.literal('root'),
  ...common,
  consistent_snapshot: v.optional(v.boolean()),
  keys: Keys,
  roles: v.looseObject({
    root: RoleSchema,
    timestamp: RoleSchema,
    snapshot: RoleSchema,
    targets: RoleSchema,
  }),
});
export const TimestampSchema = v.looseObject({
  _type: v.literal('timestamp'),
  ...common,
  meta: v.looseObject({ 'snapshot.json': MetaFileSchema }),
});
export const SnapshotSchema = v.looseObject({
  _type: v.literal('snapshot'),
  ...common,
  meta: v.record(Text, MetaFileSchema),
});
const DelegatedRoleSchema = v.pipe(
  v.looseObject({
    name: v.pipe(Text, v.minLength(1)),
    keyids: uniqueKeyIds,
    threshold: Positive,
    terminating: v.boolean(),
    paths: v.optional(v.array(Text)),
    path_hash_prefixes: v.optional(v.array(Hex)),
  }),
  v.check(
    (role) => (role.paths === undefined) !== (role.path_hash_prefixes === undefined),
    'expected either paths or path_hash_prefixes',
  ),
);
const SuccinctRolesSchema = v.looseObject({
  keyids: uniqueKeyIds,
  threshold: Positive,
  bit_length: v.pipe(Positive, v.maxValue(32)),
  name_prefix: v.pipe(Text, v.minLength(1)),
});
const DelegationsSchema = v.pipe(
  v.looseObject({
    keys: Keys,
    roles: v.optional(v.array(DelegatedRoleSchema)),
    succinct_roles: v.optional(SuccinctRolesSchema),
  }),
  v.check(
    (delegations) => (delegations.roles === undefined) !== (delegations.succinct_roles === undefined),
    'expected either roles or succinct_roles',
  ),
  v.check(
    ({ roles = [] }) => new Set(roles.map((role) => role.name)).size === roles.length,
    'expected each delegated role once',
  ),
  v.check(
    ({ roles = [] }) => !roles.some((role) => TOP_LEVEL_ROLES.has(role.name)),
    'expected no delegated role to carry the name of a top-level role',
  ),
);
export const TargetsSchema = v.looseObject({
  _type: v.literal('targets'),
  ...common,
  targets: v.record(Text, TargetFileSchema),
  delegations: v.optional(DelegationsSchema),
});

const TOP_LEVEL_ROLES: ReadonlySet<string> = new Set(['root', 'timestamp', 'snapshot', 'targets']);

export type TufKey = v.InferOutput<typeof TufKeySchema>;
export type Role = v.InferOutput<typeof RoleSchema>;
export type MetaFile = v.InferOutput<typeof MetaFileSchema>;
export type TargetFile = v.InferOutput<typeof TargetFileSchema>;
export type DelegatedRole = v.InferOutput<typeof DelegatedRoleSchema>;
export type Delegations = v.InferOutput<typeof DelegationsSchema>;
export type Root = v.InferOutput<typeof RootSchema>;
export type Timestamp = v.InferOutput<typeof TimestampSchema>;
export type Snapshot = v.InferOutput<typeof SnapshotSchema>;
export type Targets = v.InferOutput<typeof TargetsSchema>;

const SCHEMAS = {
  root: RootSchema,
  timestamp: TimestampSchema,
  snapshot: SnapshotSchema,
  targets: TargetsSchema,
} as const;
export interface MetadataTypes {
  readonly root: Root;
  readonly timestamp: Timestamp;
  readonly snapshot: Snapshot;
  readonly targets: Targets;
}
export type MetadataType = keyof MetadataTypes;

const EnvelopeSchema = v.looseObject({
  signatures: v.pipe(
    v.array(v.looseObject({ keyid: Text, sig: Text })),
    v.maxLength(1024),
    v.check(
      (list) => new Set(list.map((signature) => signature.keyid)).size === list.length,
      'expected one signature a key',
    ),
  ),
  signed: v.looseObject({}),
});

export interface MetadataSignature {
  readonly keyid: string;
  readonly sig: string;
}

/** A decoded metadata file. Nothing in it is trusted before its signatures were verified. */
export interface SignedMetadata<T> {
  readonly signed: T;
  readonly signatures: readonly MetadataSignature[];
  /** The canonical bytes that the signatures cover. */
  readonly signedBytes: Uint8Array;
}

/**
 * Decodes a metadata file of the given type.
 * @param what names the file in errors
 * @throws IcepkgError `trust-failed`
 */
export function parseMetadata<T extends MetadataType>(
  bytes: Uint8Array,
  type: T,
  what: string,
): SignedMetadata<MetadataTypes[T]> {
  let document: unknown;
  try {
    document = parseJson(bytes, what);
  } catch (cause) {
    if (!(cause instanceof IcepkgError)) throw cause;
    throw new IcepkgError('trust-failed', cause.message, {
      hint: 'The server may answer with something else, such as a login page: look at the address in a browser',
      cause,
    });
  }
  const envelope = decode(EnvelopeSchema, document, what, 'trust-failed');
  const signed = decode(SCHEMAS[type], envelope.signed, what, 'trust-failed') as MetadataTypes[T];
  try {
    return { signed, signatures: envelope.signatures, signedBytes: tufCanonicalJson(envelope.signed) };
  } catch (cause) {
    throw new IcepkgError('trust-failed', `${what}: has no canonical form`, { cause });
  }
}

/** The bytes of a metadata file, signed by each of `keys`. */
export function signMetadata(signed: object, keys: readonly PrivateKey[]): Uint8Array {
  const bytes = tufCanonicalJson(signed);
  const signatures = keys.map((key) => ({ keyid: keyId(key.public), sig: sign(key, bytes) }));
  return canonicalJson({ signatures, signed });
}
