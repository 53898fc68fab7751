/**
 * A repository of The Update Framework that can be wrong in any way: its metadata are drafts that a test changes,
 * `publish` signs and serves them, and every request is noted.
 */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tufCanonicalJson } from '#schema/canonical-json';
import { makeSigner, type PublicKeyDocument, type Signer, type SignerOptions } from './signers.ts';

export interface Meta {
  version: number;
  length?: number;
  hashes?: Record<string, string>;
}
export interface RoleDraft {
  keyids: string[];
  threshold: number;
  [field: string]: unknown;
}
interface Common {
  _type: string;
  spec_version: string;
  version: number;
  expires: string;
  [field: string]: unknown;
}
export interface RootDraft extends Common {
  consistent_snapshot: boolean;
  keys: Record<string, PublicKeyDocument>;
  roles: Record<TopRole, RoleDraft>;
}
interface MetaDraft extends Common {
  meta: Record<string, Meta>;
}
export interface TargetDraft {
  length: number;
  hashes: Record<string, string>;
}
export interface DelegationDraft extends RoleDraft {
  name: string;
  terminating: boolean;
}
export interface TargetsDraft extends Common {
  targets: Record<string, TargetDraft>;
  delegations?: {
    keys: Record<string, PublicKeyDocument>;
    roles?: DelegationDraft[];
    succinct_roles?: RoleDraft & { bit_length: number; name_prefix: string };
  };
}
export type TopRole = 'root' | 'timestamp' | 'snapshot' | 'targets';
export interface Envelope {
  signatures: { keyid: string; sig: string }[];
  signed: Common;
}

export const DAY = 86_400_000;
export const daysFromNow = (days: number): string =>
  new Date(Date.now() + days * DAY).toISOString().replace(/\.\d+Z$/, 'Z');
export const TOP_LEVEL = ['targets', 'snapshot', 'timestamp'] as const;

const common = (type: string): Common => ({
  _type: type,
  spec_version: '1.0.33',
  version: 1,
  expires: daysFromNow(30),
});
export const emptyTargets = (expires = daysFromNow(30)): TargetsDraft => ({
  ...common('targets'),
  expires,
  targets: {},
});

export interface DelegationOptions {
  readonly paths?: string[];
  readonly path_hash_prefixes?: string[];
  readonly terminating?: boolean;
  readonly targets?: TargetsDraft;
}

export class Simulator {
  readonly root: RootDraft;
  readonly timestamp: MetaDraft = { ...common('timestamp'), meta: { 'snapshot.json': { version: 1 } } };
  readonly snapshot: MetaDraft = { ...common('snapshot'), meta: { 'targets.json': { version: 1 } } };
  readonly targets: TargetsDraft = emptyTargets();
  readonly delegated = new Map<string, TargetsDraft>();
  /** What is served of each role, version 1 first. */
  readonly published = new Map<string, Buffer[]>();
  readonly signers = new Map<string, Map<string, Signer>>();
  readonly artifacts = new Map<string, { data: Buffer; target: TargetDraft }>();
  /** Says length and hashes of snapshot and targets files, too. */
  describesMetadata = false;
  prefixesTargets = true;
  /** `ROLE VERSION`, or `ROLE` where the request named no version. */
  readonly requests: string[] = [];
  readonly downloads: string[] = [];
  readonly agents = new Set<string | undefined>();
  readonly #server: Server;

  constructor() {
    const role = (): RoleDraft => ({ keyids: [], threshold: 1 });
    const roles = { root: role(), timestamp: role(), snapshot: role(), targets: role() };
    this.root = { ...common('root'), consistent_snapshot: true, keys: {}, roles };
    for (const name of ['root', ...TOP_LEVEL] as const) this.addKey(name);
    this.publish(...TOP_LEVEL, 'root');
    this.#server = createServer((request, response) => {
      this.agents.add(request.headers['user-agent']);
      const body = this.#fetch(request.url ?? '');
      response.writeHead(body === undefined ? 404 : 200, { 'content-length': body?.length ?? 0 }).end(body);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  draft(role: string): Common {
    switch (role) {
      case 'root':
      case 'timestamp':
      case 'snapshot':
      case 'targets':
        return this[role];
      default:
        return this.targetsOf(role);
    }
  }

  targetsOf(role: string): TargetsDraft {
    const draft = role === 'targets' ? this.targets : this.delegated.get(role);
    if (draft === undefined) throw new Error(`no role ${role}`);
    return draft;
  }

  /** A new key for a role of the root, named there and used from the next `publish` on. */
  addKey(role: TopRole, options: SignerOptions = {}): Signer {
    return this.useKey(role, makeSigner(options));
  }

  useKey(role: TopRole, signer: Signer): Signer {
    this.root.keys[signer.keyid] = signer.key;
    this.root.roles[role].keyids.push(signer.keyid);
    this.addSigner(role, signer);
    return signer;
  }

  addSigner(role: string, signer: Signer): void {
    const own = this.signers.get(role) ?? new Map<string, Signer>();
    this.signers.set(role, own.set(signer.keyid, signer));
  }

  /** Takes away one of the role's signers, not its key. */
  dropSigner(role: string): void {
    const own = this.signers.get(role);
    const last = [...(own?.keys() ?? [])].pop();
    if (last !== undefined) own?.delete(last);
  }

  clearKeys(role: TopRole): void {
    this.root.roles[role].keyids = [];
    this.signers.get(role)?.clear();
  }

  rotateKeys(role: TopRole): void {
    this.clearKeys(role);
    for (let count = 0; count < this.root.roles[role].threshold; count++) this.addKey(role);
  }

  delegate(from: string, name: string, options: DelegationOptions = {}): void {
    const { paths, path_hash_prefixes: prefixes, terminating = false, targets } = options;
    const delegator = this.targetsOf(from);
    const delegations = (delegator.delegations ??= { keys: {}, roles: [] });
    const signer = makeSigner();
    delegations.keys[signer.keyid] = signer.key;
    const match = prefixes === undefined ? { paths: paths ?? ['*'] } : { path_hash_prefixes: prefixes };
    delegations.roles?.push({ name, keyids: [signer.keyid], threshold: 1, terminating, ...match });
    this.addSigner(name, signer);
    if (!this.delegated.has(name)) this.delegated.set(name, targets ?? emptyTargets());
  }

  delegateToBins(from: string, bits: number, prefix: string): string[] {
    const signer = makeSigner();
    const digits = Math.ceil(bits / 4);
    const names = Array.from(
      { length: 2 ** bits },
      (_, bin) => `${prefix}-${bin.toString(16).padStart(digits, '0')}`,
    );
    this.targetsOf(from).delegations = {
      keys: { [signer.keyid]: signer.key },
      succinct_roles: { keyids: [signer.keyid], threshold: 1, bit_length: bits, name_prefix: prefix },
    };
    for (const name of names) {
      this.addSigner(name, signer);
      this.delegated.set(name, emptyTargets());
    }
    return names;
  }

  addArtifact(role: string, path: string, text: string, algorithms = ['sha256']): TargetDraft {
    const data = Buffer.from(text);
    const hashes = Object.fromEntries(algorithms.map((name) => [name, digest(name, data)]));
    const target = { length: data.length, hashes };
    this.targetsOf(role).targets[path] = target;
    this.artifacts.set(path, { data, target });
    return target;
  }

  /** Signs and serves the next version of each role, and tells its parent. */
  publish(...roles: readonly string[]): void {
    for (const role of roles) {
      const signed = this.draft(role);
      const versions = this.published.get(role);
      if (versions !== undefined) signed.version++;
      const bytes = tufCanonicalJson(signed);
      const signers = [...(this.signers.get(role)?.values() ?? [])];
      const signatures = signers.map(({ keyid, sign }) => ({ keyid, sig: sign(bytes) }));
      const file = Buffer.from(JSON.stringify({ signatures, signed }, undefined, 1));
      this.published.set(role, [...(versions ?? []), file]);
      const described = { length: file.length, hashes: { sha256: digest('sha256', file) } };
      const meta = { version: signed.version, ...(this.describesMetadata ? described : {}) };
      if (role === 'snapshot') this.timestamp.meta['snapshot.json'] = meta;
      else if (role !== 'root' && role !== 'timestamp') this.snapshot.meta[`${role}.json`] = meta;
    }
  }

  /** Changes the newest file of a role as it is served, after it was signed. */
  tamper(role: string, change: (envelope: Envelope) => void): void {
    const envelope = JSON.parse(this.latest(role).toString()) as Envelope;
    change(envelope);
    this.replaceLatest(role, Buffer.from(JSON.stringify(envelope)));
  }

  latest(role: string): Buffer {
    const file = this.published.get(role)?.at(-1);
    if (file === undefined) throw new Error(`${role} was not published`);
    return file;
  }

  replaceLatest(role: string, file: Buffer): void {
    this.published.set(role, [...(this.published.get(role)?.slice(0, -1) ?? []), file]);
  }

  /** As if the role had never been published: the next `publish` gives `version`, served as the first. */
  restart(role: string, version = 1): void {
    this.published.delete(role);
    this.draft(role).version = version;
  }

  #fetch(url: string): Buffer | undefined {
    const [, kind, ...rest] = url.split('/');
    const name = rest.join('/');
    if (kind === 'metadata') return this.#fetchMetadata(name);
    return kind === 'targets' ? this.#fetchTarget(name) : undefined;
  }

  #fetchMetadata(name: string): Buffer | undefined {
    const [, version, role = ''] = /^(?:(\d+)\.)?(.+)\.json$/.exec(name) ?? [];
    this.requests.push(version === undefined ? role : `${role} ${version}`);
    const versions = this.published.get(decodeURIComponent(role)) ?? [];
    const versioned = role === 'root' || (this.root.consistent_snapshot && role !== 'timestamp');
    if (versioned !== (version !== undefined)) return undefined;
    return versions.at(version === undefined ? -1 : Number(version) - 1);
  }

  #fetchTarget(name: string): Buffer | undefined {
    this.downloads.push(name);
    const slash = name.lastIndexOf('/') + 1;
    const prefixed = this.root.consistent_snapshot && this.prefixesTargets;
    const dot = prefixed ? name.indexOf('.', slash) + 1 : slash;
    const artifact = this.artifacts.get(decodeURIComponent(name.slice(0, slash) + name.slice(dot)));
    const prefix = name.slice(slash, dot === slash ? slash : dot - 1);
    const known = !prefixed || Object.values(artifact?.target.hashes ?? {}).includes(prefix);
    return known ? artifact?.data : undefined;
  }
}

const digest = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest('hex');
