/** The differences between two texts, line by line. */

export interface Hunk {
  readonly kind: 'same' | 'changed';
  readonly old: readonly string[];
  readonly new: readonly string[];
}

/** Texts with more lines than this between their common ends count as one difference. */
const MAX_LINES = 2000;

/** Alternating runs of equal and different lines, by the longest common subsequence. */
export function lineDiff(before: string, after: string): readonly Hunk[] {
  const a = linesOf(before);
  const b = linesOf(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1;
  const middle = commonLines(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const hunks: Hunk[] = [];
  const add = (kind: Hunk['kind'], old: readonly string[], fresh: readonly string[]): void => {
    const last = hunks.at(-1);
    if (old.length + fresh.length === 0) return;
    if (last?.kind === kind)
      hunks[hunks.length - 1] = { kind, old: [...last.old, ...old], new: [...last.new, ...fresh] };
    else hunks.push({ kind, old, new: fresh });
  };
  add('same', a.slice(0, head), b.slice(0, head));
  for (const hunk of middle) add(hunk.kind, hunk.old, hunk.new);
  add('same', a.slice(a.length - tail), b.slice(b.length - tail));
  return hunks;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function commonLines(a: readonly string[], b: readonly string[]): readonly Hunk[] {
  if (a.length > MAX_LINES || b.length > MAX_LINES) return [{ kind: 'changed', old: a, new: b }];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const hunks: Hunk[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (left !== undefined && left === right) {
      hunks.push({ kind: 'same', old: [left], new: [left] });
      i += 1;
      j += 1;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      hunks.push({ kind: 'changed', old: [left], new: [] });
      i += 1;
    } else if (right !== undefined) {
      hunks.push({ kind: 'changed', old: [], new: [right] });
      j += 1;
    }
  }
  return hunks;
}
