/** An object store that speaks S3: Debian's radosgw over one monitor and one OSD in memory, all on loopback. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAMS = ['ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'monmaptool', 'ceph'] as const;
/** `npm run test:stores` asks for it; Debian's packages are named below, and tests/setup.sh leaves their 60 MB to whoever wants this. */
export const wantsRadosGateway = process.env['ICEPKG_RADOS_GATEWAY'] === '1';

export interface Gateway {
  readonly url: string;
  /** For `openStore`. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const FSID = '11111111-1111-1111-1111-111111111111';
const OSD = '22222222-2222-2222-2222-222222222222';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const configuration = (folder: string, monitor: number, gateway: number): string => `[global]
fsid = ${FSID}
mon initial members = a
mon host = v1:127.0.0.1:${monitor}
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
osd objectstore = memstore
osd class load list = *
osd class default list = *
memstore device bytes = 268435456
mon allow pool size one = true
mon data avail crit = 0
mon data avail warn = 0
ms bind msgr2 = false
run dir = ${folder}
admin socket = ${folder}/$name.asok
log file = ${folder}/$name.log
pid file = ${folder}/$name.pid
mon data = ${folder}/mon
osd data = ${folder}/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${gateway}
rgw data = ${folder}/rgw
`;

/** Takes some 15 seconds. On a busy machine the daemons may miss each other, so a second attempt is made from nothing. */
export async function startRadosGateway(): Promise<Gateway> {
  try {
    return await startOnce();
  } catch {
    return startOnce();
  }
}

async function startOnce(): Promise<Gateway> {
  const missing = PROGRAMS.filter((program) => spawnSync(program, ['--version']).error !== undefined);
  if (missing.length > 0)
    throw new Error(
      `no ${missing.join(', ')}: install ceph-mon, ceph-osd, ceph-common and radosgw of Debian's packages`,
    );
  const folder = mkdtempSync(join(tmpdir(), 'icepkg-radosgw-'));
  const [monitor, port] = [await freePort(), await freePort()];
  const config = join(folder, 'ceph.conf');
  writeFileSync(config, configuration(folder, monitor, port));
  for (const name of ['mon', 'osd', 'rgw']) mkdirSync(join(folder, name));
  const run = (program: string, ...words: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr}`);
    return stdout;
  };
  const children: ChildProcess[] = [];
  const start = (program: string, ...words: readonly string[]): void => {
    children.push(spawn(program, ['-f', '-c', config, ...words], { stdio: 'ignore' }));
  };
  const stop = async (): Promise<void> => {
    for (const child of children.reverse()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.kill('SIGKILL')) await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const map = join(folder, 'monmap');
    run('monmaptool', '--create', '--addv', 'a', `[v1:127.0.0.1:${monitor}]`, '--fsid', FSID, map);
    run('ceph-mon', '-c', config, '--mkfs', '-i', 'a', '--monmap', map);
    start('ceph-mon', '-i', 'a');
    run('ceph', '-c', config, 'osd', 'new', OSD);
    run('ceph-osd', '-c', config, '-i', '0', '--mkfs', '--osd-uuid', OSD);
    start('ceph-osd', '-i', '0');
    while (!/\b1 up\b/.test(run('ceph', '-c', config, 'osd', 'stat')))
      await new Promise((resolve) => setTimeout(resolve, 200));
    const user = ['user', 'create', '--uid=test', '--display-name=test'];
    const keys = ['--access-key=AKIATEST', '--secret-key=secret-of-the-test'];
    run('radosgw-admin', '-c', config, '-n', 'client.rgw', ...user, ...keys);
    start('radosgw', '-n', 'client.rgw');
    const url = `http://127.0.0.1:${port}`;
    const answers = (): Promise<boolean> =>
      fetch(url).then(
        () => true,
        () => false,
      );
    while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 200));
    const credentials = { AWS_ACCESS_KEY_ID: 'AKIATEST', AWS_SECRET_ACCESS_KEY: 'secret-of-the-test' };
    return { url, env: { ...credentials, AWS_ENDPOINT_URL: url }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
