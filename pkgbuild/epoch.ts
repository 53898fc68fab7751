/** All times that a build sees or writes, in seconds since the epoch. */
export const BUILD_EPOCH = 1_700_000_000;
