/** Which package's offer a link leads to, and when it is the operator's. */
import { expect, it } from 'vitest';
import { decideLink, type Offer } from '#engine/declared/alternatives';

const offer = (name: string, priority: number): Offer => ({
  package: name,
  link: 'usr/bin/vi',
  target: name,
  priority,
});
const nano = offer('nano', 10);
const vim = offer('vim', 50);
const busybox = offer('busybox', 10);
const link = (target: string) => ({ kind: 'symlink' as const, target });
const NOTHING = { kind: undefined, target: undefined };

it.each([
  ['the highest priority wins', [], [nano, vim], NOTHING, { action: 'link', offer: vim }],
  ['of equals the first by name', [], [nano, busybox], NOTHING, { action: 'link', offer: busybox }],
  ['a better one takes the link over', [nano], [nano, vim], link('nano'), { action: 'link', offer: vim }],
  ['a lesser one does not', [vim], [nano, vim], link('vim'), { action: 'keep', offer: vim }],
  [
    'the next takes over from one that goes',
    [nano, vim],
    [nano],
    link('vim'),
    { action: 'link', offer: nano },
  ],
  ['the last takes the link with it', [vim], [], link('vim'), { action: 'remove' }],
  ['what the operator chose stays', [nano, vim], [nano, vim], link('nano'), { action: 'keep', offer: nano }],
  [
    'also over a better one',
    [nano, busybox],
    [nano, busybox, vim],
    link('nano'),
    { action: 'keep', offer: nano },
  ],
  ['until it goes', [nano, vim], [vim], link('nano'), { action: 'link', offer: vim }],
  ['what nobody ever offered stays', [vim], [nano, vim], link('emacs'), { action: 'keep', offer: vim }],
  ['even when nobody offers anything', [vim], [], link('emacs'), { action: 'nothing' }],
  [
    'a file in its place stays',
    [vim],
    [nano, vim],
    { kind: 'file', target: undefined },
    { action: 'keep', offer: vim },
  ],
  ['a link that was made by hand alike is taken', [], [vim], link('vim'), { action: 'keep', offer: vim }],
  ['another one is in the way', [], [vim], link('emacs'), { action: 'conflict', offer: vim }],
  [
    'a file is in the way',
    [],
    [vim],
    { kind: 'file', target: undefined },
    { action: 'conflict', offer: vim },
  ],
  ['a link that was deleted comes back', [vim], [vim], NOTHING, { action: 'link', offer: vim }],
] as const)('%s', (...row) => {
  const [, before, after, disk, decision] = row;
  expect(decideLink({ before, after, ...disk })).toEqual(decision);
});
