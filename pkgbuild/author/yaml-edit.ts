/** Changes single values of a YAML text; every other letter stays as it is. */
import { isNode, parseDocument } from 'yaml';
import type { Keys } from '../yaml.ts';

export interface YamlEdit {
  readonly keys: Keys;
  /** The new text of a scalar, or `undefined` to remove the line that it stands on. */
  readonly value: string | undefined;
}

/** Places that do not exist are passed over. A value keeps its quotes. */
export function editYaml(text: string, edits: readonly YamlEdit[]): string {
  const document = parseDocument(text, { uniqueKeys: false });
  const changes = edits.flatMap(({ keys, value }) => {
    const node: unknown = document.getIn(keys, true);
    if (!isNode(node) || !node.range) return [];
    const [start, end] = node.range;
    if (value !== undefined) return [{ start, end, text: requote(text.slice(start, end), value) }];
    return [{ start: text.lastIndexOf('\n', start) + 1, end: lineEnd(text, end), text: '' }];
  });
  return changes
    .toSorted((a, b) => b.start - a.start)
    .reduce((whole, change) => whole.slice(0, change.start) + change.text + whole.slice(change.end), text);
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end + 1;
}

function requote(old: string, value: string): string {
  const quote = /^['"]/.exec(old)?.[0] ?? '';
  return `${quote}${value}${quote}`;
}
