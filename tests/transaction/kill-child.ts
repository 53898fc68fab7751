/** Runs one change and kills itself, as SIGKILL does, at a given step: `kill-child.ts ROOT SCENARIO STEP`. */
import { rollback } from '#engine/rollback';
import { change, contextOf, type Tree } from './fixture.ts';

const [root = '', scenario = '', step = '0', tree = '{}'] = process.argv.slice(2);
let left = Number(step);
const onStep = (): void => {
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
};
const context = contextOf(root, { onStep });
if (scenario === 'rollback') await rollback(context, { dryRun: false, confirm: () => true });
else change(context, 'p', JSON.parse(tree) as Tree);
