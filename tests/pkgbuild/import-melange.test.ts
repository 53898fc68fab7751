/** Files of melange as recipes: what is carried over, and what is told. */
import { expect, test } from 'vitest';
import { importer } from '../support/importer.ts';

const { imported } = importer();

test('a melange file: variables, transforms, pipelines, ranges and subpackages', async () => {
  const { recipe, said } = await imported(
    'tool.yaml',
    `package:
  name: tool
  version: "3.1"
  epoch: 2
  description: a tool
  copyright: [{license: MIT}, {license: Apache-2.0 OR Zlib}]
  dependencies:
    runtime: ["zlib~1.3", "tool-data=\${{package.version}}-r\${{package.epoch}}"]
    provides: ["tools=\${{package.full-version}}"]
environment:
  environment: {MODE: "\${{vars.mode}}"}
  contents: {packages: [build-base, openssl-3.0-dev, unheard-dev]}
vars: {mode: fast}
'$(odd*': 1
var-transforms:
  - {from: "\${{package.version}}", match: "\\\\.", replace: _, to: under}
data:
  - name: kinds
    items: {one: first, two: second}
pipeline:
  - uses: fetch
    with:
      uri: https://tool.example/tool_\${{vars.under}}.tar.gz
      expected-sha256: ${'d'.repeat(64)}
  - uses: patch
    with: {patches: a.patch b.patch}
  - uses: autoconf/configure
    with:
      opts: |
        --enable-a \\
        --disable-b
  - runs: make V=\${{vars.under}} X=$UNSET
  - uses: autoconf/make-install
  - uses: strip
  - uses: some/thing
subpackages:
  - range: kinds
    name: tool-\${{range.key}}
    description: the \${{range.value}} kind
    pipeline:
      - runs: |
          mkdir -p \${{targets.contextdir}}/usr/bin
          mv \${{targets.destdir}}/usr/bin/\${{range.key}} \${{targets.contextdir}}/usr/bin/
  - name: tool-dev
    pipeline: [{uses: split/dev}]
test: {pipeline: [{runs: "tool --version"}]}
`,
  );
  expect(recipe).toMatchObject({
    version: '3.1.0',
    release: 2,
    license: 'MIT AND (Apache-2.0 OR Zlib)',
    depends: ['tool-data@=3.1.0-r2', 'zlib@~1.3.0'],
    provides: ['tools@=3.1.0'],
    buildDepends: ['musl', 'openssl', 'unheard'],
    env: { MODE: 'fast' },
    sources: [{ file: 'tool_3_1.tar.gz', sha256: 'd'.repeat(64) }],
    patches: ['a.patch', 'b.patch'],
    subpackages: [
      { name: 'tool-one', description: 'the first kind', files: ['usr/bin/one'] },
      { name: 'tool-two', description: 'the second kind', files: ['usr/bin/two'] },
    ],
  });
  expect(recipe).toMatchObject({
    uses: 'autotools',
    with: { configure: ['--enable-a', '--disable-b'], make: ['V=3_1', 'X=$UNSET'] },
  });
  expect(said.filter((one) => one.startsWith('lost'))).toEqual([
    'lost $(odd*: is not understood',
    'lost runs: the step uses $UNSET, and $UNSET is not set in the file',
    'lost some/thing: the pipeline is not known: write its steps',
  ]);
});

test('a melange file: conditions, folders, flags, Go and keys as they are written', async () => {
  const { recipe, said } = await imported(
    'tool.yaml',
    `package:
  name: tool
  version: 3.10
  copyright: [{license: MIT}]
  cpe: {vendor: acme, product: tool}
capabilities: {add: [CAP_X]}
environment:
  environment: {CFLAGS: -DA, MODE: "1"}
  contents: {packages: [autoconf, go-1.26, bash]}
data:
  - name: versions
    items: {3.10: first}
pipeline:
  - uses: git-checkout
    with: {repository: "https://x.example/tool.git", expected-commit: ${'a'.repeat(40)}}
  - if: \${{build.arch}} == 'x86_64'
    runs: ./fast $MODE
  - if: \${{package.name}} == "other"
    runs: ./never
  - working-directory: sub
    environment: {Y: "2"}
    pipeline:
      - runs: make -j$(nproc)
  - uses: go/build
    with: {packages: ./cmd/tool, output: tool, ldflags: "-X main.v=\${{package.version}}"}
subpackages:
  - range: versions
    name: tool-\${{range.key}}
    pipeline:
      - runs: |
          for i in a b; do
            mv \${{targets.destdir}}/usr/$i/\${{range.key}} \${{targets.subpkgdir}}/usr/$i/
          done
  - name: tool-meta
    dependencies: {runtime: [tool]}
  - if: \${{build.arch}} == 's390x'
    name: tool-never
`,
  );
  const flags = 'export CFLAGS="${CFLAGS:-} -DA"\n';
  expect(recipe).toMatchObject({
    version: '3.10.0',
    upstreamVersion: '3.10',
    cpe: 'cpe:2.3:a:acme:tool:3.10.0:*:*:*:*:*:*:*',
    env: { MODE: '1' },
    hostDepends: ['autoconf', 'golang-go'],
    build: [
      { run: `${flags}./fast $MODE\n`, if: 'x86_64' },
      { run: `${flags}export Y="2"\nmkdir -p sub\ncd sub\nmake -j"$JOBS"\n` },
      { run: `${flags}go build -ldflags "-X main.v=3.10" -o tool ./cmd/tool\n` },
    ],
    install: `${flags}install -Dm755 tool "$DESTDIR/usr/bin/tool"\n`,
    subpackages: [{ name: 'tool-3.10', files: ['usr/a/3.10', 'usr/b/3.10'] }],
  });
  expect(said.filter((one) => !one.startsWith('left'))).toEqual([
    'open go/build: the modules must be in the source: go mod vendor',
    'lost subpackages tool-meta: it has no files, only what it depends on',
    'open sources: the sha256 of tool.tar is not known: the first build says it',
  ]);
  await expect(imported('twice.yaml', 'package:\n  name: a\n  name: b\n')).rejects.toThrow(
    /twice\.yaml:3:3: a key is there twice/,
  );
});
