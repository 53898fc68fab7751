/** Pages without a channel: the list of repositories of a server, and a repository where nothing was published. */
import { STYLE_PATH } from './assets.ts';
import { markup, type Html } from './html.ts';
import type { Drawn } from './sheet.ts';

export const HTML_TYPE = 'text/html; charset=utf-8';

export function repositoryList(names: readonly string[]): Drawn {
  const items = names.map((name) => markup`<li><a href="${encodeURIComponent(name)}/">${name}</a></li>`);
  const style = `${encodeURIComponent(names[0] ?? '')}/${STYLE_PATH}`;
  return plain(style, {
    status: 200,
    title: 'Package repositories',
    body: markup`<ul class="plain">${items}</ul>`,
  });
}

/** @param style address of the style sheet */
export const nothingPublished = (title: string, style: string): Drawn =>
  plain(style, {
    status: 404,
    title,
    body: markup`<p>There is no such channel here, or nothing was published in it yet.</p>`,
  });

interface PlainContent {
  readonly status: number;
  readonly title: string;
  readonly body: Html;
}

function plain(style: string, { status, title, body }: PlainContent): Drawn {
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="${style}">
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
  return { status, type: HTML_TYPE, body: page.text, passing: true };
}
