/** From a build to the audit of a root: bills of materials, provenance, and everything that can be wrong with them. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '#schema/digest';
import { envelopeSigners, readEnvelope, sealEnvelope } from '#schema/dsse';
import { encodePublicKey, generateKey, keyId } from '#schema/keys';
import { BUILDER_ID, decodeStatement, PAYLOAD_TYPE } from '#schema/provenance';
import { changeWorld } from '#engine/change-world';
import { auditProvenance } from '#engine/queries/provenance';
import { attachRepository } from '#engine/config-attach';
import { openContext, type EngineContext } from '#engine/context';
import { initRoot } from '#engine/init-root';
import { installRequest } from '#engine/requests';
import { buildRecipes, type BuiltRecipe } from '#pkgbuild/build';
import { addPackages } from '#repo-server/add';
import { inspectChannel } from '#repo-server/inspect';
import { initRepository, sameKeys } from '#repo-server/init';
import { publish } from '#repo-server/publish';
import { problemsOfSpdx2, type Spdx2 } from '../support/spdx2.ts';
import { problemsOfSpdx3 } from '../support/spdx3.ts';
import { buildRequest } from '../support/build-request.ts';

let folder: string;
const key = generateKey();
const at = (...names: string[]): string => path.join(folder, ...names);
const LIBRARY = 'library-1.2.0-r0.noarch.icepkg';
const TOOL = 'tool-1.0.0-r3.noarch.icepkg';

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-provenance-'));
  fs.writeFileSync(at('upstream.tar'), 'upstream');
  recipe(
    'library',
    `version: '1.2.0'\nlicense: MIT\narch: noarch\ninstall: install -Dm644 /dev/null "$DESTDIR/usr/include/library.h"; install -D /dev/null "$DESTDIR/usr/lib/library"\n`,
  );
  recipe(
    'tool',
    `version: '1.0.0'
release: 3
license: MIT OR LicenseRef-Tool
arch: noarch
cpe: cpe:2.3:a:maker:tool:1.0.0:*:*:*:*:*:*:*
maintainer: A Maintainer <a@maintainer.example>
buildDepends: [library]
sources:
  - file: data.bin
    sha256: ${sha256('upstream')}
    from: [{debian: tool}, {url: 'file://${at('upstream.tar')}'}]
  - path: own
patches: [own.patch]
install: |
  install -Dm644 data.bin "$DESTDIR/usr/share/tool/data"
  ln "$DESTDIR/usr/share/tool/data" "$DESTDIR/usr/share/tool/same"
  ln -s data "$DESTDIR/usr/share/tool/link"
  install -D own "$DESTDIR/usr/bin/tool"
`,
    { own: 'own\n', 'own.patch': '--- a/own\n+++ b/own\n@@ -1 +1 @@\n-own\n+OWN\n' },
  );
  await build();
}, 120_000);
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function recipe(name: string, body: string, files: Readonly<Record<string, string>> = {}): void {
  fs.mkdirSync(at('recipes', name), { recursive: true });
  fs.writeFileSync(at('recipes', name, 'recipe.yaml'), `name: ${name}\n${body}`);
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(at('recipes', name, file), text);
}

const build = (output = 'out', keys = [key]): Promise<BuiltRecipe[]> =>
  buildRecipes(buildRequest(folder, ['tool'], { output: at(output), keys }));

const json = (file: string): Record<string, never> =>
  JSON.parse(fs.readFileSync(at('out', file), 'utf8')) as Record<string, never>;

test('the statement names the package, the builder and everything that went in', () => {
  const bytes = fs.readFileSync(at('out', `${TOOL}.intoto.jsonl`));
  const envelope = readEnvelope(bytes, 'x');
  expect(envelopeSigners(envelope, [generateKey().public, key.public])).toEqual([key.public]);
  const statement = decodeStatement(envelope.payload, 'x');
  expect(statement.subject).toEqual([
    { name: TOOL, digest: { sha256: sha256(fs.readFileSync(at('out', TOOL))) } },
  ]);
  const { buildDefinition, runDetails } = statement.predicate;
  expect(runDetails.builder.id).toBe(BUILDER_ID);
  expect(runDetails.byproducts).toEqual(
    ['.spdx.json', '.spdx3.json'].map((end) => ({
      name: `${TOOL}${end}`,
      digest: { sha256: sha256(fs.readFileSync(at('out', `${TOOL}${end}`))) },
    })),
  );
  expect(buildDefinition.externalParameters).toEqual({
    recipe: { name: 'tool', version: '1.0.0', release: 3 },
    arch: 'noarch',
    codec: 'zstd',
  });
  const materials = buildDefinition.resolvedDependencies ?? [];
  expect(materials.map(({ name, annotations }) => [annotations?.['kind'], name])).toEqual([
    ['recipe', 'recipe.yaml'],
    ['recipe', 'own.patch'],
    ['recipe', 'own'],
    ['source', 'data.bin'],
    ['dependency', 'library'],
    ['dependency', 'library-dev'],
  ]);
  expect(materials[3]).toMatchObject({
    uri: `file://${at('upstream.tar')}`,
    digest: { sha256: sha256('upstream') },
  });
  expect(materials[4]).toMatchObject({ uri: 'pkg:generic/library@1.2.0-r0?arch=noarch' });
});

test('the SPDX 2.3 document keeps the letter of its schema, and lists files, sources and build dependencies', () => {
  const document = json(`${TOOL}.spdx.json`) as unknown as Spdx2;
  expect(problemsOfSpdx2(document)).toEqual([]);
  expect(document.documentNamespace).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
  expect(document.creationInfo.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const [main, ...others] = document.packages;
  const data = createHash('sha1').update('upstream').digest('hex');
  const own = createHash('sha1').update('OWN\n').digest('hex');
  const code = createHash('sha1').update([data, data, own].sort().join('')).digest('hex');
  expect(main).toMatchObject({
    name: 'tool',
    versionInfo: '1.0.0-r3',
    licenseDeclared: 'MIT OR LicenseRef-Tool',
    packageVerificationCode: { packageVerificationCodeValue: code },
    supplier: 'Person: A Maintainer (a@maintainer.example)',
  });
  expect(document.files.map(({ fileName }) => fileName)).toEqual([
    './usr/bin/tool',
    './usr/share/tool/data',
    './usr/share/tool/same',
  ]);
  expect(others.map(({ name, primaryPackagePurpose }) => `${name} ${primaryPackagePurpose}`)).toEqual([
    'recipe.yaml SOURCE',
    'own.patch SOURCE',
    'own SOURCE',
    'data.bin SOURCE',
    'library INSTALL',
    'library-dev INSTALL',
  ]);
  expect(document.hasExtractedLicensingInfos?.map(({ licenseId }) => licenseId)).toEqual(['LicenseRef-Tool']);
});

test('the SPDX 3 document keeps to its model, and is a graph without loose ends', () => {
  const document = json(`${TOOL}.spdx3.json`) as unknown as Parameters<typeof problemsOfSpdx3>[0];
  expect(problemsOfSpdx3(document)).toEqual([]);
  const { '@graph': graph } = document;
  const ids = new Set(graph.map((one) => one.spdxId ?? one['@id']));
  expect(ids.size).toBe(graph.length);
  const named = graph.flatMap((one) =>
    Object.entries(one).flatMap(([member, value]) =>
      [
        'creationInfo',
        'createdBy',
        'createdUsing',
        'rootElement',
        'element',
        'from',
        'to',
        'suppliedBy',
      ].includes(member)
        ? [value].flat()
        : [],
    ),
  );
  expect(named.filter((id) => !ids.has(String(id)))).toEqual([]);
  expect(new Set(graph.map(({ type }) => type))).toEqual(
    new Set([
      'CreationInfo',
      'SpdxDocument',
      'software_Sbom',
      'SoftwareAgent',
      'Tool',
      'Agent',
      'software_Package',
      'software_File',
      'simplelicensing_LicenseExpression',
      'Relationship',
      'LifecycleScopedRelationship',
    ]),
  );
});

test('the same build gives the same documents, another key another statement only', async () => {
  const other = generateKey();
  await build('again');
  await build('other', [other]);
  const names = fs.readdirSync(at('out'));
  expect(names.filter((name) => name.startsWith(TOOL)).length).toBe(4);
  for (const name of names)
    expect(fs.readFileSync(at('again', name))).toEqual(fs.readFileSync(at('out', name)));
  const envelope = readEnvelope(fs.readFileSync(at('other', `${TOOL}.intoto.jsonl`)), 'x');
  expect(envelopeSigners(envelope, [key.public, other.public])).toEqual([other.public]);
});

/** A repository of what was built, and a root that installed `tool` from it. */
async function installedRoot(
  name: string,
  change: (folder: string) => void = () => {},
): Promise<EngineContext> {
  fs.cpSync(at('out'), at(name, 'out'), { recursive: true });
  change(at(name, 'out'));
  const repository = at(name, 'repository');
  const { trustedRoot } = await initRepository(repository, {
    name: 'main',
    roles: sameKeys([key.public]),
    keys: [key],
  });
  await addPackages(repository, [at(name, 'out', LIBRARY), at(name, 'out', TOOL)]);
  await publish(repository, { keys: [key] });
  const root = at(name, 'root');
  initRoot(root, { arch: 'x86_64' });
  attachRepository(root, { name: 'main', mirrors: [repository], trustedRoot });
  trust(root, encodePublicKey(key.public));
  const context = openContext({ root, sync: false });
  await changeWorld(context, {
    ...installRequest(['tool']),
    dryRun: false,
    confirm: async () => true,
  });
  return context;
}

function trust(root: string, bytes: Uint8Array): void {
  fs.mkdirSync(path.join(root, 'etc/icepkg/keys'), { recursive: true });
  fs.writeFileSync(path.join(root, 'etc/icepkg/keys/packager.pub'), bytes);
}

const auditOf = (context: EngineContext, builders = [BUILDER_ID]): Promise<string[]> =>
  auditProvenance(context, { builders }).then(({ findings }) =>
    findings.map(({ severity, subject, message }) => `${severity} ${subject} ${message}`),
  );

test('the audit of a root finds nothing where all is well, and says what made each package', async () => {
  const context = await installedRoot('well');
  const { findings, packages } = await auditProvenance(context, { builders: [BUILDER_ID] });
  expect(findings).toEqual([]);
  expect(packages).toMatchObject([
    { package: 'tool-1.0.0-r3', builder: BUILDER_ID, signedBy: [keyId(key.public)] },
  ]);
  expect(packages[0]?.materials).toContainEqual({ name: 'data.bin', sha256: sha256('upstream') });
  expect(await auditOf(context, ['urn:other'])).toEqual([
    `error tool-1.0.0-r3 its builder is ${BUILDER_ID}, not urn:other`,
  ]);
  trust(context.root, encodePublicKey(generateKey().public));
  expect(await auditOf(context)).toEqual([
    `warning tool-1.0.0-r3 its provenance is signed by ${keyId(key.public).slice(0, 16)}, and no such key is in etc/icepkg/keys`,
  ]);
});

test('a document that a mirror lost or changed is told', async () => {
  const context = await installedRoot('mirror');
  const mirrored = at('mirror/repository/packages/noarch');
  const statement = path.join(mirrored, `${TOOL}.intoto.jsonl`);
  fs.writeFileSync(statement, fs.readFileSync(statement, 'utf8').replace('payload', 'Payload'));
  fs.rmSync(path.join(mirrored, `${TOOL}.spdx.json`));
  const findings = await auditOf(context);
  expect(findings).toHaveLength(2);
  expect(findings[0]).toMatch(/^warning .* its bill of materials is not at hand: .*not found/);
  expect(findings[1]).toMatch(/^error .* its provenance is not at hand/);
  expect(inspectChannel(at('mirror/repository'), 'stable').problems).toEqual([
    expect.stringContaining(`${TOOL}.spdx.json is missing`),
  ]);
});

test('packages without documents are told, and get theirs when they are added again', async () => {
  const hidden = ['.spdx.json', '.spdx3.json', '.intoto.jsonl'].map((end) => `${TOOL}${end}`);
  const context = await installedRoot('without', (out) => {
    for (const name of hidden) fs.rmSync(path.join(out, name));
  });
  expect(await auditOf(context)).toEqual([
    'warning tool-1.0.0-r3 has no bill of materials: the repository main publishes none for it',
    'warning tool-1.0.0-r3 has no provenance: the repository main publishes none for it',
  ]);
  for (const name of hidden) fs.copyFileSync(at('out', name), at('without/out', name));
  await addPackages(at('without/repository'), [at('without/out', TOOL)]);
  await publish(at('without/repository'), { keys: [key] });
  expect(await auditOf(context)).toEqual([]);
});

/** Seals the statement of `tool` anew after a change. */
function reseal(out: string, change: (statement: never) => void, keys = [key]): void {
  const file = path.join(out, `${TOOL}.intoto.jsonl`);
  const statement = JSON.parse(
    Buffer.from(readEnvelope(fs.readFileSync(file), 'x').payload).toString(),
  ) as never;
  change(statement);
  fs.writeFileSync(file, sealEnvelope(PAYLOAD_TYPE, Buffer.from(JSON.stringify(statement)), keys));
}

test('a statement of another package is not taken into a repository', async () => {
  await expect(
    installedRoot('foreign', (out) =>
      fs.copyFileSync(path.join(out, `${LIBRARY}.intoto.jsonl`), path.join(out, `${TOOL}.intoto.jsonl`)),
    ),
  ).rejects.toMatchObject({ code: 'package-corrupt' });
  await expect(
    installedRoot('garbage', (out) => fs.writeFileSync(path.join(out, `${TOOL}.spdx.json`), 'no json')),
  ).rejects.toMatchObject({ code: 'format-invalid' });
});

interface Predicate {
  predicate: {
    buildDefinition: { resolvedDependencies?: { digest?: Record<string, string> }[] };
    runDetails: { byproducts: { digest: Record<string, string> }[] };
  };
}

test.each([
  ['nobody signed', (out: string) => reseal(out, () => {}, []), /^error .* nobody signed its provenance$/],
  [
    'it names no sources',
    (out: string) => reseal(out, (of: Predicate) => delete of.predicate.buildDefinition.resolvedDependencies),
    /^warning .* names nothing that went into it$/,
  ],
  [
    'a source has no sum',
    (out: string) =>
      reseal(out, (of: Predicate) => delete of.predicate.buildDefinition.resolvedDependencies?.[3]?.digest),
    /^warning .* gives no sha256 for data\.bin$/,
  ],
  [
    'it names another bill of materials',
    (out: string) =>
      reseal(out, (of: Predicate) => {
        for (const one of of.predicate.runDetails.byproducts.slice(0, 1))
          one.digest = { sha256: '0'.repeat(64) };
      }),
    /^error .*\.spdx\.json is not the one that its provenance names$/,
  ],
  [
    'the signature is wrong',
    (out: string) => {
      const file = path.join(out, `${TOOL}.intoto.jsonl`);
      const envelope = JSON.parse(fs.readFileSync(file, 'utf8')) as { signatures: { sig: string }[] };
      for (const one of envelope.signatures) one.sig = Buffer.alloc(64, 1).toString('base64');
      fs.writeFileSync(file, JSON.stringify(envelope));
    },
    /^error .* has a wrong signature by [0-9a-f]{16}$/,
  ],
] as const)('%s: the audit says so', async (name, change, finding) => {
  const context = await installedRoot(name.replaceAll(' ', '-'), change);
  const findings = await auditOf(context);
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatch(finding);
});

test('a bill of materials that disagrees with the package is an error', async () => {
  const context = await installedRoot('bill', (out) => {
    const file = path.join(out, `${TOOL}.spdx.json`);
    const text = fs.readFileSync(file, 'utf8').replace('./usr/bin/tool', './usr/bin/other');
    fs.writeFileSync(file, text);
  });
  expect(await auditOf(context)).toEqual([
    'error tool-1.0.0-r3 its bill of materials has other content for usr/bin/tool',
    'error tool-1.0.0-r3 its bill of materials lists usr/bin/other, which the package has not',
    `error tool-1.0.0-r3 ${TOOL}.spdx.json is not the one that its provenance names`,
  ]);
});
