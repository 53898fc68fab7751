/** Writes bills of materials and the provenance statement beside a package file. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { sha256 } from '#schema/digest';
import { DOCUMENT_SUFFIX, type DocumentType } from '#schema/document';
import { sealEnvelope } from '#schema/dsse';
import type { PrivateKey } from '#schema/keys';
import { PAYLOAD_TYPE } from '#schema/provenance';
import type { BuiltPackage } from '../assemble.ts';
import type { BuildNode } from '../order.ts';
import { toolchainId } from '../toolchain.ts';
import { billFiles, isoTime, type Bill } from './bill.ts';
import { materialsOf, type Material } from './materials.ts';
import { icepkgVersion } from './own-version.ts';
import { spdx2Document } from './spdx2.ts';
import { spdx3Document } from './spdx3.ts';
import { provenanceStatement, type Made } from './statement.ts';

export interface BuildFacts {
  readonly node: BuildNode;
  /** Digest of everything that went in. */
  readonly key: string;
  readonly codec: string;
  readonly epoch: number;
  /** Packages that were in the sysroot, as they came out of their builds. */
  readonly dependencies: readonly BuiltPackage[];
}

export interface Delivery {
  /** Folder that holds the package files. */
  readonly folder: string;
  readonly packages: readonly BuiltPackage[];
  readonly keys: readonly PrivateKey[];
}

/** The same build and keys give the same bytes. */
export async function writeDocuments(facts: BuildFacts, { folder, packages, keys }: Delivery): Promise<void> {
  const { node, key, codec, epoch } = facts;
  const materials = materialsOf(node, facts.dependencies);
  const builderVersion = icepkgVersion();
  const { name, version, release } = node.recipe;
  const toolchain = await toolchainId(node.toolArch);
  const recipe = { name, version, release };
  const making = { recipe, arch: node.arch, key, codec, epoch, toolchain, builderVersion, materials };
  for (const built of packages) {
    const bill = billOf(built, path.join(folder, built.file), { node, materials, builderVersion, epoch });
    const bills = [
      writeDocument(folder, built, 'spdx-2.3', spdx2Document(bill)),
      writeDocument(folder, built, 'spdx-3.0.1', spdx3Document(bill)),
    ];
    const statement = Buffer.from(JSON.stringify(provenanceStatement(making, built, bills)));
    writeDocument(folder, built, 'provenance', sealEnvelope(PAYLOAD_TYPE, statement, keys));
  }
}

interface BillFacts {
  readonly node: BuildNode;
  readonly materials: readonly Material[];
  readonly builderVersion: string;
  readonly epoch: number;
}

function billOf(built: BuiltPackage, file: string, facts: BillFacts): Bill {
  const { materials, builderVersion, epoch, node } = facts;
  const { cpe, purl } = node.recipe;
  return {
    ...billFiles(file),
    file: built.file,
    sha256: built.sha256,
    materials,
    cpe,
    purl,
    builderVersion,
    created: isoTime(epoch),
  };
}

/** Leaves the file whole or not at all. */
function writeDocument(folder: string, { file }: BuiltPackage, type: DocumentType, text: string): Made {
  const name = `${file}${DOCUMENT_SUFFIX[type]}`;
  const aside = path.join(folder, `.${name}.${process.pid}.part`);
  try {
    fs.writeFileSync(aside, text);
    fs.renameSync(aside, path.join(folder, name));
  } finally {
    fs.rmSync(aside, { force: true });
  }
  return { file: name, sha256: sha256(text) };
}
