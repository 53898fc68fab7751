/**
 * Publishes, promotes from beta to stable, or collects what was condemned, and kills itself just before write number
 * `step`: `publish-child.ts REPOSITORY KEY STEP [publish|promote|collect]`.
 */
import { collectGarbage } from '#repo-server/gc';
import { publish } from '#repo-server/publish';
import { promote } from '#repo-server/promote';
import { readKeyFile } from '#repo-server/key-files';

const [repository = '', key = '', step = '0', what = 'publish'] = process.argv.slice(2);
let writes = 0;
const onWrite = (): void => {
  if (writes++ === Number(step)) process.kill(process.pid, 'SIGKILL');
};
if (what === 'collect') {
  await collectGarbage(repository, { onWrite, graceHours: 0, retention: { keep: 1, days: 0 } });
} else {
  const options = { keys: [readKeyFile(key)], onWrite };
  if (what === 'promote') await promote(repository, { ...options, from: 'beta', channel: 'stable' });
  else await publish(repository, options);
}
