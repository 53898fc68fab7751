/** Boots an image headless, waits for its sentinel, runs its checks and holds it to its budgets. */
import { IcepkgError } from '#schema/error';
import type { Definition } from './definition.ts';
import type { ImageDescription } from './description.ts';
import { bootGuest } from './guest.ts';
import type { Machine } from './qemu.ts';

export interface ImageTest {
  readonly bootSeconds: number;
  /** Processor time that QEMU took until then, in seconds. */
  readonly bootProcessorSeconds: number;
  /** Bytes in use once the guest is idle. */
  readonly idleMemory: number | undefined;
  readonly imageSize: number;
  readonly checks: readonly CheckResult[];
  /** What is over its budget, in words. */
  readonly exceeded: readonly string[];
}

interface CheckResult {
  readonly name: string;
  readonly passed: boolean;
  readonly output: string;
}

const MIB = 1024 ** 2;

/** Of what the kernel keeps only to be fast, it counts but a part as available; the checks leave much of that behind. */
const MEMORY = `sync; { echo 3 > /proc/sys/vm/drop_caches; } 2>/dev/null; awk '/MemTotal/ {t=$2} /MemAvailable/ {a=$2} END {print t, a}' /proc/meminfo`;

/**
 * @param onStep is told what goes on
 * @throws IcepkgError `image-failed` where the sentinel never shows
 */
export async function testImage(
  definition: Definition,
  description: ImageDescription,
  machine: Machine,
  onStep: (step: string) => void = () => undefined,
): Promise<ImageTest> {
  const { boot, checks, budgets } = definition;
  if (boot === undefined)
    throw new IcepkgError('image-failed', `${definition.name} does not say when its boot is over`, {
      hint: 'Add boot: {sentinel: "login:"} to the definition',
    });
  const guest = await bootGuest(machine, boot, onStep);
  try {
    const { bootSeconds, bootProcessorSeconds, run: shell } = guest;
    const results: CheckResult[] = [];
    for (const { name, run, expect } of checks) {
      onStep(`checking: ${name}`);
      const { status, output } = await shell(run);
      const passed = expect === undefined ? status === 0 : new RegExp(expect, 'm').test(output);
      results.push({ name, passed, output });
    }
    const memory = /^\s*(\d+) (\d+)\s*$/m.exec((await shell(MEMORY)).output);
    const idleMemory = memory === null ? undefined : (Number(memory[1]) - Number(memory[2])) * 1024;
    const imageSize = description.files
      .filter(({ format }) => ['img', 'qcow2', 'iso'].includes(format))
      .reduce((sum, { size }) => Math.max(sum, size), 0);
    const measured = { bootSeconds, bootProcessorSeconds, idleMemory, imageSize };
    return { ...measured, checks: results, exceeded: exceeded(budgets, measured, description) };
  } finally {
    await guest.end();
  }
}

function exceeded(
  budgets: Definition['budgets'],
  measured: Pick<ImageTest, 'bootSeconds' | 'idleMemory' | 'imageSize'>,
  { locked }: ImageDescription,
): string[] {
  const over: string[] = [];
  const { bootSeconds, idleMemory, imageSize } = measured;
  if (budgets.bootSeconds !== undefined && bootSeconds > budgets.bootSeconds)
    over.push(`booting took ${bootSeconds.toFixed(1)} s, and ${budgets.bootSeconds} s are allowed`);
  if (budgets.idleMemory !== undefined && idleMemory !== undefined && idleMemory > budgets.idleMemory)
    over.push(
      `${mib(idleMemory)} of memory are in use when idle, and ${mib(budgets.idleMemory)} are allowed`,
    );
  if (budgets.imageSize !== undefined && imageSize > budgets.imageSize) {
    const records = locked.map(({ record }) => record);
    const largest = records.sort((a, b) => b.installedSize - a.installedSize).slice(0, 10);
    const list = largest.map(({ name, installedSize }) => `${name} ${mib(installedSize)}`).join(', ');
    over.push(
      `the image has ${mib(imageSize)}, and ${mib(budgets.imageSize)} are allowed; the largest packages: ${list}`,
    );
  }
  return over;
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
