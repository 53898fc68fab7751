// What `$(( … ))` comes to, of whole numbers, names, `+ - * / %` and brackets: the forms that
// packages write to name the version before or after theirs. Everything else is not understood.

/** Longer calculations are not read. */
const MAX_LENGTH = 200;

/**
 * The number that a calculation comes to, or `undefined` where it is not understood.
 * @param text - What stands between `$((` and `))`, without any `$` left in it.
 * @param named - The text of a variable.
 */
export function calculate(text: string, named: (name: string) => string): number | undefined {
  const tokens = text.length > MAX_LENGTH ? null : text.match(/\d+|[A-Za-z_]\w*|\S/g);
  if (tokens === null) return undefined;
  let at = 0;
  const number = (digits: string): number => (/^(?:0|[1-9]\d{0,8})$/.test(digits) ? Number(digits) : NaN);
  const one = (): number => {
    const token = tokens[at++] ?? '';
    if (token === '-') return -one();
    if (token === '(') {
      const inside = sum();
      return tokens[at++] === ')' ? inside : NaN;
    }
    return /^[A-Za-z_]/.test(token) ? number(named(token)) : number(token);
  };
  const product = (): number => {
    let value = one();
    for (;;) {
      const sign = tokens[at];
      if (sign !== '*' && sign !== '/' && sign !== '%') return value;
      at++;
      const by = one();
      value = sign === '*' ? value * by : sign === '/' ? Math.trunc(value / by) : value % by;
    }
  };
  const sum = (): number => {
    let value = product();
    while (tokens[at] === '+' || tokens[at] === '-') value += tokens[at++] === '+' ? product() : -product();
    return value;
  };
  const result = sum();
  return at === tokens.length && Number.isSafeInteger(result) ? result : undefined;
}
