/** Fetches one commit of a git repository as a tar whose bytes depend on nothing but the commit. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { IcepkgError } from '#schema/error';
import { run } from '../command.ts';
import type { GitLocation } from './schema.ts';

/** In-tree attributes may not change, leave out or rewrite files on their way into the tar. */
const ATTRIBUTES = '* -text -ident -filter -export-ignore -export-subst -working-tree-encoding\n';

/** Writes `file`: all files of the commit, below a folder of the tar's own. Submodules are empty folders. */
export async function fetchGit({ git: url, commit }: GitLocation, file: string): Promise<string[]> {
  const repository = `${file}.git`;
  const git = async (...args: string[]): Promise<boolean> => {
    const result = await run(['git', `--git-dir=${repository}`, '-c', 'tar.umask=0022', ...args], {
      env: { ...process.env, GIT_ALLOW_PROTOCOL: 'file:git:http:https:ssh', GIT_TERMINAL_PROMPT: '0' },
    });
    message = result.stderr.trim().split('\n').at(-1) ?? '';
    return result.status === 0;
  };
  let message = '';
  const has = (): Promise<boolean> => git('cat-file', '-e', `${commit}^{commit}`);
  const format = commit.length === 64 ? 'sha256' : 'sha1';
  try {
    if (!(await git('init', '-q', '--bare', `--object-format=${format}`)))
      throw new IcepkgError('source-failed', `git init failed: ${message}`);
    fs.mkdirSync(path.join(repository, 'info'), { recursive: true });
    fs.writeFileSync(path.join(repository, 'info/attributes'), ATTRIBUTES);
    // A server may refuse to send what no branch or tag points at; then everything is fetched.
    const fetched =
      (await git('fetch', '-q', '--depth=1', '--no-tags', url, commit)) ||
      (await git('fetch', '-q', '--no-tags', url, '+refs/*:refs/*'));
    if (!fetched) throw new IcepkgError('source-failed', `git fetch failed: ${message}`);
    if (!(await has())) throw new IcepkgError('source-failed', `the repository has no commit ${commit}`);
    if (!(await git('archive', '--format=tar', '--prefix=source/', `--output=${file}`, commit)))
      throw new IcepkgError('source-failed', `git archive failed: ${message}`);
  } finally {
    fs.rmSync(repository, { recursive: true, force: true });
  }
  return [file];
}
