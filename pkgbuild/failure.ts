/** What to say where a step fails: the end of the log, and a guess where one is at hand. */
import * as fs from 'node:fs';
import { isOnMachine, packageOf, usualPackageOf } from './host-programs.ts';
import type { Stop } from './limits.ts';
import { missingInput, missingInputHint, type Surroundings } from './missing-input.ts';

/** Lines of the log that a failure shows. */
const LOG_TAIL = 15;
/** Lines that several compilers at once may write after one has failed. */
const COMPILER_TAIL = 100;

export const howEnded = (status: number, stopped: Stop | undefined): string =>
  stopped === undefined ? `ended with status ${status}` : `was stopped: ${stopped.why}`;

/** Bytes of a log that count as its end: a step may write gigabytes, without a line end. */
const TAIL_BYTES = 256 * 1024;
/** Characters of a line that are kept, half of them from its start: patterns look at every line. */
const LINE_LENGTH = 1000;

/** `set -x` on an input of a pipeline; it tells nobody what failed. */
const ASSIGNMENT = /^\++ [A-Za-z_]\w*=(?:'[^']*'|\S*)$/;

export function logTail(log: string, lines = LOG_TAIL): string[] {
  const file = fs.openSync(log, 'r');
  try {
    const { size } = fs.fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const length = fs.readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes
      .toString('utf8', 0, length)
      .trimEnd()
      .split('\n')
      .filter((line) => !ASSIGNMENT.test(line))
      .slice(-lines)
      .map(shortened);
  } finally {
    fs.closeSync(file);
  }
}

const shortened = (line: string): string =>
  line.length <= LINE_LENGTH ? line : `${line.slice(0, LINE_LENGTH / 2)} … ${line.slice(-LINE_LENGTH / 2)}`;

/** @param around where to look for who has what is missing */
export async function failureHint(log: string, around: Surroundings): Promise<string> {
  const tail = logTail(log);
  const guess =
    (await undeclaredCommand(tail)) ??
    undeclaredFile(tail) ??
    staticProgram(tail) ??
    foreignProgram(tail) ??
    linkedByMachine(tail) ??
    noInstallTarget(tail) ??
    patchOfAnother(tail, around) ??
    refusedBySandbox(tail) ??
    undeclaredInput(log, around) ??
    commandToInstall(tail);
  const said = guess === undefined ? '' : `${guess}\n`;
  return `${said}The whole log is ${log}; it ends with:\n${tail.join('\n')}`;
}

/** A program that the machine has and the build was not shown. */
async function undeclaredCommand(tail: readonly string[]): Promise<string | undefined> {
  const name = notFound(tail).find(isOnMachine);
  if (name === undefined) return undefined;
  const owner = await packageOf(name);
  return owner === undefined
    ? `The machine has ${name}, but the recipe does not declare it: name its Debian package under hostDepends`
    : `The machine has ${name}, but the recipe does not declare it: name ${owner} under hostDepends`;
}

/** Names of commands that were not found, the last first. */
const notFound = (tail: readonly string[]): string[] =>
  tail.toReversed().flatMap((line) => {
    const name =
      /(?:^|[\s:])([A-Za-z0-9_.+-]+): (?:command )?not found$/.exec(line)?.[1] ??
      /env: [‘']([A-Za-z0-9_.+-]+)['’]: No such file/.exec(line)?.[1] ??
      /^make(?:\[\d+\])?: ([A-Za-z0-9_+-]+): No such file or directory$/.exec(line)?.[1];
    return name === undefined ? [] : [name];
  });

/** A program that nobody has installed. */
function commandToInstall(tail: readonly string[]): string | undefined {
  const [name] = notFound(tail);
  if (name === undefined) return undefined;
  const owner = usualPackageOf(name);
  return owner === undefined
    ? undefined
    : `${name} is in the Debian package ${owner}: install that, and name it under hostDepends`;
}

/** A header or library that no declared recipe brings. The compiler may have gone on with other files after it. */
function undeclaredInput(log: string, around: Surroundings): string | undefined {
  const missing = missingInput(logTail(log, COMPILER_TAIL));
  return missing === undefined ? undefined : missingInputHint(missing, around);
}

/** A file beside the recipe that the sandbox was not given. */
function undeclaredFile(tail: readonly string[]): string | undefined {
  for (const line of tail.toReversed()) {
    const name = /\/build\/recipe\/([^\s'’:]+)['’]?: no such file/i.exec(line)?.[1];
    if (name !== undefined)
      return `$RECIPE holds what sources and patches name: if ${name} is beside the recipe, add "- path: ${name}" under sources`;
  }
  return undefined;
}

/** A static program that `run` gave to musl's loader, which may not even be in the sysroot. */
const staticProgram = (tail: readonly string[]): string | undefined =>
  tail.some((line) =>
    /\/lib\/ld-musl-x86_64\.so\.1: (?:not found|no such file)|not a valid dynamic program/i.test(line),
  )
    ? 'On x86_64 "run" starts programs by the loader of musl, which musl under buildDepends brings; a static program starts by itself: ./program, without run'
    : undefined;

/** Objects of the target in the hands of the ld or ar of the machine. */
const linkedByMachine = (tail: readonly string[]): string | undefined =>
  tail.some((line) =>
    /Relocations in generic ELF|(?:file in wrong format|file format not recognized)/i.test(line),
  )
    ? 'The ld or ar of the machine, or its compiler, was given objects for the target: pass LD=${CROSS}ld, AR=$AR and CC=$CC, or by whatever names the build has for them'
    : undefined;

const noInstallTarget = (tail: readonly string[]): string | undefined =>
  tail.some((line) => /No rule to make target ['‘`]install['’]/.test(line))
    ? 'The Makefile has no target install: say what is installed under install, by the pipeline of that name'
    : undefined;

/** A patch that was made for another version of the source. */
function patchOfAnother(tail: readonly string[], { node: { recipe } }: Surroundings): string | undefined {
  if (!tail.some((line) => /^\d+ out of \d+ hunks? (?:FAILED|ignored)|^can't find file to patch/i.test(line)))
    return undefined;
  return `A patch does not fit version ${recipe.upstreamVersion ?? recipe.version} of the source: icepkg build ${recipe.name} --shell shows the source as it is, to make the patch anew`;
}

/** A program for the target, called as if it were one for the machine: its loader is not there. */
function foreignProgram(tail: readonly string[]): string | undefined {
  for (const line of tail.toReversed()) {
    const name =
      /(?<![^\s:'"])([^\s:'"]+): (?:cannot execute: required file not found|exec format error)/i.exec(
        line,
      )?.[1] ?? /: \d+: ([^\s/]*\/\S+): not found$/.exec(line)?.[1];
    if (name !== undefined)
      return `${name} is for the target: start it by "run ${name}", or have what runs in the build compiled by $BUILD_CC`;
  }
  return undefined;
}

const NO_NETWORK =
  /could not resolve host|temporary failure in name resolution|name or service not known|network is unreachable|unable to resolve host|lookup \S+ on \S+:53|getaddrinfo E/i;
const NO_SPACE = /no space left on device/i;
const READ_ONLY =
  /read-only file system|cannot create (?:directory )?['‘]?\/(?!build\/|tmp\/).*(?:nonexistent|no such file)/i;

function refusedBySandbox(tail: readonly string[]): string | undefined {
  if (tail.some((line) => NO_NETWORK.test(line)))
    return 'Steps have no network: name what they fetch under sources, with its sha256';
  if (tail.some((line) => NO_SPACE.test(line)))
    return 'The disk is full, or /tmp of the build, which is in memory and holds 2 GiB: large files belong below /build';
  if (tail.some((line) => READ_ONLY.test(line)))
    return 'Steps write below /build and /tmp only: install into $DESTDIR, which is /build/dest';
  return undefined;
}
