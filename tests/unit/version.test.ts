import { describe, expect, it } from 'vitest';
import { parseDependency } from '#schema/dependency';
import { compareVersions, parseRange, parseVersion, satisfies, type Version } from '#schema/version';

const version = (text: string): Version => {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`not a version: ${text}`);
  return parsed;
};
const within = (text: string, range: string): boolean => {
  const parsed = parseRange(range);
  if (parsed === undefined) throw new Error(`not a range: ${range}`);
  return satisfies(version(text), parsed);
};

describe('versions', () => {
  it.each([
    '1.36.1',
    '1.36-r0',
    '1.2.3-r01',
    '1.2.3-r-1',
    'v1.2.3-r0',
    '01.2.3-r0',
    '',
    '1.2.3 -r0',
    '1.2.3-r0\n',
  ])('refuses %j', (text) => expect(parseVersion(text)).toBeUndefined());

  it('orders semantic versions first, then releases', () => {
    const texts = ['1.10.0-r0', '1.2.0-r10', '1.2.0-r2', '1.2.0-rc.1-r9', '1.2.0+b.2-r0'];
    expect(
      texts
        .map(version)
        .sort(compareVersions)
        .map((v) => v.text),
    ).toEqual(['1.2.0-rc.1-r9', '1.2.0-r2', '1.2.0-r10', '1.2.0+b.2-r0', '1.10.0-r0']);
  });
});

describe('ranges', () => {
  it.each([
    ['1.2.3-r4', '^1.2', true],
    ['2.0.0-r0', '^1.2', false],
    ['2.0.0-rc.1-r0', '^1.2', false],
    ['1.3.0-rc.1-r0', '^1.2', true],
    ['1.2.3-r4', '=1.2.3', true],
    ['1.2.3-r4', '=1.2.3-r4', true],
    ['1.2.3-r5', '=1.2.3-r4', false],
    ['1.2.3-r5', '>=1.2.3-r4 <2', true],
    ['1.2.3-r3', '>=1.2.3-r4 <2', false],
    ['3.0.0-r0', '>=1.2.3-r4 <2 || =3.0.0', true],
    ['1.2.3-r9', '>1.2.3', false],
    ['1.2.3-r9', '*', true],
    ['1.4.0-r0', '1.2 - 1.5', true],
  ])('%s in %s: %s', (text, range, expected) => expect(within(text, range)).toBe(expected));
});

describe('dependencies', () => {
  it('parses alternatives beside ranges with their own bars', () => {
    const parsed = parseDependency('a@^1 || ^3 | so:libz.so.1 | b');
    expect(parsed?.kind === 'needs' && parsed.anyOf.map((r) => [r.name, r.range?.text])).toEqual([
      ['a', '^1 || ^3'],
      ['so:libz.so.1', undefined],
      ['b', undefined],
    ]);
  });
  it.each(['', '!', 'a |', 'a@', 'a b', '-a', 'a@foo', 'so:', '!a | b'])('refuses %j', (text) =>
    expect(parseDependency(text)).toBeUndefined(),
  );
});
