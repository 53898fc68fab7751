/** The upload API: `POST /api/v1/packages` and `POST /api/v1/publish`, below the name of the repository where there are several. */
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as v from 'valibot';
import { decode } from '#schema/decode';
import { ERROR_EXIT_STATUS, IcepkgError, type ErrorCode } from '#schema/error';
import type { PrivateKey } from '#schema/keys';
import { RateLimit } from './http-limits.ts';
import { DEFAULT_CHANNEL, metadataFolder } from './layout.ts';
import type { FoundSite } from './sites.ts';
import { allows, findToken } from './tokens.ts';
import { publishUploaded, receivePackage } from './upload.ts';

export interface UploadApi {
  readonly siteOf: (path: string) => FoundSite | undefined;
  readonly mostBytes: number;
  /** With which `publish` signs. */
  readonly keys: readonly PrivateKey[];
  readonly count: (outcome: string, repository: string) => void;
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
  const { api, guesses, action } = guard;
  const found = api.siteOf(request.url.split('?', 1)[0] ?? '/');
  if (found === undefined) return refuse(reply, 404, 'there is no such repository');
  const { root, name } = found.site;
  try {
    const { channel, message } = decode(QuerySchema, request.query, 'the query');
    metadataFolder(channel);
    const token = findToken(root, /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
    if (token === undefined) {
      api.count('unauthorized', name);
      const wait = guesses.take(request.ip, Date.now());
      if (wait > 0) return refuse(reply.header('Retry-After', wait), 429, 'too many wrong tokens');
      return refuse(reply.header('WWW-Authenticate', 'Bearer'), 401, 'a token is needed that is valid');
    }
    if (!allows(token, action, channel)) {
      api.count('forbidden', name);
      return refuse(reply, 403, `the token ${token.id} does not allow ${action}:${channel}`);
    }
    if (Number(request.headers['content-length'] ?? 0) > api.mostBytes) {
      api.count('refused', name);
      return refuse(reply, 413, `the package is larger than ${api.mostBytes} bytes`);
    }
    const done =
      action === 'upload'
        ? await receivePackage({
            repository: root,
            channel,
            body: request.body as Readable,
            mostBytes: api.mostBytes,
          })
        : await publishUploaded(root, {
            channel,
            keys: api.keys,
            ...(message === undefined ? {} : { message }),
          });
    api.count(action === 'upload' ? 'accepted' : 'published', name);
    return reply.code(action === 'upload' ? 201 : 200).send(done);
  } catch (error) {
    api.count('refused', name);
    if (error instanceof IcepkgError) {
      const { code, hint } = error;
      return reply
        .code(STATUS[code] ?? 500)
        .header('Connection', 'close')
        .send({ error: { code, message: error.message, hint, exitStatus: ERROR_EXIT_STATUS[code] } });
    }
    api.onError(error);
    return refuse(reply, 500, 'the server failed; its log says why');
  }
}

/** What is left of the body is not read: the connection ends. */
const refuse = (reply: FastifyReply, status: number, message: string): FastifyReply =>
  reply.code(status).header('Connection', 'close').send({ error: { message } });
