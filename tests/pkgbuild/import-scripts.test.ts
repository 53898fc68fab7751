/** Install scripts of others, and owners that their steps give: declared, carried as they stand, or told. */
import { describe, expect, test } from 'vitest';
import { importer, type ImportResult } from '../support/importer.ts';

const { imported, put } = importer();

const apkbuild = (install: string, more = ''): string => `pkgname=tool
pkgver=1.0.0
license=MIT
${more}
package() {
${install.replaceAll(/^/gm, '\t')}
}
`;

/** What a `tool.pre-install`, and the same as `tool.pre-upgrade`, comes to. */
async function script(text: string): Promise<ImportResult> {
  put('in/tool.pre-install', `#!/bin/sh\n${text}`);
  put('in/tool.pre-upgrade', `#!/bin/sh\n${text}`);
  const more = 'install="tool.pre-install tool.pre-upgrade"\npkgusers=tool\npkggroups=tool';
  return imported('APKBUILD', apkbuild('make DESTDIR="$pkgdir" install', more));
}

const lostOf = ({ said }: ImportResult): string[] => said.filter((one) => one.startsWith('lost'));

describe('what has words of its own is declared', () => {
  test('accounts', async () => {
    const result = await script(`addgroup -S -g 82 tool 2>/dev/null
getent passwd tool >/dev/null || adduser -SDH -u 100 -h /var/lib/tool -s /sbin/nologin -G tool -g "A tool" tool 2>/dev/null
addgroup tool dialout || true
! getent group extra >/dev/null && addgroup -S extra
getent passwd older >/dev/null && deluser older
if ! getent group helpers >/dev/null; then
	groupadd --system helpers
	useradd -r -g helpers -d / -s /bin/false -c 'Helps' helper
fi
exit 0
`);
    expect(lostOf(result)).toEqual([]);
    expect(result.recipe).not.toHaveProperty('scripts');
    expect(result.recipe).toMatchObject({
      groups: [{ name: 'tool', gid: 82 }, { name: 'extra' }, { name: 'helpers' }],
      users: [
        {
          name: 'tool',
          uid: 100,
          group: 'tool',
          gecos: 'A tool',
          home: '/var/lib/tool',
          shell: '/sbin/nologin',
          groups: ['dialout'],
        },
        { name: 'helper', group: 'helpers', home: '/', shell: '/bin/false', gecos: 'Helps' },
      ],
    });
  });

  test('directories and owners, and what only prints is left out', async () => {
    const result = await script(`adduser -S tool
mkdir -p /var/lib/tool /var/cache/tool
chown -R tool:tool /var/lib/tool
chmod 750 /var/lib/tool
install -d -m 0700 -o tool /var/spool/tool
chown -R tool: /etc/tool
cat >&2 <<-EOF
* Say "tool setup" > once
EOF
echo "done > well"
`);
    expect(lostOf(result)).toEqual([]);
    expect(result.recipe).not.toHaveProperty('scripts');
    expect(result.recipe).toMatchObject({
      directories: [
        { path: 'var/lib/tool', user: 'tool', group: 'tool', mode: '0750' },
        { path: 'var/cache/tool' },
        { path: 'var/spool/tool', user: 'tool', mode: '0700' },
      ],
      owners: [
        { path: 'etc/tool', user: 'tool' },
        { path: 'etc/tool/**', user: 'tool' },
      ],
    });
  });
});

test.each([
  ['something besides', 'adduser -S tool\nrm -f /etc/tool.cache\n'],
  ['a person', 'adduser -D tool\n'],
  ['an account of an unknown name', 'adduser -S $(cat /etc/hostname)\n'],
  ['an account that no system can have', 'adduser -S -u 99999999999 tool\n'],
  ['one under a condition', 'if true; then adduser -S tool; fi\n'],
  ['one after something else', 'test -e /etc/x || adduser -S tool\n'],
  ['an account where something else is written', 'grep -q x /etc/conf || adduser -S tool\n'],
  ['a file', 'echo x >/etc/tool.conf\n'],
  ['what every start empties', 'mkdir -p /run/tool\n'],
])('a script that makes %s is carried as it stands', async (_, text) => {
  const result = await script(text);
  expect(result.recipe['scripts']).toEqual({ preInstall: `set +e\n${text}`, preUpgrade: `set +e\n${text}` });
  expect(lostOf(result)).toEqual(
    text.includes('-S tool\nrm') ? [] : [expect.any(String), expect.any(String)],
  );
  expect(result.said).toContain(
    'open install: tool.pre-install is carried as it stands: look whether it can be declared, and whether it runs here',
  );
});

test('a script that asks for the versions gets them', async () => {
  const { recipe } = await script('test "$1" = 2 && rm -f /etc/tool.old\n');
  expect(recipe['scripts']).toMatchObject({
    preInstall:
      'set +e\nset -- "${ICEPKG_NEW_VERSION-}" "${ICEPKG_OLD_VERSION-}"\ntest "$1" = 2 && rm -f /etc/tool.old\n',
  });
});

test.each([
  ['rc-update add tool default\n', 'calls rc-update, which is not here'],
  ['/etc/init.d/tool restart\n', 'calls /etc/init.d/, which is not here'],
  ['/usr/bin/systemctl stop tool\n', 'calls systemctl, which is not here'],
  ['[[ -e /etc/x ]] && rm /etc/x\n', 'is written for bash'],
])('a script that is for its own system only is told: %s', async (text, why) => {
  const result = await script(text);
  expect(result.recipe).not.toHaveProperty('scripts');
  expect(lostOf(result)).toContain(`lost install: tool.pre-install ${why}: say what it does under scripts`);
});

test('scripts of a subpackage are those of the subpackage, and one that is not there is told', async () => {
  put('in/tool-extra.post-install', '#!/bin/sh\naddgroup -S extra\nmkdir -p /var/lib/extra\n');
  const more =
    'install="tool-extra.post-install tool.post-install other.post-install"\nsubpackages="$pkgname-extra"';
  const result = await imported(
    'APKBUILD',
    `${apkbuild('make DESTDIR="$pkgdir" install', more)}extra() {\n\tamove usr/share/extra\n}\n`,
  );
  expect(result.recipe['subpackages']).toEqual([
    {
      name: 'tool-extra',
      files: ['usr/share/extra'],
      groups: [{ name: 'extra' }],
      directories: [{ path: 'var/lib/extra' }],
    },
  ]);
  expect(lostOf(result)).toEqual([
    'lost install: other.post-install is for a package that is not made',
    'lost install: tool.post-install is not beside the file: say what it does, or import again with it there',
  ]);
});

test('the functions of a file for pacman are scripts; what they call comes along', async () => {
  put(
    'in/tool.install',
    `say() { words "$1"; }
words() { echo "$1"; }
c++() { :; }
post_install() {
  getent group tool >/dev/null || groupadd -r tool
  say hello
}
post_upgrade() {
  post_install "$1"
}
pre_remove() { systemctl stop tool; }
post_remove() { rm -f /etc/tool.cache; }
`,
  );
  const result = await imported(
    'PKGBUILD',
    'pkgname=tool\npkgver=1.0.0\npkgrel=1\narch=(any)\nlicense=(MIT)\ninstall=tool.install\npackage() { make DESTDIR="$pkgdir" install; }\n',
  );
  const carried =
    'set +e\nset -- "${ICEPKG_NEW_VERSION-}" "${ICEPKG_OLD_VERSION-}"\nsay() {\nwords "$1";\n}\nwords() {\necho "$1";\n}\ngetent group tool >/dev/null || groupadd -r tool\n  say hello\n';
  expect(result.recipe['groups']).toEqual([{ name: 'tool' }]);
  expect(result.recipe['scripts']).toEqual({
    postRemove: 'set +e\nrm -f /etc/tool.cache;\n',
    postInstall: carried,
    postUpgrade: carried,
  });
  expect(lostOf(result)).toEqual([
    'lost install: pre_remove() of tool.install calls systemctl, which is not here: say what it does under scripts',
  ]);
});

describe('owners that steps give become rules', () => {
  test('of install and chown', async () => {
    const { recipe, said } = await imported(
      'APKBUILD',
      apkbuild(`make DESTDIR="$pkgdir" install
install -D -o root -g at -m 640 "$srcdir"/at.allow "$pkgdir"/etc/at.allow
install -d -o tool -g tool "$pkgdir"/var/lib/tool
install -Dm600 -o tool -t "$pkgdir"/etc/tool \\
	one.conf two.conf
install -m644 -oroot x "$pkgdir"/etc/
if true; then
	chown -R tool:root "$pkgdir"/var/log/tool/
fi
chown 0:0 "$pkgdir"/etc`),
    );
    expect(recipe['owners']).toEqual([
      { path: 'etc/at.allow', group: 'at' },
      { path: 'var/lib/tool', user: 'tool', group: 'tool' },
      { path: 'etc/tool/one.conf', user: 'tool' },
      { path: 'etc/tool/two.conf', user: 'tool' },
      { path: 'var/log/tool', user: 'tool' },
      { path: 'var/log/tool/**', user: 'tool' },
    ]);
    expect(recipe['install']).toBe(`make DESTDIR="$DESTDIR" install
install -D -m 640 "/build/src"/at.allow "$DESTDIR"/etc/at.allow
install -d "$DESTDIR"/var/lib/tool
install -Dm600 -t "$DESTDIR"/etc/tool \\
	one.conf two.conf
install -m644 x "$DESTDIR"/etc/
if true; then
	:
fi
`);
    expect(said.filter((one) => one.startsWith('lost'))).toEqual([]);
  });

  test('unless nobody can tell of what', async () => {
    const result = await imported(
      'APKBUILD',
      apkbuild('for x in *; do\n\tchown tool "$pkgdir"/$x\ndone\nchown tool "$pkgdir"/a && true\n'),
    );
    expect(result.recipe).not.toHaveProperty('owners');
    expect(lostOf(result)).toHaveLength(2);
    expect(lostOf(result)[0]).toMatch(/^lost package\(\): whom "chown tool .*say it under owners$/);
  });
});
