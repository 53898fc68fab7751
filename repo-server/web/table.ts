/** Tables that stay readable on a phone: there each row is a block, and each cell says its label. */
import { markup, type Html, type Part } from './html.ts';

export interface Column<T> {
  readonly label: string;
  readonly cell: (row: T) => Part;
  readonly kind?: 'number' | 'wide';
}

/** Roles are said, because the styles for small screens take tables' own away. */
export function table<T>(caption: string, columns: readonly Column<T>[], rows: readonly T[]): Html {
  const heads = columns.map(
    ({ label, kind }) => markup`<th role="columnheader" scope="col"${classOf(kind)}>${label}</th>`,
  );
  const cells = (row: T): Html[] =>
    columns.map(
      ({ label, cell, kind }) =>
        markup`<td role="cell" data-label="${label}"${classOf(kind)}>${cell(row)}</td>`,
    );
  return markup`<table role="table"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">
${rows.map((row) => markup`<tr role="row">${cells(row)}</tr>\n`)}</tbody></table>`;
}

const classOf = (kind: string | undefined): Part => kind !== undefined && markup` class="${kind}"`;
