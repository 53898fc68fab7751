/** Where the passphrase of a key comes from: a file that the environment names, or the terminal, without an echo. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { IcepkgError, isErrno } from '#schema/error';

/** Names a file whose first line is the passphrase of every key: for services, and programs without a terminal. */
export const PASSPHRASE_FILE = 'ICEPKG_PASSPHRASE_FILE';
const SHORTEST = 10;

/** @throws IcepkgError `usage` where there is nobody to ask */
export function passphraseOf(file: string): string {
  return fromFile() ?? askTerminal(`passphrase of ${file}: `);
}

/** A passphrase for a key that is being sealed; from the terminal twice. @throws IcepkgError `usage` */
export function newPassphrase(file: string): string {
  const given = fromFile();
  const passphrase = given ?? askTerminal(`new passphrase of ${file}: `);
  if (passphrase.length < SHORTEST) {
    throw new IcepkgError('usage', `the passphrase is shorter than ${SHORTEST} characters`, {
      hint: 'Take several words',
    });
  }
  if (given === undefined && askTerminal('once more: ') !== passphrase)
    throw new IcepkgError('usage', 'the two passphrases differ', { hint: 'Type the command again' });
  return passphrase;
}

function fromFile(): string | undefined {
  const file = process.env[PASSPHRASE_FILE];
  if (file === undefined || file === '') return undefined;
  try {
    return fs.readFileSync(file, 'utf8').split('\n', 1)[0] ?? '';
  } catch (cause) {
    throw new IcepkgError('not-found', `${file}: no passphrase can be read there`, {
      hint: `Correct ${PASSPHRASE_FILE}, or unset it to be asked`,
      cause,
    });
  }
}

function askTerminal(question: string): string {
  const terminal = openTerminal();
  const stty = (...words: string[]): void => {
    spawnSync('stty', words, { stdio: [terminal, 'ignore', 'ignore'] });
  };
  try {
    fs.writeSync(terminal, question);
    stty('-echo');
    return readLine(terminal);
  } finally {
    stty('echo');
    fs.writeSync(terminal, '\n');
    fs.closeSync(terminal);
  }
}

function openTerminal(): number {
  try {
    return fs.openSync('/dev/tty', 'r+');
  } catch (cause) {
    if (!isErrno(cause, 'ENXIO', 'ENOENT', 'EACCES', 'ENODEV')) throw cause;
    throw new IcepkgError('usage', 'the key needs a passphrase, and there is no terminal to ask on', {
      hint: `Name a file that holds it by the environment variable ${PASSPHRASE_FILE}`,
      cause,
    });
  }
}

function readLine(terminal: number): string {
  const parts: Buffer[] = [];
  const piece = Buffer.alloc(256);
  for (;;) {
    const size = fs.readSync(terminal, piece, 0, piece.length, null);
    parts.push(Buffer.from(piece.subarray(0, size)));
    const text = Buffer.concat(parts).toString('utf8');
    if (size === 0 || text.includes('\n')) return text.split('\n', 1)[0] ?? '';
  }
}
