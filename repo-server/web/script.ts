/**
 * The one script of the pages: search as one types, and buttons that copy. Pages do all they do without it. It fetches the same
 * page that the form would lead to and takes the results out of it, so nothing is drawn in two ways.
 */
export const SCRIPT = `'use strict';
const form = document.querySelector('form[data-live]');
const field = form?.querySelector('input[type=search]');
const status = form?.querySelector('[role=status]');
const results = form && new URL(form.action);
let timer, running;
let shown = field?.value.trim();
let there = results?.pathname === location.pathname;
let here = location.pathname + location.search;

async function show() {
  const words = field.value.trim();
  if (words === shown) return;
  running?.abort();
  running = new AbortController();
  const address = new URL(results);
  for (const [key, value] of new FormData(form)) if (value !== '') address.searchParams.set(key, value);
  try {
    const answer = await fetch(address, { signal: running.signal });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    shown = words;
    // The address first: the links of the new page are relative to it.
    history[there ? 'replaceState' : 'pushState'](null, '', address);
    there = true;
    here = location.pathname + location.search;
    form.action = results;
    for (const part of ['.bar', 'main', 'footer'])
      document.querySelector(part).replaceChildren(...page.querySelector(part).childNodes);
    document.title = page.title;
    // For those who do not see the list change.
    status.textContent = document.querySelector('[data-count]').textContent;
    copyButtons();
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  }
}

function copyButtons() {
  if (!navigator.clipboard) return;
  for (const code of document.querySelectorAll('code[data-copy]:not([data-ready])')) {
    code.dataset.ready = '';
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Copied';
      setTimeout(() => (button.textContent = 'Copy'), 2000);
    });
    code.after(button);
  }
}

field?.addEventListener('input', () => {
  clearTimeout(timer);
  timer = setTimeout(show, 120);
});
// Also where only the fragment changes; then the page is the right one.
addEventListener('popstate', () => {
  if (location.pathname + location.search !== here) location.reload();
});
addEventListener('keydown', (event) => {
  const typing = /^(input|select|textarea)$/i.test(document.activeElement?.tagName ?? '');
  if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  field?.focus();
});
copyButtons();
`;
