/** Renders progress on stderr: one bar line a phase on a terminal, plain lines otherwise. */
import type { OnProgress, Progress } from '#engine/model';
import { escapeText } from './escape.ts';
import { countText, sizeText } from './size.ts';

const BAR_WIDTH = 24;
const VERBS = {
  download: 'downloading',
  verify: 'verifying',
  extract: 'extracting',
  commit: 'committing',
} as const;

type Counted = Extract<Progress, { done: number }>;
const isCounted = (progress: Progress): progress is Counted => progress.phase in VERBS;

export interface ReporterOptions {
  /** Only warnings and recoveries. */
  readonly quiet: boolean;
}

export function createProgressReporter(options: ReporterOptions): OnProgress {
  const bar = process.stderr.isTTY;
  const told = new Set<string>();
  let drawn = '';
  /** Ends the bar so that a line can follow. */
  const endBar = (): void => {
    if (drawn !== '') process.stderr.write('\n');
    drawn = '';
  };
  const line = (text: string): void => {
    endBar();
    process.stderr.write(`${text}\n`);
  };
  const draw = (progress: Counted): void => {
    const text = barLine(progress);
    if (text !== drawn) process.stderr.write(`\r${text}\u001b[K`);
    drawn = text;
    if (progress.done >= progress.total) endBar();
  };
  return (progress) => {
    if (progress.phase === 'warning') return line(`warning: ${escapeText(progress.message)}`);
    if (progress.phase === 'recover') return line(`recovered: ${escapeText(progress.message)}`);
    if (options.quiet) return undefined;
    if (progress.phase === 'refresh') {
      if (progress.done) line(`refreshed ${escapeText(progress.repository)}`);
      return undefined;
    }
    if (!isCounted(progress) || progress.packages === 0) return undefined;
    if (bar) return draw(progress);
    if (!told.has(progress.phase)) line(`${VERBS[progress.phase]} ${amount(progress)}`);
    told.add(progress.phase);
    return undefined;
  };
}

/** `7 packages, 3.1 MiB`. */
function amount({ phase, packages, total }: Counted): string {
  const count = countText(packages, 'package');
  return phase === 'commit' ? count : `${count}, ${sizeText(total)}`;
}

function barLine(progress: Counted): string {
  const share = progress.total === 0 ? 1 : Math.min(1, progress.done / progress.total);
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}`;
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  const text = `${VERBS[progress.phase].padEnd(11)} [${bar}] ${percent} %`;
  const item = share === 1 ? amount(progress) : escapeText(progress.item);
  const room = Math.max(0, (process.stderr.columns || 80) - text.length - 2);
  return room === 0 ? text : `${text} ${item.slice(0, room)}`;
}
