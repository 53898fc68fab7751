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
    /twice\.yaml:3:3: map keys must be unique/,
  );
});

test('a melange file: architectures and options decide about pipelines and subpackages', async () => {
  const { recipe, said } = await imported(
    'tool.yaml',
    `package:
  name: tool
  version: \${{vars.version}}
  copyright: [{license: MIT}]
  dependencies: {runtime: [merged-usrsbin, ca-certificates-bundle, zlib]}
vars: {version: 1.2.3}
options:
  ssl: {vars: {}}
environment: {contents: {packages: [wolfi-base, alpine-baselayout-data, ca-certificates-bundle, zlib-dev]}}
pipeline:
  - uses: git-checkout
    with: {repository: "https://x.example/tool.git", expected-commit: ${'a'.repeat(40)}}
  - if-arch: amd64
    runs: ./fast
  - if-arch: riscv64
    runs: exit 1
  - if: \${{options.ssl.enabled}} == 'true'
    runs: ./with-ssl
  - if: \${{build.arch}} != 'aarch64'
    pipeline:
      - if: \${{build.arch}} == 'x86_64'
        runs: ./both
      - if: \${{build.arch}} == 'x86_64' || \${{build.arch}} == 'aarch64'
        runs: ./unsaid
  - runs: |
      # pip install is not needed
      ./build
  - uses: test/tw/ldd-check
subpackages:
  - if: \${{build.arch}} == 'x86_64'
    name: tool-fast
    pipeline: [{uses: split/bin, with: {package: tool}}, {uses: test/pkgconf}]
`,
  );
  expect(recipe).toMatchObject({
    version: '1.2.3',
    depends: ['ca-certificates', 'zlib'],
    buildDepends: ['musl', 'zlib'],
    build: [
      { run: './fast\n', if: 'x86_64' },
      { run: './both\n', if: '!aarch64 && x86_64' },
      { run: './unsaid\n' },
      { run: '# pip install is not needed\n./build\n' },
    ],
    subpackages: [{ name: 'tool-fast', files: ['usr/bin'], if: 'x86_64' }],
  });
  expect(said.filter((one) => !one.startsWith('left'))).toEqual([
    'lost options: it is as without ssl: write choices under options',
    expect.stringMatching(/^lost runs: its condition .*is not carried over$/),
    'open sources: the sha256 of tool.tar is not known: the first build says it',
  ]);
  await expect(
    imported('filled.yaml', 'package:\n  name: a\n  version: {{ .Version }}\n'),
  ).rejects.toMatchObject({ message: expect.stringContaining('which a build fills in') as string });
});

test('a melange file: accounts, downloads and files that it does not fetch', async () => {
  const { recipe, said } = await imported(
    'tool.yaml',
    `package:
  name: tool
  version: "1.0.0"
  copyright: [{license: MIT}]
  scriptlets:
    pre-install: |
      #!/bin/sh
      addgroup -S tool 2>/dev/null || true
      adduser -S -D -H -G tool tool 2>/dev/null || true
    post-install: chown tool /var/log/tool
    trigger: { paths: [/usr/lib], script: ldconfig }
pipeline:
  - uses: npm/install
    with: {package: tool}
  - uses: ruby/build
  - runs: uv sync
`,
  );
  expect(recipe).toMatchObject({
    users: [{ name: 'tool', group: 'tool' }],
    groups: [{ name: 'tool' }],
    owners: [{ path: 'var/log/tool', user: 'tool' }],
  });
  expect(said.filter((one) => !one.startsWith('left'))).toEqual([
    'lost package.scriptlets.trigger: packages have no triggers',
    'lost npm/install: it downloads what it installs: name it and all that it needs under sources (npm: NAME), and use the pipeline node',
    'lost ruby/build: it installs for Ruby, which no recipe here makes: write the steps once one does',
    'lost runs: uv sync wants the network, which builds do not have',
    'open sources: it fetches none, so what it builds lies in a folder of its own: name that under sources',
  ]);
});

test.each([
  [
    'github: {identifier: a/b, strip-prefix: v}',
    'https://github.com/a/b',
    'v1.2\nx-v1.3\nv2-rc',
    ['1.2', '2-rc'],
  ],
  [
    'github: {identifier: a/b, strip-prefix: v, tag-filter: v1.}',
    'https://github.com/a/b',
    'v1.2\nv2.0',
    ['1.2'],
  ],
  [
    'git: {strip-prefix: r-, strip-suffix: -stable}',
    'https://x.example/t.git',
    'r-1.2-stable\nr-1.3',
    ['1.2'],
  ],
])('a melange file: new versions are tags: %s', async (update, git, tags, versions) => {
  const { recipe } = await imported(
    'tool.yaml',
    `package: {name: tool, version: "1.0.0", copyright: [{license: MIT}]}
pipeline:
  - uses: git-checkout
    with: {repository: "https://x.example/t.git", expected-commit: ${'a'.repeat(40)}}
update: {enabled: true, ${update}}
`,
  );
  const said = recipe['update'] as { readonly git: string; readonly pattern: string };
  expect(said.git).toBe(git);
  expect([...tags.matchAll(new RegExp(said.pattern, 'g'))].map((match) => match[1])).toEqual(versions);
});

test('a melange file: one text that builds and installs, and variables of another distribution in options', async () => {
  const source = `pipeline:
  - uses: git-checkout
    with: {repository: "https://x.example/t.git", expected-commit: ${'a'.repeat(40)}}`;
  const both = await imported(
    'both.yaml',
    `package: {name: both, version: "1.0.0", copyright: [{license: MIT}]}
${source}
  - runs: |
      cmake -B build -G Ninja -DCMAKE_CXX_FLAGS="$CXXFLAGS" -DSHARED=ON
      cmake --build build
      DESTDIR="\${{targets.destdir}}" cmake --install build
`,
  );
  expect(both.recipe).toMatchObject({ uses: 'cmake', with: { options: ['-DSHARED=ON'] } });
  const sets = await imported(
    'sets.yaml',
    `package: {name: sets, version: "1.0.0", copyright: [{license: MIT}]}
${source}
  - runs: |
      at=$(date -u +%Y)
      make
      install tool "\${{targets.destdir}}/usr/share/$at"
`,
  );
  expect(sets.recipe['build']).toBeUndefined();
  expect(sets.recipe['install']).toContain('at=$(date -u +%Y)\nmake\ninstall tool');
  const options = await imported(
    'options.yaml',
    `package: {name: options, version: "1.0.0", copyright: [{license: MIT}]}
${source}
  - uses: autoconf/configure
    with: {opts: "--build=$CBUILD --host=$CHOST --with-x=\${{vars.unheard}}"}
  - uses: autoconf/make
  - uses: autoconf/make-install
update:
  github: {identifier: a/b}
  version-transform: [{match: "_", replace: "."}]
`,
  );
  expect(options.said).toContain('lost runs: the step uses vars.unheard, which is not known');
  expect(JSON.stringify(options.recipe)).not.toMatch(/CBUILD|CHOST|update/);
});
