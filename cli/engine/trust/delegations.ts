/** Which delegated roles may speak for a target path (specification 4.5 and 5.6.7.2). */
import { sha256 } from '#schema/digest';
import type { DelegatedRole, Delegations } from '#schema/tuf/metadata';

export interface DelegatedRoles {
  readonly roles: readonly Pick<DelegatedRole, 'name' | 'keyids' | 'threshold'>[];
  /** The last of them is terminating: nobody after it has a say. */
  readonly terminated: boolean;
}

/** The roles to ask about a path, in order. */
export function delegatedRolesFor(delegations: Delegations, path: string): DelegatedRoles {
  const { succinct_roles: succinct } = delegations;
  if (succinct !== undefined) {
    const { bit_length: bits, name_prefix: prefix, keyids, threshold } = succinct;
    const bin = Number.parseInt(sha256(path).slice(0, 8), 16) >>> (32 - bits);
    const digits = Math.ceil(bits / 4);
    const name = `${prefix}-${bin.toString(16).padStart(digits, '0')}`;
    return { roles: [{ name, keyids, threshold }], terminated: true };
  }
  const roles: DelegatedRole[] = [];
  for (const role of delegations.roles ?? []) {
    if (!isDelegated(role, path)) continue;
    roles.push(role);
    if (role.terminating) return { roles, terminated: true };
  }
  return { roles, terminated: false };
}

function isDelegated(role: DelegatedRole, path: string): boolean {
  if (role.path_hash_prefixes !== undefined) {
    const hash = sha256(path);
    return role.path_hash_prefixes.some((prefix) => hash.startsWith(prefix));
  }
  return (role.paths ?? []).some((pattern) => matchesPattern(path, pattern));
}

/** A shell pattern whose wildcards never match the separator. */
export function matchesPattern(path: string, pattern: string): boolean {
  const paths = path.split('/');
  const patterns = pattern.split('/');
  return paths.length === patterns.length && patterns.every((part, i) => matchesPart(paths[i] ?? '', part));
}

/** `*`, `?` and `[...]` in one component; linear in memory and without backtracking beyond the last `*`. */
function matchesPart(text: string, pattern: string): boolean {
  const tokens = tokensOf(pattern);
  let t = 0;
  let p = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    const token = tokens[p];
    if (token === '*') {
      star = p++;
      mark = t;
    } else if (typeof token === 'function' && token(text.charAt(t))) {
      p++;
      t++;
    } else if (star !== -1) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (tokens[p] === '*') p++;
  return p === tokens.length;
}

type Token = '*' | ((character: string) => boolean);

function tokensOf(pattern: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern.charAt(i);
    const end =
      character === '[' ? pattern.indexOf(']', i + (/^\[[!]?\]/.test(pattern.slice(i)) ? 3 : 2)) : -1;
    if (character === '*') tokens.push('*');
    else if (character === '?') tokens.push(() => true);
    else if (end !== -1) {
      tokens.push(classOf(pattern.slice(i + 1, end)));
      i = end;
    } else tokens.push((other) => other === character);
  }
  return tokens;
}

function classOf(body: string): (character: string) => boolean {
  const negated = body.startsWith('!');
  const set = negated ? body.slice(1) : body;
  return (character) => {
    let found = false;
    for (let i = 0; i < set.length; i++) {
      if (set.charAt(i + 1) === '-' && i + 2 < set.length) {
        found ||= set.charAt(i) <= character && character <= set.charAt(i + 2);
        i += 2;
      } else found ||= set.charAt(i) === character;
    }
    return found !== negated;
  };
}
