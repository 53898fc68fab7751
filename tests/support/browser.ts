/** Chromium for tests of pages, driven by playwright-core. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** @throws Error telling what to install where there is no Chromium: pages that nobody looked at are not tested */
export async function openBrowser(): Promise<Browser> {
  const executablePath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => ['chromium', 'chromium-browser'].map((name) => join(folder, name)))
    .find(isProgram);
  if (executablePath === undefined)
    throw new Error('chromium is missing: as root type apt-get install --no-install-recommends chromium');
  // The pages come from this very test, and Chromium's own sandbox does not start as root or in most containers.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
