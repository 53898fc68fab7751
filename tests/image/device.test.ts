/**
 * icepkg on the device: the guest installs from a server on the host, survives reboots and power cuts, upgrades, rolls back,
 * verifies. It boots an emulated machine many times, so it runs with `ICEPKG_IMAGE_REPOSITORY=DIR`, a published repository with
 * the packages of `images/systems/icenet.yaml` (`npm run test:images`). `ICEPKG_IMAGE_BOARDS` names the boards.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { buildImage } from '#bootstrap/build';
import { defaultImageRoots, loadDefinition, type Definition } from '#bootstrap/definition';
import { openDepot } from '#bootstrap/depot';
import { descriptionName, readDescription } from '#bootstrap/description';
import { bootGuest, type Guest } from '#bootstrap/guest';
import { lockImage } from '#bootstrap/lock';
import { qemuMachine } from '#bootstrap/qemu';
import { serve, type RepositoryServer } from '#repo-server/serve';
import { makeDepot, type DeclaredPackage, type Depot } from '../support/repository.ts';

const repository = process.env['ICEPKG_IMAGE_REPOSITORY'];
const TEN_MINUTES = 600;
/** How many times the power is cut. */
const CUTS = 3;

describe
  .runIf(repository !== undefined)
  .each((process.env['ICEPKG_IMAGE_BOARDS'] ?? 'qemu-x86_64 uefi-aarch64').split(' '))('on %s', (board) => {
  let scratch: string;
  let depot: Depot;
  let server: RepositoryServer;
  let definition: Definition;
  let guest: Guest;

  const declared = (version: string, text: string): DeclaredPackage => ({
    name: 'greeting',
    version,
    arch: 'noarch',
    files: { 'usr/share/greeting': text, 'usr/lib/greeting': { directory: 0o755 } },
  });
  const boot = async (): Promise<Guest> => {
    const folder = path.join(scratch, 'out');
    const description = readDescription(folder, descriptionName(definition));
    const machine = qemuMachine({ folder, definition, description, persistent: true, forwards: [] });
    if (definition.boot === undefined) throw new Error('the system says when its boot is over');
    return bootGuest(machine, definition.boot);
  };
  const run = async (command: string): Promise<string> => {
    const { status, output } = await guest.run(command, TEN_MINUTES);
    expect(output === '' ? `${command}: ${status}` : output).not.toMatch(/^icepkg: /m);
    expect(status, `${command}: ${output}`).toBe(0);
    return output;
  };

  beforeAll(async () => {
    scratch = fs.mkdtempSync(path.join(tmpdir(), 'icepkg-device-'));
    depot = await makeDepot();
    await depot.publish(declared('1.0.0-r0', 'hello\n'));
    server = await serve(depot.repository);
    const own = path.join(scratch, 'device.yaml');
    fs.copyFileSync(depot.trustedRoot, path.join(scratch, 'extra.json'));
    const mirrors = [server.url.replace('127.0.0.1', '10.0.2.2')];
    const repositories = [{ name: 'extra', mirrors, trust: 'extra.json' }];
    fs.writeFileSync(own, stringify({ system: 'icenet', board, repositories }));
    definition = loadDefinition({ image: own, roots: defaultImageRoots() });
    const trust = path.join(repository ?? '', 'channels/stable/metadata/1.root.json');
    const cacheFolder = path.join(scratch, 'cache');
    const context = openDepot({
      arch: definition.arch,
      repositories: [{ name: 'main', mirrors: [repository ?? ''], trust }],
      cacheFolder,
    });
    const lock = await lockImage(definition, context);
    await buildImage({ definition, lock, depot: context, cacheFolder, output: path.join(scratch, 'out') });
    guest = await boot();
  }, 600_000);
  afterAll(async () => {
    await guest.end();
    await server.close();
    depot.dispose();
    fs.rmSync(scratch, { recursive: true, force: true });
  });

  test('the guest installs from the host, and the package outlives a reboot', async () => {
    await run('icepkg install greeting --yes');
    expect(await run('cat /usr/share/greeting')).toBe('hello');
    guest.send('reboot');
    await guest.ended();
    guest = await boot();
    expect(await run('cat /usr/share/greeting')).toBe('hello');
    await run('icepkg verify');
  });

  test('it upgrades and rolls back', async () => {
    await depot.publish(declared('1.1.0-r0', 'hello again\n'));
    await run('icepkg upgrade --yes');
    expect(await run('cat /usr/share/greeting')).toBe('hello again');
    await run('icepkg rollback --yes');
    expect(await run('cat /usr/share/greeting')).toBe('hello');
    await run('icepkg verify');
  });

  test('the power is cut: it has the old or the new, and verifies', async () => {
    for (let cut = 0; cut < CUTS; cut++) {
      guest.send('icepkg upgrade --yes');
      await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 8000));
      await guest.end();
      guest = await boot();
      expect(await run('cat /usr/share/greeting')).toMatch(/^hello(?: again)?$/);
      await run('icepkg verify');
      if ((await run('cat /usr/share/greeting')) === 'hello again') await run('icepkg rollback --yes');
    }
  });
});
