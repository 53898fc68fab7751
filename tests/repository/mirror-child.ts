/** Mirrors, and kills itself just before write number `step`: `mirror-child.ts FROM TO TRUST STEP`. */
import { readFileSync } from 'node:fs';
import { mirrorRepository } from '#repo-server/mirror';

const [from = '', to = '', trust = '', step = '0'] = process.argv.slice(2);
let writes = 0;
await mirrorRepository(to, {
  settings: { format: 1, from, channels: ['stable'] },
  trustedRoot: readFileSync(trust),
  parallel: 1,
  onWrite: () => {
    if (writes++ === Number(step)) process.kill(process.pid, 'SIGKILL');
  },
});
