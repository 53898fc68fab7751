import { expect, it } from 'vitest';
import { pinsByRepository } from '#engine/world';

it('takes a pin to a channel as one to the repository that follows it, and to no other', () => {
  const repositories = [
    { name: 'main', channel: 'stable' },
    { name: 'edge', channel: 'beta' },
  ];
  expect(pinsByRepository({ a: 'edge/beta', b: 'main/beta', c: 'main' }, repositories)).toEqual({
    a: 'edge',
    b: 'main/beta',
    c: 'main',
  });
});
