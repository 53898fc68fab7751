/**
 * Hard bounds on everything read from a package or a repository. They are far above what honest data
 * needs and exist so that hostile data ends in an error instead of exhausting memory, disk or time.
 */

/** The header frame (manifest and signatures), uncompressed, in bytes. */
export const MAX_HEADER_BYTES = 64 * 1024 * 1024;
/** One data frame, uncompressed, in bytes; the packer cuts at about 2 MiB. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const MAX_FILES = 1_000_000;
export const MAX_FRAMES = 1_000_000;
/** Bytes in a whole path, and in one component of it (Linux NAME_MAX). */
export const MAX_PATH_BYTES = 4095;
export const MAX_NAME_BYTES = 255;
/** Entries in any one dependency list of a manifest. */
export const MAX_DEPENDENCIES = 10_000;
/** Users, groups or services that one package declares, and entries of any list in one of those. */
export const MAX_DECLARED = 1000;
/** Alternatives that one package offers: a program of many names has one for each. */
export const MAX_ALTERNATIVES = 10_000;
/** Characters in one script of a package. */
export const MAX_SCRIPT = 1024 * 1024;
/** Members and elements of any JSON document; an honest one has dozens of bytes for each. Checked before it is parsed. */
export const MAX_JSON_ITEMS = 8_000_000;
/** Nesting of any JSON document; checked before it is walked. */
export const MAX_JSON_DEPTH = 64;
/** One index shard, uncompressed, in bytes. */
export const MAX_SHARD_BYTES = 256 * 1024 * 1024;
