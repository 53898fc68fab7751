/**
 * Publishes, or promotes from a channel to stable, and kills itself just before write number `step`:
 * `publish-child.ts REPOSITORY KEY STEP [FROM]`.
 */
import { publish } from '#repo-server/publish';
import { promote } from '#repo-server/promote';
import { readKeyFile } from '#repo-server/key-files';

const [repository = '', key = '', step = '0', from] = process.argv.slice(2);
let writes = 0;
const options = {
  keys: [readKeyFile(key)],
  onWrite: () => {
    if (writes++ === Number(step)) process.kill(process.pid, 'SIGKILL');
  },
};
if (from === undefined) await publish(repository, options);
else await promote(repository, { ...options, from, channel: 'stable' });
