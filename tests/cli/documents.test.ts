import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildCommandTable } from '#cli/command-table';
import { commandsDocument } from '#cli/commands-document';
import { ERROR_EXIT_STATUS } from '#schema/error';

const document = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('docs/errors.md lists exactly the codes with their exit statuses', () => {
  const listed = [...document('errors.md').matchAll(/^\|\s*`([a-z-]+)`\s*\|\s*(\d+)\s*\|/gm)].map(
    (match): [string, number] => [match[1] ?? '', Number(match[2])],
  );
  expect(listed).toEqual(Object.entries(ERROR_EXIT_STATUS));
});

test('docs/commands.md is what `npm run docs` writes', async () => {
  expect(document('commands.md')).toBe(commandsDocument(await buildCommandTable()));
});

test('every command has a summary, examples that name it, and a meaning for each flag and argument', async () => {
  const { commands } = await buildCommandTable();
  for (const command of commands) {
    const name = `icepkg ${command.id.replaceAll(':', ' ')}`;
    expect(command.summary, name).not.toBe('');
    expect(
      command.examples.some((example) => example.includes(name)),
      name,
    ).toBe(true);
    for (const one of [...command.flags, ...command.args])
      expect(one.summary, `${name} ${one.name}`).not.toBe('');
  }
});

/** As headings are turned into addresses: letters, digits, hyphens and underscores are kept. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.replaceAll(/^```.*?^```/gms, '').matchAll(/^#+ (.*)$/gm)].map(({ 1: title = '' }) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );

test('links between the pages of the manual lead to pages and headings that there are', () => {
  const docs = new URL('../../docs/', import.meta.url);
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
  const broken = pages.flatMap((page) => {
    const links = [...document(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
    return links.flatMap(([link, file = '', anchor]) => {
      const target = file === '' ? new URL(page, docs) : new URL(file, docs);
      if (!existsSync(target)) return [`${page}: ${link}`];
      const there = anchor === undefined || anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
      return there ? [] : [`${page}: ${link}`];
    });
  });
  expect(broken).toEqual([]);
});
