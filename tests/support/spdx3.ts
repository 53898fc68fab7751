/** The part of the SPDX 3.0.1 model that our documents use: which members each class has, and what they may hold. */

export interface Spdx3Element {
  readonly type: string;
  readonly [member: string]: unknown;
}

interface Rule {
  readonly required: readonly string[];
  readonly members: readonly string[];
}

const IRI = /^(?!_:).+:.+/;
const TIME = /^\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

const ELEMENT = words(
  'type spdxId creationInfo comment description externalIdentifier externalRef name summary verifiedUsing',
);
const COLLECTION = words('element profileConformance rootElement');
const ARTIFACT = words(
  'builtTime originatedBy releaseTime standardName suppliedBy supportLevel validUntilTime',
);
const SOFTWARE = words(
  'software_additionalPurpose software_attributionText software_contentIdentifier software_copyrightText software_primaryPurpose',
);
const RELATION = words('completeness endTime from relationshipType startTime to');
const of = (...members: (readonly string[])[]): string[] => members.flat();
const elementRule = (required: string, ...members: (readonly string[])[]): Rule => ({
  required: words(`type spdxId creationInfo ${required}`),
  members: of(ELEMENT, ...members),
});

const RULES: Readonly<Record<string, Rule>> = {
  CreationInfo: {
    required: words('type created createdBy specVersion'),
    members: words('type @id comment created createdBy createdUsing specVersion'),
  },
  Hash: { required: words('type algorithm hashValue'), members: words('type comment algorithm hashValue') },
  ExternalIdentifier: {
    required: words('type externalIdentifierType identifier'),
    members: words('type comment externalIdentifierType identifier identifierLocator issuingAuthority'),
  },
  SpdxDocument: elementRule('rootElement', COLLECTION, words('dataLicense import namespaceMap')),
  software_Sbom: elementRule('rootElement', COLLECTION, words('context software_sbomType')),
  Agent: elementRule('name'),
  SoftwareAgent: elementRule('name'),
  Tool: elementRule('name'),
  software_Package: elementRule(
    'name',
    ARTIFACT,
    SOFTWARE,
    words(
      'software_downloadLocation software_homePage software_packageUrl software_packageVersion software_sourceInfo',
    ),
  ),
  software_File: elementRule('name', ARTIFACT, SOFTWARE, words('contentType software_fileKind')),
  simplelicensing_LicenseExpression: elementRule(
    'simplelicensing_licenseExpression',
    words(
      'simplelicensing_licenseExpression simplelicensing_licenseListVersion simplelicensing_customIdToUri',
    ),
  ),
  Relationship: elementRule('from relationshipType to', RELATION),
  LifecycleScopedRelationship: elementRule('from relationshipType to', RELATION, words('scope')),
};

const LISTS = words(
  'createdBy createdUsing element rootElement profileConformance software_sbomType to verifiedUsing externalIdentifier',
);
const VALUES: Readonly<Record<string, RegExp>> = {
  spdxId: IRI,
  created: TIME,
  builtTime: TIME,
  specVersion: /^3\.0\.1$/,
  profileConformance:
    /^(ai|build|core|dataset|expandedLicensing|extension|lite|security|simpleLicensing|software)$/,
  software_sbomType: /^(analyzed|build|deployed|design|runtime|source)$/,
  software_primaryPurpose:
    /^(application|archive|bom|configuration|container|data|device|deviceDriver|diskImage|documentation|evidence|executable|file|filesystemImage|firmware|framework|install|library|manifest|model|module|operatingSystem|other|patch|platform|requirement|source|specification|test)$/,
  externalIdentifierType:
    /^(cpe22|cpe23|cve|email|gitoid|other|packageUrl|securityOther|swhid|swid|urlScheme)$/,
  algorithm: /^(sha1|sha224|sha256|sha384|sha512)$/,
  hashValue: /^[0-9a-f]+$/,
  relationshipType: /^(contains|dependsOn|generates|hasDeclaredLicense|describes)$/,
  completeness: /^(complete|incomplete|noAssertion)$/,
  scope: /^(build|design|development|other|runtime|test)$/,
};

/** What is wrong with a document, a line each. */
export function problemsOfSpdx3(document: {
  readonly '@context': string;
  readonly '@graph': readonly Spdx3Element[];
}): string[] {
  const context =
    document['@context'] === 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld' ? [] : ['another context'];
  return [...context, ...document['@graph'].flatMap(problemsOf)];
}

function problemsOf(one: Spdx3Element): string[] {
  const rule = RULES[one.type];
  if (rule === undefined) return [`${one.type} is no class`];
  return [
    ...rule.required.filter((name) => !(name in one)).map((name) => `${one.type} lacks ${name}`),
    ...Object.entries(one).flatMap(([name, value]) => {
      if (!rule.members.includes(name)) return [`${one.type} has no ${name}`];
      if (LISTS.includes(name) !== Array.isArray(value)) return [`${name} is a list, or none`];
      const values: unknown[] = [value].flat();
      if (values.length === 0) return [`${name} is empty`];
      return values.flatMap((each): string[] =>
        typeof each === 'object' && each !== null
          ? problemsOf(each as Spdx3Element)
          : VALUES[name]?.test(String(each)) === false
            ? [`${name} cannot be ${String(each)}`]
            : [],
      );
    }),
  ];
}
