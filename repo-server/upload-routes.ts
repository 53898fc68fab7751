/** The upload API: `POST /api/v1/packages` and `POST /api/v1/publish`, below the name of the repository where there are several. */
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as v from 'valibot';
import { decode } from '#schema/decode';
import { ERROR_EXIT_STATUS, IcepkgError, type ErrorCode } from '#schema/error';
import { UNPRINTABLE } from '#schema/fields';
import type { PrivateKey } from '#schema/keys';
import { RateLimit } from './http-limits.ts';
import { DEFAULT_CHANNEL, metadataFolder } from './layout.ts';
import type { FoundSite } from './sites.ts';
import { allows, findToken, type TokenDescription } from './tokens.ts';
import { PackageTooLarge } from './upload-body.ts';
import { publishUploaded, receivePackage } from './upload.ts';

export interface UploadApi {
  readonly siteOf: (path: string) => FoundSite | undefined;
  readonly mostBytes: number;
  /** With which `publish` signs. */
  readonly keys: readonly PrivateKey[];
  readonly count: (outcome: string, repository: string) => void;
  /** Called with a sentence on who was refused what, and why. */
  readonly onRefused: (what: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Wrong tokens that one address may present in a row, and how many more a second. */
const GUESSES = 10;
const GUESSES_A_SECOND = 0.1;

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'package-corrupt': 422,
  'package-unsigned': 422,
  'format-invalid': 422,
  'path-unsafe': 422,
  usage: 409,
  'root-locked': 503,
  'disk-full': 507,
  'trust-expired': 503,
};

export async function uploadRoutes(app: FastifyInstance, api: UploadApi): Promise<void> {
  const guesses = new RateLimit(GUESSES_A_SECOND, GUESSES);
  await app.register(async (scope) => {
    // The body is read by whoever wants it, as it comes.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    for (const prefix of ['', '/:repository']) {
      scope.post(`${prefix}/api/v1/packages`, (request, reply) =>
        guarded(request, reply, { api, guesses, action: 'upload' }),
      );
      scope.post(`${prefix}/api/v1/publish`, (request, reply) =>
        guarded(request, reply, { api, guesses, action: 'publish' }),
      );
    }
  });
}

const QuerySchema = v.looseObject({
  channel: v.optional(v.string(), DEFAULT_CHANNEL),
  message: v.optional(v.string()),
});

interface Guard {
  readonly api: UploadApi;
  readonly guesses: RateLimit;
  readonly action: 'upload' | 'publish';
}

async function guarded(request: FastifyRequest, reply: FastifyReply, guard: Guard): Promise<FastifyReply> {
  const { api, action } = guard;
  const found = api.siteOf(request.url.split('?', 1)[0] ?? '/');
  if (found === undefined) {
    return refuse(
      reply,
      new Refusal(404, { message: 'there is no such repository', hint: 'Check the address' }),
    );
  }
  const { name, root } = found.site;
  let from: string = request.ip;
  try {
    const { channel, message } = queryOf(request);
    const token = authorize(request, { repository: root, channel }, guard);
    from = `${request.ip}, ${token.name}`;
    const done = await take(request, { repository: root, channel, message }, guard);
    api.count(action === 'upload' ? 'accepted' : 'published', name);
    return reply.code(action === 'upload' ? 201 : 200).send(done);
  } catch (error) {
    const refusal = refusalOf(error);
    api.count(OUTCOME[refusal.status] ?? 'refused', name);
    if (refusal.status === 500) api.onError(error);
    else if (refusal.status !== 429) {
      const what = `${action} to ${name} from ${from}: ${refusal.message}`;
      api.onRefused(what.replaceAll(new RegExp(UNPRINTABLE, 'gu'), '?'));
    }
    return refuse(reply, refusal);
  }
}

interface Asked {
  readonly repository: string;
  readonly channel: string;
  readonly message?: string | undefined;
}

/** @throws Refusal where no token allows it */
function authorize(request: FastifyRequest, { repository, channel }: Asked, guard: Guard): TokenDescription {
  const { guesses, action } = guard;
  const token = findToken(repository, /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
  if (token === undefined) {
    const wait = guesses.take(request.ip, Date.now());
    throw wait > 0 ? new Refusal(429, { ...TOO_MANY, wait }) : new Refusal(401, NO_TOKEN);
  }
  if (allows(token, action, channel)) return token;
  throw new Refusal(403, {
    message: `the token ${token.id} does not allow ${action}:${channel}`,
    hint: 'Name a channel that it is for, or ask the operator for another token',
  });
}

/** Answers what was added or published. @throws IcepkgError */
async function take(
  request: FastifyRequest,
  { repository, channel, message }: Asked,
  { api: { keys, mostBytes }, action }: Guard,
): Promise<object> {
  if (action === 'publish')
    return publishUploaded(repository, { channel, keys, ...(message === undefined ? {} : { message }) });
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw new PackageTooLarge(mostBytes);
  const mediaType = request.headers['content-type'];
  return receivePackage({ repository, channel, body: request.body as Readable, mediaType, mostBytes });
}

/** @throws Refusal */
function queryOf(request: FastifyRequest): v.InferOutput<typeof QuerySchema> {
  try {
    const query = decode(QuerySchema, request.query, 'the query');
    metadataFolder(query.channel);
    return query;
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    throw new Refusal(400, { message: error.message, hint: error.hint ?? CHECK_QUERY });
  }
}

const CHECK_QUERY = 'Check what stands behind the question mark of the address';
const NO_TOKEN = {
  message: 'a token is needed that is valid',
  hint: 'Send Authorization: Bearer TOKEN; the operator makes one with icepkg repo token create',
};
const TOO_MANY = { message: 'too many wrong tokens', hint: 'Wait as long as Retry-After says' };

interface Why {
  readonly message: string;
  readonly hint: string;
  /** One of the program, for what it would refuse as well. */
  readonly code?: ErrorCode;
  /** Seconds until another attempt makes sense. */
  readonly wait?: number;
}

class Refusal extends Error {
  readonly status: number;
  readonly why: Why;

  constructor(status: number, why: Why) {
    super(why.message);
    this.status = status;
    this.why = why;
  }
}

const CODE: Readonly<Record<number, string>> = {
  400: 'bad-request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  413: 'too-large',
  429: 'too-many-requests',
  500: 'failed',
};
/** How refusals are counted that are not of the package. */
const OUTCOME: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  403: 'forbidden',
  429: 'unauthorized',
};

const SIGN = 'Sign it with a key whose public half the operator put into .icepkg/upload-keys/';
const SEE_LOG = 'Tell the operator, or try again later';

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (!(error instanceof IcepkgError)) {
    return new Refusal(500, { message: 'the server failed; its log says why', hint: SEE_LOG });
  }
  const { code, message } = error;
  const hint = code === 'package-unsigned' ? SIGN : (error.hint ?? SEE_LOG);
  if (error instanceof PackageTooLarge) return new Refusal(413, { message, hint });
  return new Refusal(STATUS[code] ?? 500, { code, message, hint });
}

/** What is left of the body is not read: the connection ends. */
function refuse(reply: FastifyReply, { status, why }: Refusal): FastifyReply {
  const { code, message, hint, wait } = why;
  if (wait !== undefined) reply.header('Retry-After', wait);
  if (status === 401) reply.header('WWW-Authenticate', 'Bearer');
  const error = {
    code: code ?? CODE[status],
    message,
    hint,
    ...(code === undefined ? {} : { exitStatus: ERROR_EXIT_STATUS[code] }),
  };
  return reply.code(status).header('Connection', 'close').send({ error });
}
