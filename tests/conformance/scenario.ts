/** `test` with a repository that can misbehave and the client under test, run as a program of its own. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test as base } from 'vitest';
import { clockAhead } from '../support/clock.ts';
import { bundleClient } from './bundle.ts';
import { Simulator, type Envelope } from './simulator.ts';

const bundle = await bundleClient();
afterAll(() => rmSync(bundle, { force: true }));

export interface RunOptions {
  /** Days that the clock of the client is ahead. */
  readonly days?: number;
}

/** Each command returns the exit status. */
export class Client {
  readonly metadata: string;
  readonly artifacts: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'icepkg-conformance-'));
  readonly #url: string;
  program = bundle;
  /** What the last command said. */
  output = '';

  constructor(url: string) {
    this.#url = url;
    this.metadata = join(this.#folder, 'metadata');
    this.artifacts = join(this.#folder, 'artifacts');
    for (const folder of [this.metadata, this.artifacts]) mkdirSync(folder);
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  init(root: Uint8Array): Promise<number | null> {
    const file = join(this.#folder, 'initial.json');
    writeFileSync(file, root);
    return this.#run(['init', file], {});
  }

  refresh(options: RunOptions = {}): Promise<number | null> {
    return this.#run(['--metadata-url', `${this.#url}/metadata/`, 'refresh'], options);
  }

  download(name: string, options: RunOptions = {}): Promise<number | null> {
    const metadata = ['--metadata-url', `${this.#url}/metadata/`, '--target-name', name];
    const target = ['--target-dir', this.artifacts, '--target-base-url', `${this.#url}/targets/`];
    return this.#run([...metadata, ...target, 'download'], options);
  }

  /** Version of each role that is trusted, by the name of its file. */
  trusted(): Record<string, number> {
    const files = readdirSync(this.metadata).filter((name) => name.endsWith('.json'));
    return Object.fromEntries(
      files.sort().map((name) => [name.slice(0, -5), this.read(name.slice(0, -5)).signed.version]),
    );
  }

  read(role: string): Envelope {
    return JSON.parse(this.bytes(role).toString()) as Envelope;
  }

  bytes(role: string): Buffer {
    return readFileSync(join(this.metadata, `${role}.json`));
  }

  /** Contents of what was downloaded, oldest first. */
  downloaded(): string[] {
    const files = readdirSync(this.artifacts).map((name) => join(this.artifacts, name));
    const age = (file: string): bigint => statSync(file, { bigint: true }).mtimeNs;
    return files.sort((a, b) => Number(age(a) - age(b))).map((file) => readFileSync(file, 'utf8'));
  }

  #run(words: readonly string[], { days = 0 }: RunOptions): Promise<number | null> {
    const env = days === 0 ? process.env : { ...process.env, NODE_OPTIONS: clockAhead(days) };
    const child = spawn(this.program, ['--metadata-dir', this.metadata, ...words], { env });
    this.output = '';
    child.stderr.on('data', (part: Buffer) => (this.output += part.toString()));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
  }
}

interface World {
  readonly repo: Simulator;
  readonly client: Client;
  /** Initializes the client with the first root. */
  readonly initialized: Client;
}

export const scenario = base.extend<World>({
  repo: async ({ onTestFinished }, use) => {
    const repo = new Simulator();
    onTestFinished(() => repo.close());
    await use(repo);
  },
  client: async ({ repo }, use) => {
    const client = new Client(await repo.listen());
    await use(client);
    client.dispose();
  },
  initialized: async ({ repo, client }, use) => {
    await client.init(repo.published.get('root')?.[0] ?? Buffer.alloc(0));
    await use(client);
  },
}).concurrent;
