/** What was done. */
import { IcepkgError } from '#schema/error';
import type { TransactionSummary } from '../store/model.ts';
import { readStore } from './read-store.ts';

/**
 * Newest first.
 * @param number one transaction only
 * @throws IcepkgError `not-found` where there is none of that number
 */
export function history(root: string, number: number | undefined): readonly TransactionSummary[] {
  return readStore(root, (store) => {
    if (number === undefined) return store.history();
    const one = store.transaction(number);
    if (one !== undefined) return [one];
    throw new IcepkgError('not-found', `there is no transaction ${number}`, {
      hint: 'See all: icepkg history',
    });
  });
}
