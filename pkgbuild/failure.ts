/** What to say where a step fails: the end of the log, and a guess where one is at hand. */
import * as fs from 'node:fs';

/** Lines of the log that a failure shows. */
const LOG_TAIL = 15;

export function failureHint(log: string): string {
  const tail = fs.readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL);
  const guess = undeclaredCommand(tail);
  const said = guess === undefined ? '' : `${guess}\n`;
  return `${said}The whole log is ${log}; it ends with:\n${tail.join('\n')}`;
}

/** A program that the machine has and the build was not shown. */
function undeclaredCommand(tail: readonly string[]): string | undefined {
  for (const line of tail.toReversed()) {
    const name =
      /(?:^|[\s:])([A-Za-z0-9_.+-]+): (?:command )?not found$/.exec(line)?.[1] ??
      /env: [‘']([A-Za-z0-9_.+-]+)['’]: No such file/.exec(line)?.[1];
    if (name !== undefined && ['/usr/bin', '/usr/sbin'].some((folder) => fs.existsSync(`${folder}/${name}`)))
      return `The machine has ${name}, but the recipe does not declare it: name its Debian package (dpkg -S ${name}) under hostDepends`;
  }
  return undefined;
}
