/**
 * Renders running builds on stderr: on a terminal a line for each with its step, how long it takes and what its log
 * says last; plain lines otherwise.
 */
import * as fs from 'node:fs';
import type { BuildProgress } from '#pkgbuild/build';
import { escapeText } from './escape.ts';

/** What is drawn on; `process.stderr` is one. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface BuildReporter {
  onProgress(progress: BuildProgress): void;
  /** Takes the lines of what still runs away, so that other text can follow. */
  end(): void;
}

interface Running {
  readonly name: string;
  readonly phase: string;
  readonly begun: number;
  readonly log: string;
}

const INTERVAL = 500;
const TAIL_BYTES = 4096;
/** Phases that no other follows. */
const LAST = new Set(['cached', 'done', 'failed']);

export function createBuildReporter(screen: Screen): BuildReporter {
  return screen.isTTY === true ? liveReporter(screen) : plainReporter(screen);
}

const nameOf = ({ recipe, arch }: BuildProgress): string => `${recipe} for ${arch}`;

const plainReporter = (screen: Screen): BuildReporter => ({
  onProgress: (progress) => screen.write(`${escapeText(`${nameOf(progress)}: ${progress.phase}`)}\n`),
  end: () => {},
});

function liveReporter(screen: Screen): BuildReporter {
  const running = new Map<string, Running>();
  let drawn = 0;
  const erase = (): void => {
    if (drawn > 0) screen.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = (): void => {
    const lines = [...running.values()].map((one) => runningLine(one, screen.columns || 80));
    erase();
    screen.write(lines.map((line) => `${line}\n`).join(''));
    drawn = lines.length;
  };
  const timer = setInterval(draw, INTERVAL);
  timer.unref();
  return {
    onProgress: (progress) => {
      const { phase, log } = progress;
      const name = nameOf(progress);
      const before = running.get(name);
      const begun = before?.begun ?? Date.now();
      if (LAST.has(phase)) {
        running.delete(name);
        erase();
        const took = phase === 'cached' ? '' : ` after ${secondsText(Date.now() - begun)}`;
        screen.write(`${escapeText(`${name}: ${phase}${took}`)}\n`);
      } else running.set(name, { name, phase, begun, log });
      draw();
    },
    end: () => {
      clearInterval(timer);
      erase();
    },
  };
}

function runningLine({ name, phase, begun, log }: Running, columns: number): string {
  const head = `${name}: ${phase}, ${secondsText(Date.now() - begun)}`;
  // The last column stays free: some terminals go on to the next line after it.
  return escapeText(`${head}  ${lastLine(log, begun)}`.trimEnd()).slice(0, columns - 1);
}

const secondsText = (milliseconds: number): string => {
  const seconds = Math.floor(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
};

/** Empty for a log that is of an earlier build. */
function lastLine(log: string, begun: number): string {
  const stat = fs.statSync(log, { throwIfNoEntry: false });
  if (stat === undefined || stat.mtimeMs < begun) return '';
  const buffer = Buffer.alloc(Math.min(stat.size, TAIL_BYTES));
  const fd = fs.openSync(log, 'r');
  try {
    fs.readSync(fd, buffer, 0, buffer.length, stat.size - buffer.length);
  } finally {
    fs.closeSync(fd);
  }
  return buffer.toString().trimEnd().split('\n').at(-1)?.trim() ?? '';
}
