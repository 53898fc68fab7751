/** Last step of the build: bundles the parts of oclif in use and writes the table of commands. */
import { writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const dist = new URL('../../dist/', import.meta.url);
const nothing = new URL('./nothing.cjs', import.meta.url).pathname;
// Only oclif's plug-in search, templates and spinners use these; no command here reaches them.
const unused = ['ejs', 'cli-spinners', 'tinyglobby', 'lilconfig', 'minimatch', 'wsl-utils'];
const file = new URL('cli/oclif.js', dist).pathname;
await build({
  entryPoints: [file],
  outfile: file,
  allowOverwrite: true,
  bundle: true,
  minify: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
  alias: Object.fromEntries(unused.map((name) => [name, nothing])),
  banner: {
    js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
  },
});
const { buildCommandTable } = await import(new URL('cli/command-table.js', dist).href);
writeFileSync(new URL('oclif.manifest.json', dist), `${JSON.stringify(await buildCommandTable())}\n`);
