/** The in-toto statement of a package: SLSA provenance v1. */
import {
  BUILD_TYPE,
  BUILDER_ID,
  PROVENANCE_TYPE,
  STATEMENT_TYPE,
  type Resource,
  type Statement,
} from '#schema/provenance';
import type { Material } from './materials.ts';

export interface Making {
  readonly recipe: { readonly name: string; readonly version: string; readonly release: number };
  readonly arch: string;
  /** Digest of everything that went in. */
  readonly key: string;
  readonly codec: string;
  readonly epoch: number;
  readonly toolchain: string;
  /** Version of icepkg. */
  readonly builderVersion: string;
  readonly materials: readonly Material[];
}

export interface Made {
  readonly file: string;
  readonly sha256: string;
}

/** @param byproducts the bills of materials of the same package */
export function provenanceStatement(making: Making, subject: Made, byproducts: readonly Made[]): Statement {
  const { recipe, arch, key, codec, epoch, toolchain, builderVersion, materials } = making;
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: subject.file, digest: { sha256: subject.sha256 } }],
    predicateType: PROVENANCE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { recipe, arch, codec },
        internalParameters: { key, sourceDateEpoch: epoch, toolchain },
        resolvedDependencies: materials.map(resourceOf),
      },
      runDetails: {
        builder: { id: BUILDER_ID, version: { icepkg: builderVersion } },
        metadata: { invocationId: key },
        byproducts: byproducts.map(({ file, sha256 }) => ({ name: file, digest: { sha256 } })),
      },
    },
  };
}

function resourceOf({ kind, name, version, sha256, uri }: Material): Resource {
  return {
    name,
    ...(uri === undefined ? {} : { uri }),
    digest: { sha256 },
    annotations: { kind, ...(version === undefined ? {} : { version }) },
  };
}
