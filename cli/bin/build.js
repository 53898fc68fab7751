/**
 * Last step of the build: bundles the program into few files, because finding and opening hundreds of modules takes longer than
 * most commands, and writes the table of commands. With --from-source it reads the TypeScript sources instead of what tsc wrote.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const fromSource = process.argv.includes('--from-source');
const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const input = fromSource ? fileURLToPath(new URL('../../', import.meta.url)) : dist;
const ending = fromSource ? '.ts' : '.js';
// Native modules, what is loaded with require, and what few commands need.
const external = JSON.parse(readFileSync(new URL('./external.json', import.meta.url), 'utf8'));
const nothing = fileURLToPath(new URL('./nothing.cjs', import.meta.url));
// Only oclif's plug-in search, templates and spinners use these; no command here reaches them.
const unused = ['ejs', 'cli-spinners', 'tinyglobby', 'lilconfig', 'minimatch', 'wsl-utils'];
const commands = readdirSync(join(input, 'cli/commands'), { recursive: true, encoding: 'utf8' });

/** Parts of oclif that are reached only when something fails or help is asked for: they load at their first use. */
const lazyParts = {
  name: 'lazy-parts',
  setup: ({ onResolve, onLoad }) => {
    const filter = /^\.{1,2}\/(config|help|help\/util|ux|errors\/pretty-print)$/;
    onResolve({ filter }, ({ importer, path, resolveDir }) =>
      importer.includes('/@oclif/core/lib/')
        ? { path: `${resolveDir} ${path}`, namespace: 'lazy', pluginData: { path, resolveDir } }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'lazy' }, ({ pluginData: { path, resolveDir } }) => ({
      contents: `module.exports = new Proxy({}, {
        get: (_, key) => (key === '__esModule' ? true : require('${path}')[key]),
      });`,
      resolveDir,
    }));
  },
};

await build({
  entryPoints: [
    ...['cli/main', 'cli/command-table', 'cli/engine/stage/worker', 'repo-server/patches/worker'].map(
      (name) => `${name}${ending}`,
    ),
    ...commands.filter((file) => file.endsWith(ending)).map((file) => `cli/commands/${file}`),
  ],
  absWorkingDir: input,
  outdir: dist,
  outbase: input,
  conditions: fromSource ? ['source'] : [],
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  minifyWhitespace: true,
  minifySyntax: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  logLevel: 'error',
  external,
  alias: Object.fromEntries(unused.map((name) => [name, nothing])),
  plugins: [lazyParts],
  banner: {
    js: "import{createRequire as createRequire_}from'node:module';const require=createRequire_(import.meta.url);",
  },
});
const { buildCommandTable } = await import(join(dist, 'cli/command-table.js'));
writeFileSync(join(dist, 'oclif.manifest.json'), `${JSON.stringify(await buildCommandTable())}\n`);
