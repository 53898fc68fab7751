/** What every SPDX 3.0.1 document is made of, whatever it is about. */
import { contentUuid } from './bill.ts';

const CONTEXT = 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld';
const CREATION = '_:creationInfo';

export type Element = Readonly<Record<string, unknown>> & { readonly type: string; readonly spdxId: string };

/** Elements name one another by `ID#…` until the content, and so the name of the document, is known. */
const PLACE = 'ID';

export interface DocumentFacts {
  readonly name: string;
  /** ISO 8601. */
  readonly created: string;
  /** Id of the element that the document is about. */
  readonly root: string;
  /** Stage of its life that the document tells of. */
  readonly stage: 'build' | 'deployed';
}

/** The whole document, named after its content. @param elements `toolElements` among them */
export function spdx3Graph(elements: readonly Element[], facts: DocumentFacts): string {
  const named = elements.map(({ spdxId }) => spdxId);
  const graph = [
    {
      type: 'CreationInfo',
      '@id': CREATION,
      specVersion: '3.0.1',
      created: facts.created,
      createdBy: [id('builder')],
      createdUsing: [id('tool')],
    },
    element('SpdxDocument', 'document', {
      name: facts.name,
      profileConformance: ['core', 'software', 'simpleLicensing'],
      rootElement: [id('sbom')],
      element: named,
    }),
    element('software_Sbom', 'sbom', {
      software_sbomType: [facts.stage],
      rootElement: [facts.root],
      element: named,
    }),
    ...elements,
  ];
  const text = JSON.stringify({ '@context': CONTEXT, '@graph': graph });
  const uuid = `urn:uuid:${contentUuid(text)}`;
  return `${text.replaceAll(`"${PLACE}#`, `"${uuid}#`)}\n`;
}

export const id = (name: string): string => `${PLACE}#${name}`;

export const element = (type: string, name: string, rest: Readonly<Record<string, unknown>>): Element => ({
  type,
  spdxId: id(name),
  creationInfo: CREATION,
  ...rest,
});

export const hash = (algorithm: string, hashValue: string): unknown => ({
  type: 'Hash',
  algorithm,
  hashValue,
});

export const toolElements = (version: string): Element[] => [
  element('SoftwareAgent', 'builder', { name: 'icepkg' }),
  element('Tool', 'tool', { name: `icepkg ${version}` }),
];
