/** In a few lines what the documents beside a package say: its bill of materials and its provenance. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { sha256 } from '#schema/digest';
import type { PackageDocument } from '#schema/document';
import { readEnvelope } from '#schema/dsse';
import { IcepkgError, isErrno } from '#schema/error';
import type { PackageRecord } from '#schema/index-shard';
import { decodeStatement } from '#schema/provenance';
import { counted, sizeText } from './figures.ts';
import { markup, webAddress, type Html, type Part } from './html.ts';
import type { Scene } from './shell.ts';

/** Larger ones are linked and not read. */
const MOST_READ = 4 * 1024 * 1024;
const MOST_NAMED = 8;

/** What went into a package. */
interface Material {
  /** `source`, `recipe`, `dependency`, or what another builder says. */
  readonly kind: string;
  readonly name: string;
  readonly uri: string | undefined;
}

interface Bill {
  readonly packages: number;
  readonly files: number;
}

interface Provenance {
  readonly builder: string;
  /** Key ids that the statement names as its signers'. */
  readonly signers: readonly string[];
  readonly materials: readonly Material[];
}

export interface DocumentSummary {
  readonly bill?: Bill;
  readonly provenance?: Provenance;
}

const BillSchema = v.looseObject({ packages: v.array(v.unknown()), files: v.optional(v.array(v.unknown())) });

export async function summarize(root: string, { documents = [] }: PackageRecord): Promise<DocumentSummary> {
  const summary: { -readonly [Part in keyof DocumentSummary]: DocumentSummary[Part] } = {};
  for (const document of documents) {
    if (document.type !== 'spdx-2.3' && document.type !== 'provenance') continue;
    try {
      const bytes = await readDocument(root, document);
      if (bytes === undefined) continue;
      if (document.type === 'provenance') summary.provenance = provenanceIn(bytes, document.path);
      else summary.bill = billIn(bytes, document.path);
    } catch (error) {
      // The link stays: whoever follows it sees what is there.
      if (!(error instanceof IcepkgError) && !isErrno(error, 'ENOENT', 'EACCES')) throw error;
    }
  }
  return summary;
}

/** The bytes that the index pins; nothing where there are others, or too many. */
async function readDocument(
  root: string,
  { path, size, sha256: digest }: PackageDocument,
): Promise<Uint8Array | undefined> {
  const file = join(root, path);
  if (size > MOST_READ || (await stat(file)).size !== size) return undefined;
  const bytes = await readFile(file);
  return sha256(bytes) === digest ? bytes : undefined;
}

function billIn(bytes: Uint8Array, what: string): Bill {
  const { packages, files = [] } = decode(BillSchema, parseJson(bytes, what), what);
  return { packages: packages.length, files: files.length };
}

function provenanceIn(bytes: Uint8Array, what: string): Provenance {
  const { payload, signatures } = readEnvelope(bytes, what);
  const { buildDefinition, runDetails } = decodeStatement(payload, what).predicate;
  const materials = (buildDefinition.resolvedDependencies ?? []).map(({ name, uri, annotations }) => ({
    kind: typeof annotations?.['kind'] === 'string' ? annotations['kind'] : 'source',
    name: name ?? uri ?? 'without a name',
    uri,
  }));
  const signers = signatures.flatMap(({ keyid }) => keyid ?? []);
  return { builder: runDetails.builder.id, signers, materials };
}

const NAMES: Readonly<Record<string, string>> = {
  'spdx-2.3': 'Bill of materials (SPDX 2.3)',
  'spdx-3.0.1': 'Bill of materials (SPDX 3.0.1)',
  provenance: 'Provenance (in-toto, SLSA)',
};

export function documentSection({ links }: Scene, record: PackageRecord, summary: DocumentSummary): Part {
  const { documents = [] } = record;
  if (documents.length === 0) return undefined;
  const items = documents.map(
    ({ type, path, size }) =>
      markup`<li><a href="${links.file(path)}">${NAMES[type] ?? type}</a> <span class="soft">${sizeText(size)}</span></li>`,
  );
  return markup`<section aria-labelledby="origin"><h2 id="origin">Where it comes from</h2>
<ul class="plain">${items}</ul>
${told(summary)}
</section>`;
}

function told({ bill, provenance }: DocumentSummary): Html {
  const listed =
    bill !== undefined &&
    markup`<p>The bill of materials lists ${counted(bill.packages, 'component')} and ${counted(bill.files, 'file')}.</p>`;
  if (provenance === undefined) return markup`${listed}`;
  const { builder, signers, materials } = provenance;
  const [signer] = signers;
  const by = signer !== undefined && markup`, signed with key <code>${signer.slice(0, 16)}</code>`;
  const rows = [
    ['Sources', 'source'],
    ['Recipe and patches', 'recipe'],
    ['Built with', 'dependency'],
  ].map(([label = '', kind]) => {
    const own = materials.filter((one) => one.kind === kind);
    return own.length > 0 && markup`<dt>${label}</dt><dd>${materialList(own)}</dd>`;
  });
  return markup`${listed}
<p>Built by <code>${builder}</code>${by}.</p>
<dl class="facts">${rows}</dl>`;
}

function materialList(materials: readonly Material[]): Html {
  const shown = materials.slice(0, MOST_NAMED).map(({ name, uri }, index) => {
    const address = webAddress(uri);
    const text =
      address === undefined ? name : markup`<a href="${address}" rel="noreferrer nofollow">${name}</a>`;
    return markup`${index > 0 && ', '}${text}`;
  });
  const left = materials.length - shown.length;
  return markup`${shown}${left > 0 && ` and ${left} more`}`;
}
