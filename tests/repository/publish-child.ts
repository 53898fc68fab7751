/** Publishes, and kills itself just before write number `step`: `publish-child.ts REPOSITORY KEY STEP`. */
import { publish } from '#repo-server/publish';
import { readKeyFile } from '#repo-server/key-files';

const [repository = '', key = '', step = '0'] = process.argv.slice(2);
let writes = 0;
await publish(repository, {
  keys: [readKeyFile(key)],
  onWrite: () => {
    if (writes++ === Number(step)) process.kill(process.pid, 'SIGKILL');
  },
});
