/** Whether a document keeps to the letter of SPDX 2.3, as far as bills of materials of packages use it. */

type Spdx2Package = Readonly<Record<string, unknown>> & { name: string; primaryPackagePurpose: string };

export interface Spdx2 {
  readonly documentNamespace: string;
  readonly relationships: readonly { readonly relationshipType: string }[];
  readonly creationInfo: { readonly created: string };
  readonly packages: readonly Spdx2Package[];
  readonly files: readonly (Readonly<Record<string, unknown>> & { fileName: string })[];
  readonly hasExtractedLicensingInfos?: readonly { readonly licenseId: string }[];
}

/** Members that the published JSON Schema of SPDX 2.3 allows and, before the bar, requires. */
const SPDX2 = {
  document:
    'SPDXID creationInfo dataLicense name spdxVersion documentNamespace | files packages relationships hasExtractedLicensingInfos',
  package:
    'SPDXID downloadLocation name | builtDate checksums comment copyrightText externalRefs filesAnalyzed homepage licenseConcluded licenseDeclared licenseInfoFromFiles packageFileName packageVerificationCode primaryPackagePurpose summary supplier versionInfo',
  file: 'SPDXID checksums fileName | copyrightText licenseConcluded',
};

/** Those of its relations that there is a use for. */
const SPDX2_RELATIONS = new Set(['DESCRIBES', 'CONTAINS', 'GENERATED_FROM', 'BUILD_DEPENDENCY_OF']);

export function problemsOfSpdx2(document: Spdx2): string[] {
  const check = (value: object, members: string): string[] => {
    const [required = [], optional = []] = members.split(' | ').map((part) => part.split(' '));
    const has = Object.keys(value);
    return [
      ...required.filter((member) => !has.includes(member)).map((member) => `lacks ${member}`),
      ...has
        .filter((member) => ![...required, ...optional].includes(member))
        .map((member) => `has ${member}`),
    ];
  };
  const others = [
    ...document.relationships
      .filter(({ relationshipType }) => !SPDX2_RELATIONS.has(relationshipType))
      .map(({ relationshipType }) => `no relation ${relationshipType}`),
    ...document.packages
      .filter(({ primaryPackagePurpose }) => !['INSTALL', 'SOURCE'].includes(primaryPackagePurpose))
      .map(({ primaryPackagePurpose }) => `no purpose ${primaryPackagePurpose}`),
  ];
  return [
    ...others,
    ...check(document, SPDX2.document),
    ...document.packages.flatMap((one) => check(one, SPDX2.package)),
    ...document.files.flatMap((one) => check(one, SPDX2.file)),
  ];
}
