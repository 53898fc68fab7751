/** Long lists in pages of bounded length. */
import { markup, type Html } from './html.ts';
import type { Query } from './links.ts';

export interface Cut<T> {
  readonly rows: readonly T[];
  /** Counts from 1. */
  readonly page: number;
  readonly pages: number;
  readonly total: number;
}

/** @param asked what the query says; anything that is no page of this list is the nearest one */
export function cut<T>(all: readonly T[], asked: string | null, perPage: number): Cut<T> {
  const pages = Math.max(1, Math.ceil(all.length / perPage));
  const wanted = /^\d{1,9}$/.test(asked ?? '') ? Number(asked) : 1;
  const page = Math.min(Math.max(1, wanted), pages);
  return { rows: all.slice((page - 1) * perPage, page * perPage), page, pages, total: all.length };
}

/** Links to the pages beside this one; nothing where there is one page. */
export function pager({ page, pages }: Cut<unknown>, linkTo: (query: Query) => string): Html | false {
  if (pages === 1) return false;
  const before = page > 1 && markup`<a rel="prev" href="${linkTo({ page: page - 1 })}">Previous</a>`;
  const after = page < pages && markup`<a rel="next" href="${linkTo({ page: page + 1 })}">Next</a>`;
  return markup`<nav class="pager" aria-label="Pages">${before} <span>Page ${page} of ${pages}</span> ${after}</nav>`;
}
