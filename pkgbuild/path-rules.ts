/** Rules that give paths an owner, a mode and attributes: how an ordinary user packs what root shall own. */
import * as v from 'valibot';
import { GroupNameSchema, UserNameSchema } from '#schema/fields';
import type { FileEntry } from '#schema/manifest';
import { encodeCapabilities } from './capabilities.ts';
import { globToRegExp } from './tree.ts';

export const GlobSchema = v.pipe(
  v.string('expected a path pattern such as usr/lib/*.a'),
  v.regex(/^[^/].*$/, 'expected a path pattern relative to the root, without a leading slash'),
);

/** Octal text such as `"1777"`. */
const ModeSchema = v.pipe(
  v.string('expected octal text in quotes such as "0644"'),
  v.regex(/^0?[0-7]{3,4}$/, 'expected octal text in quotes such as "0644"'),
);
const IdSchema = v.pipe(
  v.number('expected a number'),
  v.integer('expected an integer'),
  v.minValue(0, 'expected a number from 0'),
  v.maxValue(0xffff_fffe),
);

export const ownerFields = {
  /** Names of accounts, resolved in the root where the package is installed; they win over the numbers. */
  user: v.optional(UserNameSchema),
  group: v.optional(GroupNameSchema),
  uid: v.optional(IdSchema),
  gid: v.optional(IdSchema),
  mode: v.optional(ModeSchema),
};

export const PathRuleSchema = v.strictObject({
  path: GlobSchema,
  /** Narrows the rule to entries of one type. */
  type: v.optional(v.picklist(['file', 'directory', 'symlink'], 'expected one of file, directory, symlink')),
  ...ownerFields,
  /** Extended attributes: `0sBASE64`, `0xHEX`, or the text itself. */
  xattrs: v.optional(
    v.record(
      v.pipe(
        v.string(),
        v.regex(
          /^(?:user|security|trusted|system)\.[\u0021-\u003c\u003e-\u007e]{1,240}$/,
          'expected an attribute such as user.comment',
        ),
      ),
      v.pipe(
        v.string('expected text; a number needs quotes'),
        v.check((text) => decodeXattr(text) !== undefined, 'expected 0sBASE64, 0xHEX or other text'),
      ),
    ),
  ),
  /** File capabilities such as `cap_net_raw+ep`. */
  capabilities: v.optional(
    v.pipe(
      v.string('expected text'),
      v.check(
        (text) => encodeCapabilities(text) !== undefined,
        'expected capabilities such as cap_net_raw+ep',
      ),
    ),
  ),
});
export type PathRule = v.InferOutput<typeof PathRuleSchema>;
export type RuleFields = Omit<PathRule, 'path' | 'type'>;

/** What the rules say on one entry. */
export interface Ruled {
  readonly owner: { readonly uid?: number; readonly gid?: number };
  readonly account: { readonly user?: string; readonly group?: string };
  readonly mode?: number;
  /** In base64, as manifests have them. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

export interface PathRules {
  /** Every rule that matches one of the names applies; later ones win, field by field, and what is given here above all. */
  of(names: readonly string[], type: FileEntry['type'], own?: RuleFields): Ruled;
  /** Positions of the rules that have matched nothing. */
  idle(): number[];
}

export function compileRules(rules: readonly PathRule[]): PathRules {
  const compiled = rules.map((rule) => ({ rule, pattern: exactly(rule.path) }));
  const used = new Set<PathRule>();
  return {
    of(names, type, own) {
      const matching = compiled
        .filter(
          ({ rule, pattern }) => (rule.type ?? type) === type && names.some((name) => pattern.test(name)),
        )
        .map(({ rule }) => rule);
      for (const rule of matching) used.add(rule);
      const xattrs = Object.assign({}, ...matching.map((rule) => rule.xattrs)) as Record<string, string>;
      return ruled(Object.assign({}, ...matching, own, { xattrs }) as RuleFields);
    },
    idle: () => rules.flatMap((rule, index) => (used.has(rule) ? [] : [index])),
  };
}

/** Turns the words of rules into those of a manifest. */
function ruled(fields: RuleFields): Ruled {
  const { user, group, uid, gid, mode, capabilities } = fields;
  const xattrs = Object.entries(fields.xattrs ?? {}).map(([name, text]): [string, Uint8Array] => [
    name,
    decodeXattr(text) ?? Buffer.alloc(0),
  ]);
  const encoded = capabilities === undefined ? undefined : encodeCapabilities(capabilities);
  if (encoded !== undefined) xattrs.push(['security.capability', encoded]);
  return {
    owner: { ...(uid ? { uid } : {}), ...(gid ? { gid } : {}) },
    account: { ...(user === undefined ? {} : { user }), ...(group === undefined ? {} : { group }) },
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
    ...(xattrs.length === 0
      ? {}
      : {
          xattrs: Object.fromEntries(
            xattrs.map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]),
          ),
        }),
  };
}

/** The convention of `setfattr`. */
function decodeXattr(text: string): Uint8Array | undefined {
  if (text.startsWith('0x')) {
    const hex = text.slice(2);
    return /^(?:[0-9a-fA-F]{2})*$/.test(hex) ? Buffer.from(hex, 'hex') : undefined;
  }
  if (!text.startsWith('0s')) return Buffer.from(text);
  const base64 = text.slice(2);
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)
    ? Buffer.from(base64, 'base64')
    : undefined;
}

/** A rule names paths, not what is below them: only `**` reaches into a directory. */
function exactly(glob: string): RegExp {
  const pattern = globToRegExp(glob);
  return glob.includes('**') ? pattern : new RegExp(pattern.source.replace(/\(\?:\\\/\.\*\)\?\$$/, '$'));
}
