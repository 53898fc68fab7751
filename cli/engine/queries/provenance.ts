/** Asks of every installed package where it comes from: its provenance statement and its bill of materials. */
import { readHeader } from '#schema/container/read';
import type { PackageDocument } from '#schema/document';
import { envelopeSigners, readEnvelope, type Envelope } from '#schema/dsse';
import { IcepkgError } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { keyId, type PublicKey } from '#schema/keys';
import type { Manifest } from '#schema/manifest';
import { decodeStatement, PAYLOAD_TYPE, type Resource, type Statement } from '#schema/provenance';
import { fetchDocument } from '../client/fetch-document.ts';
import { withIndex } from '../client/load-indexes.ts';
import { KEY_FOLDER, trustedKeys } from '../client/local-package.ts';
import { openMirrors } from '../client/mirrors.ts';
import type { Transport } from '../client/transport.ts';
import type { EngineContext } from '../context.ts';
import type { InstalledPackage } from '../model.ts';
import type { Finding } from './audit.ts';
import { billProblems } from './bill-of-materials.ts';
import { readStore } from './read-store.ts';

/** What is known of how an installed package was made. */
export interface PackageOrigin {
  readonly package: string;
  /** Of the builder, as the statement says; null where there is none. */
  readonly builder: string | null;
  /** Ids of the trusted keys that signed the statement. */
  readonly signedBy: readonly string[];
  /** Sources and packages that went in. */
  readonly materials: readonly { readonly name: string; readonly sha256: string | null }[];
}

export interface ProvenanceReport {
  readonly packages: readonly PackageOrigin[];
  readonly findings: readonly Finding[];
}

export interface ProvenanceOptions {
  /** Ids of the builders that may have made packages. */
  readonly builders: readonly string[];
}

/**
 * Fetches the documents of every installed package and holds them against what is installed.
 * @throws IcepkgError where the index of a repository that is needed cannot be had
 */
export async function auditProvenance(
  context: EngineContext,
  { builders }: ProvenanceOptions,
): Promise<ProvenanceReport> {
  const installed = readStore(context.root, (store) =>
    store.installedPackages().map((one) => {
      const header = store.headerOf(one.record.name);
      const { name } = one.record;
      return { one, manifest: header === undefined ? undefined : readHeader(header, name).manifest };
    }),
  );
  const documentsOf = await documentFinder(
    context,
    installed.map(({ one }) => one),
  );
  const keys = trustedKeys(context.root);
  const mirrors = new Map<string, readonly Transport[]>();
  const packages: PackageOrigin[] = [];
  const findings: Finding[] = [];
  try {
    for (const { one, manifest } of installed) {
      const opened = mirrorsOf(context, one.repository, mirrors);
      const fetch = (document: PackageDocument): Promise<Uint8Array> =>
        fetchDocument(context, opened, document);
      const examined = await examine(one, { documents: documentsOf(one), manifest, keys, builders, fetch });
      packages.push(examined.origin);
      findings.push(...examined.findings);
    }
  } finally {
    for (const opened of mirrors.values()) for (const mirror of opened) mirror.close();
  }
  return { packages, findings };
}

type Finder = (installed: InstalledPackage) => readonly PackageDocument[];

/** The index that a package was installed from may have known no documents yet: then the present one is asked. */
async function documentFinder(
  context: EngineContext,
  installed: readonly InstalledPackage[],
): Promise<Finder> {
  const lacking = installed.some(
    ({ record, repository }) => repository !== undefined && record.documents === undefined,
  );
  const offered = new Map<string, PackageRecord>();
  if (lacking && context.config.repositories.length > 0) {
    const names = installed.map(({ record }) => record.name);
    for (const { record } of await withIndex(context, { refresh: 'auto' }, (index) => index.named(names)))
      offered.set(record.package.sha256, record);
  }
  return ({ record }) => record.documents ?? offered.get(record.package.sha256)?.documents ?? [];
}

function mirrorsOf(
  context: EngineContext,
  name: string | undefined,
  opened: Map<string, readonly Transport[]>,
): readonly Transport[] {
  const repository = context.config.repositories.find((each) => each.name === name);
  if (name === undefined || repository === undefined) return [];
  const known = opened.get(name) ?? openMirrors(context, repository);
  opened.set(name, known);
  return known;
}

interface Means {
  readonly documents: readonly PackageDocument[];
  readonly manifest: Manifest | undefined;
  readonly keys: readonly PublicKey[];
  readonly builders: readonly string[];
  readonly fetch: (document: PackageDocument) => Promise<Uint8Array>;
}

interface Examined {
  readonly origin: PackageOrigin;
  readonly findings: readonly Finding[];
}

async function examine(installed: InstalledPackage, means: Means): Promise<Examined> {
  const { record } = installed;
  const subject = `${record.name}-${record.version}`;
  const findings: Finding[] = [];
  const tell = (severity: Finding['severity'], message: string): void => {
    findings.push({ severity, subject, message });
  };
  const get = async (type: string, what: string): Promise<Uint8Array | undefined> => {
    const document = means.documents.find((one) => one.type === type);
    if (document === undefined) {
      tell('warning', `has no ${what}: ${whyNone(installed)}`);
      return undefined;
    }
    try {
      return await means.fetch(document);
    } catch (error) {
      if (!(error instanceof IcepkgError) || error.code === 'cancelled') throw error;
      tell(
        error.code === 'package-corrupt' ? 'error' : 'warning',
        `its ${what} is not at hand: ${error.message}`,
      );
      return undefined;
    }
  };
  const nothing = { package: subject, builder: null, signedBy: [], materials: [] };
  const bill = await get('spdx-2.3', 'bill of materials');
  if (bill !== undefined && means.manifest !== undefined)
    for (const problem of billProblems(bill, means.manifest, record.package.sha256)) tell('error', problem);
  const bytes = await get('provenance', 'provenance');
  const said = bytes === undefined ? undefined : readStatement(bytes, tell);
  if (said === undefined) return { origin: nothing, findings };
  const signers = checkSignatures(said.envelope, means.keys, tell);
  checkStatement(said.statement, { record, means, tell });
  const { buildDefinition, runDetails } = said.statement.predicate;
  const materials = (buildDefinition.resolvedDependencies ?? []).map((one) => ({
    name: nameOf(one),
    sha256: one.digest?.['sha256'] ?? null,
  }));
  const origin = { package: subject, builder: runDetails.builder.id, signedBy: signers, materials };
  return { origin, findings };
}

const whyNone = ({ repository }: InstalledPackage): string =>
  repository === undefined
    ? 'it came from a local file'
    : `the repository ${repository} publishes none for it`;

type Tell = (severity: Finding['severity'], message: string) => void;

function readStatement(
  bytes: Uint8Array,
  tell: Tell,
): { readonly envelope: Envelope; readonly statement: Statement } | undefined {
  try {
    const envelope = readEnvelope(bytes, 'provenance');
    if (envelope.payloadType !== PAYLOAD_TYPE) {
      tell('error', `its provenance is of the type ${envelope.payloadType}, not ${PAYLOAD_TYPE}`);
      return undefined;
    }
    return { envelope, statement: decodeStatement(envelope.payload, 'provenance') };
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    tell('error', `its ${error.message}`);
    return undefined;
  }
}

/** @returns the ids of the trusted keys that signed */
function checkSignatures(envelope: Envelope, keys: readonly PublicKey[], tell: Tell): string[] {
  const signers = envelopeSigners(envelope, keys).map(keyId);
  if (signers.length > 0) return signers;
  const trusted = new Set(keys.map(keyId));
  const claimed = envelope.signatures.flatMap(({ keyid }) => (keyid === undefined ? [] : [keyid]));
  const wrong = claimed.filter((id) => trusted.has(id));
  if (envelope.signatures.length === 0) tell('error', 'nobody signed its provenance');
  else if (wrong.length > 0) tell('error', `its provenance has a wrong signature by ${short(wrong)}`);
  else tell('warning', `its provenance is signed by ${short(claimed)}, and no such key is in ${KEY_FOLDER}`);
  return signers;
}

const short = (ids: readonly string[]): string =>
  ids.length === 0 ? 'nobody who gives a name' : ids.map((id) => id.slice(0, 16)).join(', ');

interface Checking {
  readonly record: PackageRecord;
  readonly means: Means;
  readonly tell: Tell;
}

function checkStatement(statement: Statement, { record, means, tell }: Checking): void {
  const { buildDefinition, runDetails } = statement.predicate;
  if (!statement.subject.some(({ digest }) => digest['sha256'] === record.package.sha256))
    tell('error', 'its provenance is of another package: no subject has the sha256 of the installed one');
  if (!means.builders.includes(runDetails.builder.id))
    tell('error', `its builder is ${runDetails.builder.id}, not ${means.builders.join(' or ')}`);
  const materials = buildDefinition.resolvedDependencies ?? [];
  if (materials.length === 0) tell('warning', 'its provenance names nothing that went into it');
  const vague = materials.filter(({ digest }) => !/^[0-9a-f]{64}$/.test(digest?.['sha256'] ?? ''));
  if (vague.length > 0) tell('warning', `its provenance gives no sha256 for ${vague.map(nameOf).join(', ')}`);
  for (const { name, digest } of runDetails.byproducts ?? []) {
    const published = means.documents.find(({ path }) => path.split('/').pop() === name);
    if (published !== undefined && digest?.['sha256'] !== published.sha256)
      tell('error', `${name ?? ''} is not the one that its provenance names`);
  }
}

const nameOf = ({ name, uri }: Resource): string => name ?? uri ?? 'something without a name';
