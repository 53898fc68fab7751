import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packFolders } from '#pkgbuild/pack';
import { base, folder, hold, refused, tree } from '../support/pack-folder.ts';

/** Each line stands for ten of the line before. */
const bomb = Array.from(
  { length: 9 },
  (_, i) =>
    `a${i}: &a${i} [${Array(10)
      .fill(i === 0 ? 'x' : `*a${i - 1}`)
      .join(', ')}]\n`,
).join('');

describe('a manifest file is refused for', () => {
  const file = 'hello.yaml';
  test.each([
    [
      'an unknown field',
      `${base}dependz: [a]\n`,
      `${file}:4:1: unknown field dependz`,
      'Did you mean depends?',
    ],
    [
      'a field that other tools have',
      `${base}conflicts: [a]\n`,
      `${file}:4:1: unknown field conflicts`,
      "A conflict is a dependency with a bang: depends: ['!other@<2']",
    ],
    ['a missing name', base.replace('name: hello\n', ''), `${file}:1:1: missing field name`, undefined],
    [
      'a misspelt name',
      base.replace('name: hello', 'nmae: hello'),
      `${file}:1:1: unknown field nmae`,
      'Did you mean name?',
    ],
    ['no architecture', base.replace('arch: noarch\n', ''), `${file}:1:1: missing field arch`, undefined],
    [
      'a version that is none',
      base.replace('1.0.0-r0', '9.2p1'),
      `${file}:2:1: version: expected a version such as 1.2.3-r0`,
      undefined,
    ],
    [
      'two releases',
      `${base}release: 1\n`,
      `${file}:4:1: release: the version 1.0.0-r0 has a release already`,
      undefined,
    ],
    [
      'a number as mode',
      `${base}owners:\n  - path: etc\n    mode: 0644\n`,
      `${file}:6:5: owners[0].mode: expected octal text in quotes such as "0644"`,
      undefined,
    ],
    [
      'a rule that matches nothing',
      `${base}owners:\n  - path: etc/shadow\n    mode: '0600'\n`,
      `${file}:5:5: owners[0].path: matches nothing in tree`,
      undefined,
    ],
    [
      'a configuration file that is not there',
      `${base}configFiles: [etc/a, etc/none]\n`,
      `${file}:4:22: configFiles[1]: matches no file in tree`,
      undefined,
    ],
    [
      'an absolute pattern',
      `${base}configFiles: [/etc/a]\n`,
      `${file}:4:15: configFiles[0]: expected a path pattern relative to the root, without a leading slash`,
      undefined,
    ],
    [
      'an entry that the folder holds',
      `${base}entries:\n  - {type: fifo, path: etc/a}\n`,
      `${file}:5:18: entries[0].path: etc/a is in the package already`,
      undefined,
    ],
    [
      'an entry outside the root',
      `${base}entries:\n  - {type: fifo, path: ../etc/a}\n`,
      /^hello\.yaml:5:18: entries\[0\]\.path: expected a relative path/,
      undefined,
    ],
    [
      'an entry of no known type',
      `${base}entries:\n  - {type: socket, path: a}\n`,
      /^hello\.yaml:5:6: entries\[0\]\.type: expected a type: directory, /,
      undefined,
    ],
    [
      'unknown capabilities',
      `${base}owners: [{path: etc/a, capabilities: cap_fly+ep}]\n`,
      `${file}:4:24: owners[0].capabilities: expected capabilities such as cap_net_raw+ep`,
      undefined,
    ],
    [
      'a link to nothing',
      `${base}entries: [{type: hardlink, path: b, target: a}]\n`,
      `${file}:4:37: entries[0].target: a is no file of the package`,
      undefined,
    ],
    [
      'something declared twice',
      `${base}groups: [{name: a}, {name: a}]\n`,
      /^hello\.yaml: manifest of .*: groups: declares a twice$/,
      undefined,
    ],
    ['a duplicate key', `${base}name: again\n`, /^hello\.yaml:4:1: /, undefined],
    ['broken YAML', 'name: [\n', /^hello\.yaml:\d+:\d+: /, undefined],
    ['aliases without end', bomb, /^hello\.yaml:/, undefined],
    ['an empty file', '', /^hello\.yaml:1:1: /, undefined],
  ])('%s', async (_, text, message, hint) => {
    hold({ 'etc/a': 'a' });
    const error = await refused(text);
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
    expect(error.code).toBe('format-invalid');
    if (hint === undefined) expect(error.hint).not.toBe('');
    else expect(error.hint).toBe(hint);
  });
});

describe('a folder is refused for', () => {
  test.each([
    ['a control character', 'a\u001b[31m'],
    ['a newline', 'a\nb'],
    ['a mark that reorders text', 'a\u202etxt'],
  ])('a name with %s', async (_, name) => {
    hold({ [name]: 'x' });
    const error = await refused(base);
    expect(error).toMatchObject({ code: 'path-unsafe' });
    expect(error.message).toBe(`tree holds a path that no package may hold: ${JSON.stringify(name)}`);
  });

  test('a name that is no UTF-8', async () => {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0x61, 0xff])]), 'x');
    expect(await refused(base)).toMatchObject({ code: 'path-unsafe' });
  });

  test('the name that icepkg keeps for itself', async () => {
    hold({ '.icepkg/manifest.json': '{}' });
    expect((await refused(base)).message).toContain('.icepkg');
  });

  test('being absent, no folder, or the place of the package', async () => {
    const manifest = join(folder, 'hello.yaml');
    fs.writeFileSync(manifest, base);
    const options = { output: join(folder, 'out'), codec: 'zstd', keys: [], epoch: 0 } as const;
    await expect(packFolders([{ folder: join(folder, 'none'), manifest }], options)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(packFolders([{ folder: manifest, manifest }], options)).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(
      packFolders([{ folder: tree, manifest }], { ...options, output: join(tree, 'out') }),
    ).rejects.toMatchObject({ code: 'usage' });
    await expect(
      packFolders([{ folder: tree, manifest: join(folder, 'none.yaml') }], options),
    ).rejects.toMatchObject({ code: 'not-found' });
  });
});
