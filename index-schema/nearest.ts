/** What a mistyped name was probably meant to be. */

/**
 * The name with the fewest letters changed, added or left out, whatever their case; of equally near ones the first in
 * order of their letters. `undefined` where none is so near that it can be a slip: within `limit`, a third of the word but at least two.
 */
export function nearest(
  word: string,
  names: Iterable<string>,
  limit = Math.max(2, Math.floor(word.length / 3)),
): string | undefined {
  let best: string | undefined;
  let least = limit + 1;
  for (const name of names) {
    if (Math.abs(name.length - word.length) > limit) continue;
    const distance = editDistance(word.toLowerCase(), name.toLowerCase());
    const before = best === undefined || name < best;
    if (distance < least || (distance === least && distance <= limit && before))
      [best, least] = [name, distance];
  }
  return best;
}

/** Levenshtein distance of two short texts. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const substitute = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(substitute, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
