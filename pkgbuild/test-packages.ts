/** The tests of built packages, each in a fresh root that the engine installs them into with what they need. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { canonicalJson } from '#schema/canonical-json';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { failureHint, howEnded } from './failure.ts';
import type { Limits } from './limits.ts';
import type { BuildNode } from './order.ts';
import { showRecipeFiles } from './recipe-files.ts';
import { installRoot, rootLines, testRoot, type Offers, type RootPackage } from './root.ts';
import { runSandboxed } from './sandbox.ts';
import { RECIPE_FOLDER } from './sources/resolve.ts';
import { BUILD_ROOT } from './toolchain.ts';

export interface TestOptions {
  readonly log: string;
  readonly cacheFolder: string;
  /** Programs of the machine that the test sees. */
  readonly commands: string | undefined;
  readonly limits: Limits;
  readonly signal?: AbortSignal;
}

export interface PackageTest {
  /** The package that is tested. */
  readonly name: string;
  readonly script: string;
  /** What is in its root. */
  readonly root: readonly RootPackage[];
}

/**
 * @param from what the build itself gave, and what others offer
 * @throws IcepkgError `build-failed` where a package lacks something that it needs
 */
export const testsOf = (
  node: BuildNode,
  from: { readonly own: readonly RootPackage[]; readonly offers: Offers },
): PackageTest[] =>
  [node.recipe, ...(node.recipe.subpackages ?? [])].flatMap(({ name, test }) =>
    test === undefined ? [] : [{ name, script: test, root: testRoot(node, name, from) }],
  );

/** Changes with the tests and with what is in their roots. */
export const testDigest = (tests: readonly PackageTest[]): string =>
  sha256(canonicalJson(tests.map(({ name, script, root }) => [name, script, rootLines(root)])));

/** @throws IcepkgError `build-failed` naming the package and the log of the first test that does not pass */
export async function testPackages(
  node: BuildNode,
  tests: readonly PackageTest[],
  options: TestOptions,
): Promise<void> {
  for (const test of tests) await testPackage(node, test, options);
}

async function testPackage(
  node: BuildNode,
  { name, script, root: packages }: PackageTest,
  options: TestOptions,
): Promise<void> {
  const workspace = fs.mkdtempSync(path.join(os.tmpdir(), `icepkg-build-${process.pid}-`));
  const root = path.join(workspace, 'root');
  const { log, commands, limits, signal } = options;
  try {
    for (const folder of ['src', 'tools/bin'])
      fs.mkdirSync(path.join(workspace, folder), { recursive: true });
    await installRoot(root, node.toolArch, packages);
    for (const folder of ['proc', 'dev', 'tmp']) fs.mkdirSync(path.join(root, folder), { recursive: true });
    fs.writeFileSync(path.join(workspace, 'tools/bin/run'), runner(node.toolArch), { mode: 0o755 });
    fs.appendFileSync(log, `== test of ${name}\n`);
    const inside = `${BUILD_ROOT}/root`;
    const emulator =
      node.toolArch === 'aarch64' && process.arch !== 'arm64' ? emulatorMount(root, inside) : [];
    const { status, stopped } = await runSandboxed({
      workspace,
      readOnly: [showRecipeFiles(node, workspace)],
      environment: {
        PATH: `${BUILD_ROOT}/tools/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
        HOME: '/tmp',
        LC_ALL: 'C',
        TZ: 'UTC',
        ROOT: inside,
        ARCH: node.toolArch,
        RECIPE: RECIPE_FOLDER,
        VERSION: node.recipe.version,
        ...node.recipe.env,
      },
      script: `set -x\n${script}`,
      directory: `${BUILD_ROOT}/src`,
      log,
      limits,
      capabilities: ['CAP_SYS_CHROOT'],
      more: ['--proc', `${inside}/proc`, '--dev', `${inside}/dev`, '--tmpfs', `${inside}/tmp`, ...emulator],
      ...(commands === undefined ? {} : { commands }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (status === 0) return;
    throw new IcepkgError(
      'build-failed',
      `${node.recipe.name} for ${node.arch}: the test of ${name} ${howEnded(status, stopped)}`,
      {
        hint: await failureHint(log, { node, cacheFolder: options.cacheFolder }),
        data: { phase: 'test', package: name, status, log },
      },
    );
  } finally {
    fs.rmSync(workspace, { recursive: true, force: true });
  }
}

function emulatorMount(root: string, inside: string): string[] {
  fs.writeFileSync(path.join(root, '.emulator'), '');
  return ['--ro-bind', '/usr/bin/qemu-aarch64-static', `${inside}/.emulator`];
}

/** `run PROGRAM` starts a program of the root in the root, as if that were the machine. */
const runner = (arch: MachineArch): string => `#!/bin/sh
program=$1
shift
case $program in
  */*) ;;
  *)
    for folder in usr/sbin usr/bin sbin bin; do
      if [ -e "$ROOT/$folder/$program" ] || [ -L "$ROOT/$folder/$program" ]; then
        program=/$folder/$program
        break
      fi
    done
    ;;
esac
case $program in */*) ;; *) echo "run: there is no program $program in the root" >&2; exit 127 ;; esac
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
${arch === 'aarch64' && process.arch !== 'arm64' ? EMULATED : ''}exec chroot "$ROOT" "$program" "$@"
`;

/** The emulator starts no scripts: their interpreter has to be named. */
const EMULATED = `
if [ "$(head -c 2 "$ROOT/$program" 2>/dev/null)" = '#!' ]; then
  exec chroot "$ROOT" /.emulator $(head -n 1 "$ROOT/$program" | cut -c 3-) "$program" "$@"
fi
exec chroot "$ROOT" /.emulator "$program" "$@"
`;
