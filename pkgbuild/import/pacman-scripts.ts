/** The scripts of a PKGBUILD: functions in a file beside it, named after when they run. */
import { IcepkgError } from '#schema/error';
import type { ImportContext } from './apkbuild.ts';
import { Notes } from './draft.ts';
import { importScripts, scriptBeside, type ScriptName, type Scripted } from './install-scripts.ts';
import { readShellFile, type Reader, type ShellFile } from './shell-file.ts';
import type { ShellFunction } from './shell-script.ts';

const RUNS: Readonly<Record<string, ScriptName>> = {
  pre_install: 'preInstall',
  post_install: 'postInstall',
  pre_upgrade: 'preUpgrade',
  post_upgrade: 'postUpgrade',
  pre_remove: 'preRemove',
  post_remove: 'postRemove',
};

export function pacmanScripts(read: Reader, { file, notes }: ImportContext): Scripted {
  const [name] = read.list('install');
  const telling = { notes, field: 'install', line: read.line('install') };
  if (name === undefined) return importScripts([], telling);
  const text = scriptBeside(file, name);
  const functions = text === undefined ? undefined : functionsIn(text, name);
  if (functions === undefined)
    return importScripts([{ name, runs: 'postInstall', text: undefined }], telling);
  const scripts = Object.entries(RUNS).flatMap(([of, runs]) => {
    const body = bodyOf(of, functions);
    return body === undefined ? [] : [{ name: `${of}() of ${name}`, runs, text: body }];
  });
  return importScripts(scripts, telling);
}

function functionsIn(text: string, file: string): ShellFile['functions'] | undefined {
  try {
    // Nothing outside the functions is for the package.
    return readShellFile(text, { file, given: {}, notes: new Notes() }).functions;
  } catch (error) {
    if (error instanceof IcepkgError) return undefined;
    throw error;
  }
}

const MAX_CALLS = 10;

/** What a function does; those of the file that it calls stand before it, but a call of one alone is that one. */
function bodyOf(name: string, functions: ShellFile['functions'], calls = 0): string | undefined {
  const body = functions.get(name)?.body.trim();
  if (body === undefined || calls > MAX_CALLS) return undefined;
  const only = /^([A-Za-z_]\w*)(?:[ \t]+"?\$[\w@*]"?)*[ \t]*;?$/.exec(body)?.[1] ?? '';
  if (functions.has(only)) return bodyOf(only, functions, calls + 1);
  const others = calledBy(name, body, functions);
  return [...others.map((one) => `${one.name}() {\n${one.body.trim()}\n}\n`), `${body}\n`].join('');
}

/** Functions that a text calls, and those that they call. */
function calledBy(name: string, text: string, functions: ShellFile['functions']): ShellFunction[] {
  const called = new Set<ShellFunction>();
  const pending = [text];
  for (let next = pending.pop(); next !== undefined; next = pending.pop())
    for (const one of functions.values()) {
      const call = new RegExp(`(?:^|[\\s;&|(])${one.name.replaceAll(/[.+]/g, '\\$&')}(?=[\\s;)&|]|$)`, 'm');
      if (one.name === name || called.has(one) || !call.test(next)) continue;
      called.add(one);
      pending.push(one.body);
    }
  return [...called];
}
