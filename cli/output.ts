/**
 * The way to stdout and stderr: whatever packages, repositories, recipes, programs and files say is made harmless here, so no
 * command has to think of it. A line at the margin is always icepkg's own where a remark or an error quotes several lines.
 */
import { escapeLines, jsonText } from './escape.ts';

/** What a command found out, on stdout. */
export function printResult(text: string): void {
  process.stdout.write(`${escapeLines(text)}\n`);
}

/** One document on stdout, for programs. */
export function printJson(value: unknown): void {
  process.stdout.write(`${jsonText(value)}\n`);
}

/** One remark, hint or error on stderr; the lines after its first are indented. */
export function printRemark(text: string): void {
  process.stderr.write(`${escapeLines(text).replaceAll('\n', '\n  ')}\n`);
}
