/** Declared users and groups, worked into the texts of the account files. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountLines, type AccountTexts } from '#engine/declared/account-lines';
import { planAccounts, type AccountDeclaration } from '#engine/declared/accounts';

const NONE: AccountTexts = { passwd: undefined, group: undefined, shadow: undefined, gshadow: undefined };
const BASE: AccountTexts = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\n',
  group: 'root:x:0:\nvideo:x:27:\n',
  shadow: 'root:!:::::::\n',
  gshadow: undefined,
};
const declare = (name: string, more: Partial<AccountDeclaration>): AccountDeclaration => ({
  package: name,
  users: [],
  groups: [],
  ...more,
});

describe('accounts', () => {
  it('adds a user with a group of its own and no way to log in', () => {
    const web = declare('web', { users: [{ name: 'web', uid: 80, home: '/srv', groups: ['video'] }] });
    const { texts, uid, gid } = planAccounts(BASE, [web]);
    expect(texts.passwd).toBe(`${BASE.passwd ?? ''}web:x:80:80::/srv:/sbin/nologin\n`);
    expect(texts.group).toBe('root:x:0:\nvideo:x:27:web\nweb:x:80:\n');
    expect(texts.shadow).toBe('root:!:::::::\nweb:!:::::::\n');
    expect(texts.gshadow).toBeUndefined();
    expect([uid('web'), gid('web'), uid('nobody')]).toEqual([80, 80, undefined]);
  });

  it('leaves an account alone that is there, and everything that is no account', () => {
    const passwd = '# ours\nweb:x:500:27:caf\u00e9:/home/web:/bin/ash\n\n+::::::';
    const web = declare('web', { users: [{ name: 'web', home: '/srv' }] });
    const { texts, uid } = planAccounts({ ...BASE, passwd }, [web]);
    expect(texts.passwd).toBe(passwd);
    expect(texts.shadow).toBe(BASE.shadow);
    expect(uid('web')).toBe(500);
  });

  it('is the same again, and asked in any order', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/), { maxLength: 20 });
    fc.assert(
      fc.property(names, (list) => {
        const all = list.map((name) => declare(name, { users: [{ name }], groups: [{ name: `g${name}` }] }));
        const once = planAccounts(NONE, all);
        expect(planAccounts(NONE, all.toReversed()).texts).toEqual(once.texts);
        expect(planAccounts(once.texts, all).texts).toEqual(once.texts);
        const ids = accountLines('passwd', once.texts.passwd ?? '').map(({ id }) => id);
        expect(new Set(ids).size).toBe(list.length);
        expect(ids.every((id) => id >= 100 && id <= 999)).toBe(true);
        const gids = accountLines('group', once.texts.group ?? '').map(({ id }) => id);
        expect(new Set(gids).size).toBe(gids.length);
      }),
    );
  });

  it.each([
    [
      [
        declare('a', { users: [{ name: 'web', uid: 80 }] }),
        declare('b', { users: [{ name: 'web', uid: 81 }] }),
      ],
      /user web: b wants number 81, a has 80/,
    ],
    [
      [declare('a', { users: [{ name: 'x', uid: 80 }] }), declare('b', { users: [{ name: 'y', uid: 80 }] })],
      /user y: b wants number 80, which x of a has/,
    ],
    [[declare('a', { users: [{ name: 'root', uid: 7 }] })], /user root: a wants number 7, etc\/passwd has 0/],
    [
      [declare('a', { groups: [{ name: 'sound', gid: 27 }] })],
      /group sound: a wants number 27, which video of etc\/group has/,
    ],
    [[declare('a', { users: [{ name: 'web', gecos: 'a:b' }] })], /user web: a colon/],
  ])('refuses what contradicts itself %#', (declarations, message) => {
    expect(() => planAccounts(BASE, declarations)).toThrow(message);
  });

  it.each(['root:x:0', 'root:x:zero:0::/:/bin/sh', ':x:0:0::/:/bin/sh', 'root:x:0:0::/:/bin/sh:'])(
    'names the line that is none: %s',
    (line) => {
      expect(() => planAccounts({ ...BASE, passwd: `a:x:1:1::/:/x\n${line}\n` }, [])).toThrow(
        'etc/passwd, line 2: not a valid line',
      );
    },
  );
});
