/**
 * Tokens for the upload API: random, scoped, revocable. Only the digest of a token is kept, so whoever reads the file
 * can use none; a digest without salt is enough, because nobody guesses 256 random bits.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { canonicalJson, parseJson } from '#schema/canonical-json';
import { decode } from '#schema/decode';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import { readRepositoryConfig } from './config.ts';
import { PRIVATE_FOLDER, readIfAny, writeDurably } from './layout.ts';
import { withLock } from './lock.ts';

const TOKEN_FILE = `${PRIVATE_FOLDER}/tokens.json`;

/** What a token allows, and in which channel; `*` is any. */
const SCOPE = /^(?:upload|publish):(?:\*|[a-z0-9][a-z0-9._-]{0,63})$/;
const TokenSchema = v.strictObject({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/)),
  name: v.string(),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  scopes: v.array(v.pipe(v.string(), v.regex(SCOPE, 'expected a scope such as upload:beta'))),
  created: v.string(),
  expires: v.optional(v.string()),
  revoked: v.optional(v.string()),
});
const TokensSchema = v.strictObject({ format: v.literal(1), tokens: v.array(TokenSchema) });
type Token = v.InferOutput<typeof TokenSchema>;
/** Everything but what could serve to guess it. */
export type TokenDescription = Omit<Token, 'sha256'>;

export interface NewToken {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly days?: number;
}

/** Returns the token itself, which is nowhere else. @throws IcepkgError `usage` */
export async function createToken(
  repository: string,
  { name, scopes, days }: NewToken,
  now: Date = new Date(),
): Promise<{ readonly id: string; readonly token: string }> {
  for (const scope of scopes) {
    if (SCOPE.test(scope)) continue;
    throw new IcepkgError('usage', `${JSON.stringify(scope)} is no scope`, {
      hint: 'Scopes are upload:CHANNEL and publish:CHANNEL, with * for every channel',
    });
  }
  readRepositoryConfig(repository);
  return withLock(repository, () => {
    const id = randomBytes(4).toString('hex');
    const token = `icepkg_${id}_${randomBytes(32).toString('base64url')}`;
    const expires = days === undefined ? undefined : new Date(now.getTime() + days * 86_400_000);
    writeTokens(repository, [
      ...readTokens(repository),
      {
        id,
        name,
        sha256: sha256(Buffer.from(token)),
        scopes: [...scopes],
        created: now.toISOString(),
        ...(expires === undefined ? {} : { expires: expires.toISOString() }),
      },
    ]);
    return { id, token };
  });
}

export const listTokens = (repository: string): TokenDescription[] =>
  readTokens(repository).map(({ sha256: digest, ...token }) => {
    void digest;
    return token;
  });

/**
 * It counts no more, from the next request on.
 * @param which its id, or its name where no other token that still counts has it
 * @returns its id
 * @throws IcepkgError `not-found`, `usage` where several have the name
 */
export async function revokeToken(
  repository: string,
  which: string,
  now: Date = new Date(),
): Promise<string> {
  readRepositoryConfig(repository);
  return withLock(repository, () => {
    const tokens = readTokens(repository);
    const id = idOf(tokens, which, now);
    const revoked = now.toISOString();
    writeTokens(
      repository,
      tokens.map((token) => (token.id === id ? Object.assign({}, token, { revoked }) : token)),
    );
    return id;
  });
}

function idOf(tokens: readonly Token[], which: string, now: Date): string {
  if (tokens.some(({ id }) => id === which)) return which;
  const named = tokens.filter((token) => token.name === which && counts(token, now));
  const [first, ...others] = named.map(({ id }) => id);
  if (first === undefined) {
    throw new IcepkgError('not-found', `there is no token ${which}`, {
      hint: 'See which there are: icepkg repo token list',
    });
  }
  if (others.length === 0) return first;
  throw new IcepkgError('usage', `${named.length} tokens are named ${which}`, {
    hint: `Say which by its id: ${[first, ...others].join(', ')}`,
  });
}

/** Whom a token belongs to, and what it allows; `undefined` where it is none, has expired or was revoked. */
export function findToken(
  repository: string,
  presented: string,
  now: Date = new Date(),
): TokenDescription | undefined {
  const digest = Buffer.from(sha256(Buffer.from(presented)), 'hex');
  const token = readTokens(repository).find((of) => timingSafeEqual(Buffer.from(of.sha256, 'hex'), digest));
  return token !== undefined && counts(token, now) ? token : undefined;
}

const counts = ({ revoked, expires }: Token, now: Date): boolean =>
  revoked === undefined && (expires === undefined || Date.parse(expires) > now.getTime());

export const allows = (
  { scopes }: TokenDescription,
  action: 'upload' | 'publish',
  channel: string,
): boolean => scopes.includes(`${action}:${channel}`) || scopes.includes(`${action}:*`);

function readTokens(repository: string): readonly Token[] {
  const file = join(repository, TOKEN_FILE);
  const bytes = readIfAny(file);
  return bytes === undefined ? [] : decode(TokensSchema, parseJson(bytes, file), file).tokens;
}

function writeTokens(repository: string, tokens: readonly Token[]): void {
  writeDurably(join(repository, TOKEN_FILE), canonicalJson({ format: 1, tokens }), 0o600);
}
