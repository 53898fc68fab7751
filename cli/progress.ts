/** Renders progress on stderr: one bar line a phase on a terminal, plain lines otherwise. */
import type { OnProgress, Progress } from '#engine/model';
import { escapeText } from './escape.ts';

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
  let phase: string | undefined;
  let open = false;
  const line = (text: string): void => {
    process.stderr.write(`${open ? '\n' : ''}${text}\n`);
    open = false;
  };
  return (progress) => {
    if (progress.phase === 'warning') return line(`warning: ${escapeText(progress.message)}`);
    if (progress.phase === 'recover') return line(`recovered: ${escapeText(progress.message)}`);
    if (options.quiet) return undefined;
    if (progress.phase === 'refresh') {
      if (progress.done) line(`refreshed ${escapeText(progress.repository)}`);
      return undefined;
    }
    if (!isCounted(progress)) return undefined;
    const changed = progress.phase !== phase;
    phase = progress.phase;
    if (!bar) {
      if (changed) line(`${VERBS[progress.phase]} (${progress.total})`);
      return undefined;
    }
    process.stderr.write(`${changed && open ? '\n' : '\r'}${barLine(progress)}\u001b[K`);
    open = progress.done < progress.total;
    if (!open) process.stderr.write('\n');
    return undefined;
  };
}

function barLine(progress: Counted): string {
  const share = progress.total === 0 ? 1 : Math.min(1, progress.done / progress.total);
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}`;
  const percent = `${Math.round(share * 100)}`.padStart(3);
  const room = Math.max(0, (process.stderr.columns ?? 80) - BAR_WIDTH - 22);
  return `${VERBS[progress.phase].padEnd(11)} [${bar}] ${percent} % ${escapeText(progress.item).slice(0, room)}`;
}
