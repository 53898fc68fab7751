#!/usr/bin/env node
try {
  const { main } = await import('#cli/main');
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const unbuilt =
    error.code === 'ENOENT'
      ? error.path?.endsWith('/dist/oclif.manifest.json')
      : error.code === 'ERR_MODULE_NOT_FOUND' &&
        error.url === new URL('../../dist/cli/main.js', import.meta.url).href;
  if (!unbuilt) throw error;
  process.stderr.write('icepkg: this clone is not built yet\nhint: npm run build, or npm run quickstart\n');
  process.exitCode = 1;
}
