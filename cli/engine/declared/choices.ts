/** Links that the engine makes and the operator may change: their rows say so, and none of them is ever a mistake. */
import type { OwnedFile } from '../store/model.ts';

/** Leads to the alternative of highest priority until the operator leads it elsewhere. */
export const ALTERNATIVE = 'an alternative';
/** Enables a service until the operator deletes it. */
export const ENABLED = 'enables a service';

export const isOperatorsChoice = ({ type, deviation }: OwnedFile): boolean =>
  type === 'symlink' && (deviation === ALTERNATIVE || deviation === ENABLED);
