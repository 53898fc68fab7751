/** Whether the mirrors of a root answer, each asked once; nothing is trusted or kept of what they say. */
import { IcepkgError } from '#schema/error';
import { parseMetadata } from '#schema/tuf/metadata';
import { metadataFolder } from '../client/load-indexes.ts';
import { openMirrors } from '../client/mirrors.ts';
import { getBytes, type Transport } from '../client/transport.ts';
import type { RepositoryConfig } from '../config.ts';
import type { EngineContext } from '../context.ts';
import type { Check } from './doctor.ts';

const MAX_TIMESTAMP = 16_384;

/** Of a repository with several mirrors it is enough that one is good. */
export async function mirrorChecks(context: EngineContext): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const repository of context.config.repositories) {
    const mirrors = openMirrors(context, repository);
    try {
      checks.push(...weighed(await Promise.all(mirrors.map((one) => askMirror(context, repository, one)))));
    } finally {
      for (const mirror of mirrors) mirror.close();
    }
  }
  return checks;
}

function weighed(checks: readonly Check[]): readonly Check[] {
  const state = checks.some((one) => one.state === 'good') ? 'warning' : 'failed';
  return checks.map((one) => (one.state === 'good' ? one : Object.assign({}, one, { state })));
}

async function askMirror(
  { signal, now }: EngineContext,
  repository: RepositoryConfig,
  mirror: Transport,
): Promise<Check> {
  const check = `mirror of ${repository.name}`;
  const file = `${metadataFolder(repository)}/timestamp.json`;
  const address = mirror.addressOf(file);
  const bad = (message: string, hint: string): Check => ({ check, state: 'failed', message, hint });
  try {
    const bytes = await getBytes(mirror, file, MAX_TIMESTAMP, signal);
    if (bytes === undefined)
      return bad(`${address}: not found`, `Name a mirror that has the channel ${repository.channel}`);
    const { expires } = parseMetadata(bytes, 'timestamp', address).signed;
    return Date.parse(expires) > now().getTime()
      ? {
          check,
          state: 'good',
          message: `${mirror.addressOf(metadataFolder(repository))} answers, good until ${expires}`,
        }
      : bad(`${address}: expired ${expires}`, 'Ask its operator to publish again, or name another mirror');
  } catch (error) {
    if (!(error instanceof IcepkgError)) throw error;
    return bad(error.message, error.hint ?? 'Name another mirror');
  }
}
