/** Programs that live in another time. */

/** What `NODE_OPTIONS` must be for a program whose clock is so many days ahead. */
export function clockAhead(days: number): string {
  const shift = `const D=Date;globalThis.Date=class extends D{constructor(...a){a.length?super(...a):super(D.now()+${days}*864e5)}static now(){return D.now()+${days}*864e5}}`;
  return `--import=data:text/javascript,${encodeURIComponent(shift)}`;
}
