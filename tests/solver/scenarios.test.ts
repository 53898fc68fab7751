import { describe, expect, it } from 'vitest';
import { outcome, pkg } from './support.ts';

const chain = [
  pkg('bash-5.2.0-r0', { depends: ['so:libreadline.so.8'] }),
  pkg('readline-8.2.0-r0', { provides: ['so:libreadline.so.8@=8.2.0'], depends: ['ncurses@^6'] }),
  pkg('ncurses-6.4.0-r0'),
  pkg('ncurses-6.5.0-r0'),
  pkg('ncurses-7.0.0-r0'),
];

describe('installing', () => {
  it('brings what is needed, the newest that fits, before what needs it', () =>
    expect(outcome({ repositories: { main: chain }, world: ['bash'] })).toEqual([
      'install ncurses 6.5.0-r0: needed by readline (ncurses@^6)',
      'install readline 8.2.0-r0: needed by bash (so:libreadline.so.8)',
      'install bash 5.2.0-r0: requested',
    ]));

  it('leaves installed versions alone unless an upgrade is asked for', () => {
    const installed = [pkg('ncurses-6.4.0-r0')];
    expect(outcome({ repositories: { main: chain }, installed, world: ['ncurses', 'bash'] })).toEqual([
      'install readline 8.2.0-r0: needed by bash (so:libreadline.so.8)',
      'install bash 5.2.0-r0: requested',
    ]);
    expect(
      outcome({ repositories: { main: chain }, installed, world: ['ncurses'], options: { upgrade: 'all' } }),
    ).toEqual(['upgrade ncurses 6.4.0-r0 -> 7.0.0-r0: requested']);
  });

  it('goes back from the newest where it leads nowhere', () => {
    const main = [
      pkg('app-1.0.0-r0', { depends: ['lib'] }),
      pkg('lib-1.0.0-r0'),
      pkg('lib-2.0.0-r0', { depends: ['base@^2'] }),
      pkg('base-1.0.0-r0'),
    ];
    expect(outcome({ repositories: { main }, world: ['app'] })).toEqual([
      'install lib 1.0.0-r0: needed by app',
      'install app 1.0.0-r0: requested',
    ]);
  });

  it('takes an exact release', () => {
    const main = [pkg('a-1.0.0-r0'), pkg('a-1.0.0-r1'), pkg('a-1.0.0-r2')];
    expect(outcome({ repositories: { main }, world: ['a@=1.0.0-r1'] })).toEqual([
      'install a 1.0.0-r1: requested',
    ]);
    expect(outcome({ repositories: { main }, world: ['a@=1.0.0'] })).toEqual([
      'install a 1.0.0-r2: requested',
    ]);
  });

  it('installs one package again where asked', () =>
    expect(
      outcome({
        repositories: { main: chain },
        installed: [pkg('ncurses-6.5.0-r0')],
        world: ['ncurses'],
        reinstall: ['ncurses'],
      }),
    ).toEqual(['reinstall ncurses 6.5.0-r0 -> 6.5.0-r0: requested']));
});

describe('removing', () => {
  it('removes what nothing needs any more, dependents first', () => {
    const installed = [pkg('bash-5.2.0-r0', { depends: ['readline'] }), pkg('readline-8.2.0-r0')];
    expect(outcome({ repositories: { main: chain }, installed, world: [], worldBefore: ['bash'] })).toEqual([
      'remove bash 5.2.0-r0: requested',
      'remove readline 8.2.0-r0: no longer needed',
    ]);
    expect(
      outcome({
        repositories: { main: [] },
        installed,
        world: [],
        worldBefore: ['bash'],
        options: { keepOrphans: true },
      }),
    ).toEqual([]);
  });
});

describe('alternatives, virtuals and providers', () => {
  const main = [
    pkg('web-1.0.0-r0', { depends: ['nginx@^2 | httpd'] }),
    pkg('nginx-1.0.0-r0'),
    pkg('apache-2.0.0-r0', { provides: ['httpd'], providerPriority: 10 }),
    pkg('busybox-1.0.0-r0', { provides: ['httpd'], providerPriority: 1 }),
  ];
  it('prefers the provider of the highest priority', () =>
    expect(outcome({ repositories: { main }, world: ['web'] })).toEqual([
      'install apache 2.0.0-r0: needed by web (nginx@^2 | httpd)',
      'install web 1.0.0-r0: requested',
    ]));
  it('prefers a provider that is installed', () =>
    expect(
      outcome({
        repositories: { main },
        installed: [pkg('busybox-1.0.0-r0', { provides: ['httpd'] })],
        world: ['web', 'busybox'],
      }),
    ).toEqual(['install web 1.0.0-r0: requested']));
  it('takes another provider where the first is refused', () =>
    expect(outcome({ repositories: { main }, world: ['web', '!apache'] })).toEqual([
      'install busybox 1.0.0-r0: needed by web (nginx@^2 | httpd)',
      'install web 1.0.0-r0: requested',
    ]));
  it('never satisfies a range by a virtual without a version', () =>
    expect(outcome({ repositories: { main }, world: ['httpd@^2'] })[0]).toBe('no answer:'));
  it('has one provider of a versioned name', () => {
    const rivals = [
      pkg('mta-a-1.0.0-r0', { provides: ['mta@=1.0.0'] }),
      pkg('mta-b-1.0.0-r0', { provides: ['mta@=1.0.0'] }),
    ];
    expect(outcome({ repositories: { main: rivals }, world: ['mta-a', 'mta-b'] })).toEqual([
      'no answer:',
      'mta-a is asked for (there is mta-a-1.0.0-r0)',
      'mta-b is asked for (there is mta-b-1.0.0-r0)',
      'mta-a-1.0.0-r0 provides mta, of which there can be only one',
    ]);
  });
});

describe('wishes', () => {
  const main = [
    pkg('app-1.0.0-r0', { recommends: ['app-doc'] }),
    pkg('app-doc-1.0.0-r0', { depends: ['reader'] }),
    pkg('reader-1.0.0-r0'),
    pkg('nginx-1.0.0-r0'),
    pkg('dinit-1.0.0-r0'),
    pkg('nginx-service-1.0.0-r0', { installIf: ['nginx', 'dinit'] }),
  ];
  it('installs recommendations, unless refused or impossible', () => {
    expect(outcome({ repositories: { main }, world: ['app'] })).toHaveLength(3);
    expect(outcome({ repositories: { main }, world: ['app'], options: { recommends: false } })).toHaveLength(
      1,
    );
    expect(outcome({ repositories: { main }, world: ['app', '!reader'] })).toEqual([
      'install app 1.0.0-r0: requested',
    ]);
  });
  it('installs a conditional package when all conditions are met', () => {
    expect(outcome({ repositories: { main }, world: ['nginx'] })).toEqual([
      'install nginx 1.0.0-r0: requested',
    ]);
    expect(outcome({ repositories: { main }, world: ['nginx', 'dinit'] })).toContain(
      'install nginx-service 1.0.0-r0: comes with nginx and dinit',
    );
  });
});

describe('holds and pins', () => {
  const repositories = { main: [pkg('a-1.0.0-r0'), pkg('a-2.0.0-r0')], edge: [pkg('a-3.0.0-r0')] };
  it('keeps what is held', () =>
    expect(
      outcome({
        repositories,
        installed: [pkg('a-1.0.0-r0')],
        world: ['a'],
        holds: ['a'],
        options: { upgrade: 'all' },
      }),
    ).toEqual([]));
  it('says what a hold forbids', () =>
    expect(outcome({ repositories, installed: [pkg('a-1.0.0-r0')], world: ['a@^2'], holds: ['a'] })).toEqual([
      'no answer:',
      'a@^2 is asked for (there is a-2.0.0-r0)',
      'a is held at 1.0.0-r0',
    ]));
  it('takes a pinned name from its repository only', () =>
    expect(outcome({ repositories, world: ['a'], pins: { a: 'main' } })).toEqual([
      'install a 2.0.0-r0: requested',
    ]));
});

describe('proofs', () => {
  it('names the missing package', () =>
    expect(
      outcome({ repositories: { main: [pkg('app-1.0.0-r0', { depends: ['gone'] })] }, world: ['app'] }),
    ).toEqual([
      'no answer:',
      'app is asked for (there is app-1.0.0-r0)',
      'app-1.0.0-r0 needs gone, which no repository offers',
    ]));
  it('names both sides of a conflict', () => {
    const main = [pkg('a-1.0.0-r0', { depends: ['!b'] }), pkg('b-1.0.0-r0')];
    const lines = outcome({ repositories: { main }, world: ['a', 'b'] });
    expect(lines).toContain('a-1.0.0-r0 conflicts with b');
    expect(lines).toContain('b is asked for (there is b-1.0.0-r0)');
  });
});
