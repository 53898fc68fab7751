/** Artifacts: found, checked, kept, and never taken for another. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { scenario } from './scenario.ts';
import { TOP_LEVEL } from './simulator.ts';

scenario.for([
  ['target_file.txt'],
  ['path/to/a/target_file.txt'],
  ['with space and ü'],
  ['a+b&c=d;e,f@g~h'],
  ["quote'(and)*star!"],
  ['per%2Fcent/%41'],
  ['query?#fragment'],
  ['.hidden/..more'],
] as const)('downloads %s', async ([path], { repo, initialized: client }) => {
  repo.addArtifact('targets', path, 'content');
  repo.publish(...TOP_LEVEL);
  expect(await client.refresh()).toBe(0);
  expect(client.downloaded()).toEqual([]);
  expect(await client.download(path)).toBe(0);
  expect(client.downloaded()).toEqual(['content']);
});

scenario('a name that leads upwards is a name like any other', async ({ repo, initialized: client }) => {
  repo.addArtifact('targets', '../../escaped', 'content');
  repo.publish(...TOP_LEVEL);
  await client.download('../../escaped');
  expect(client.downloaded().length).toBeLessThan(2);
  expect(Object.keys(client.trusted())).toHaveLength(4);
});

scenario('an artifact at hand is not asked for again', async ({ repo, initialized: client }) => {
  repo.addArtifact('targets', 'file', 'content');
  repo.publish(...TOP_LEVEL);
  expect(await client.download('file')).toBe(0);
  expect(await client.download('file')).toBe(0);
  expect(repo.downloads).toHaveLength(1);
});

scenario('content that was replaced is refused', async ({ repo, initialized: client }) => {
  for (const path of ['one', 'two']) repo.addArtifact('targets', path, `content of ${path}`);
  repo.publish(...TOP_LEVEL);
  expect(await client.download('one')).toBe(0);
  for (const artifact of repo.artifacts.values()) artifact.data = Buffer.from('malicious stuff');
  await client.download('one');
  expect(client.downloaded()).toEqual(['content of one']);
  expect(await client.download('two')).toBe(1);
  expect(client.downloaded()).toEqual(['content of one']);
});

scenario('content that is longer than told is refused', async ({ repo, initialized: client }) => {
  const target = repo.addArtifact('targets', 'file', 'content and more');
  target.length = 7;
  repo.publish(...TOP_LEVEL);
  expect(await client.download('file')).toBe(1);
  expect(client.downloaded()).toEqual([]);
});

scenario('an artifact that changes many times', async ({ repo, initialized: client }) => {
  let expected = ['content'];
  repo.addArtifact('targets', 'file', 'content');
  repo.publish(...TOP_LEVEL);
  expect(await client.download('file')).toBe(0);
  for (let round = 0; round < 11; round++) {
    repo.addArtifact('targets', 'file', `content ${round}`);
    repo.addArtifact('targets', `new-${round}`, `new ${round}`);
    repo.publish(...TOP_LEVEL);
    if (round % 5 !== 0) continue;
    expect(await client.download('file')).toBe(0);
    expect(await client.download(`new-${round}`)).toBe(0);
    expected = [
      ...expected.filter((text) => !text.startsWith('content')),
      `content ${round}`,
      `new ${round}`,
    ];
    expect(client.downloaded()).toEqual(expected);
    const artifact = repo.artifacts.get('file');
    if (artifact !== undefined) artifact.data = Buffer.from(`malicious ${round}`);
    repo.publish(...TOP_LEVEL);
    await client.download('file');
    expect(client.downloaded()).toEqual(expected);
  }
});

scenario.for([['sha256'], ['sha512'], ['sha256', 'sha512']])(
  'hashes %s %s',
  async (algorithms, { repo, initialized: client }) => {
    const { hashes } = repo.addArtifact('targets', 'file', 'content', algorithms);
    repo.publish(...TOP_LEVEL);
    expect(await client.download('file')).toBe(0);
    expect(Object.values(hashes).map((hash) => `${hash}.file`)).toContain(repo.downloads[0]);
    expect(repo.downloads).toHaveLength(1);
    expect(client.downloaded()).toEqual(['content']);
  },
);

scenario('one wrong hash of two', async ({ repo, initialized: client }) => {
  const target = repo.addArtifact('targets', 'file', 'content', ['sha256', 'sha512']);
  target.hashes['sha512'] = createHash('sha512').update('other').digest('hex');
  repo.publish(...TOP_LEVEL);
  expect(await client.download('file')).toBe(1);
  expect(client.downloaded()).toEqual([]);
});

scenario('a hash that nobody knows', async ({ repo, initialized: client }) => {
  const target = repo.addArtifact('targets', 'file', 'content');
  target.hashes = { 'unknown-hash': target.hashes['sha256'] ?? '' };
  repo.publish(...TOP_LEVEL);
  expect(await client.download('file')).toBe(1);
  expect(client.downloaded()).toEqual([]);
});
