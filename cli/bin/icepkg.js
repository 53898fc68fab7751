#!/usr/bin/env node
import { existsSync } from 'node:fs';

try {
  const { main } = await import('#cli/main');
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (existsSync(new URL('../../dist/oclif.manifest.json', import.meta.url))) throw error;
  process.stderr.write('icepkg: this clone is not built yet\nhint: npm run build, or npm run quickstart\n');
  process.exitCode = 1;
}
