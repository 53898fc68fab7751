/** The thread that makes patches: takes requests one after the other, and ends when the port is closed. */
import { parentPort } from 'node:worker_threads';
import { openPatchAttempts } from './make-patches.ts';
import type { PatchRequest } from './make-patch.ts';

const port = parentPort;
if (port === null) throw new Error('this module runs in a worker only');
const tryPatch = openPatchAttempts();
port.on('message', (request: PatchRequest) => {
  // What is no user error ends the thread, which is what the other side is told.
  void tryPatch(request).then((outcome) => port.postMessage(outcome));
});
