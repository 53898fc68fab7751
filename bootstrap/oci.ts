/** A root as a container image: an archive of the layout that the OCI Image Format Specification 1.1 describes, with one layer. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { sha256 } from '#schema/digest';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { run } from '#pkgbuild/command';
import { BUILD_EPOCH } from '#pkgbuild/epoch';
import { isoTime } from '#pkgbuild/provenance/bill';
import { sha256File } from '#pkgbuild/sources/cache';

export interface OciRequest {
  /** The root, as a tar. */
  readonly tar: string;
  /** Every path in it. */
  readonly paths: readonly string[];
  readonly output: string;
  readonly scratch: string;
  readonly name: string;
  readonly arch: MachineArch;
  /** What a container runs unless told otherwise. */
  readonly command: readonly string[];
}

/** Go's names of architectures. */
const ARCHITECTURES: Readonly<Record<MachineArch, string>> = { x86_64: 'amd64', aarch64: 'arm64' };
const TYPE = 'application/vnd.oci.image';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** @throws IcepkgError `image-failed` for a path that readers of a layer take for an order to delete another */
export async function writeOci(request: OciRequest): Promise<void> {
  const { tar, paths, output, scratch, name, arch, command } = request;
  const whiteout = paths.find((file) => path.posix.basename(file).startsWith('.wh.'));
  if (whiteout !== undefined)
    throw new IcepkgError(
      'image-failed',
      `a container image cannot hold /${whiteout}, which deletes a file there`,
      {
        hint: 'Rename it, or leave oci out of the formats',
      },
    );
  const layout = path.join(scratch, 'oci');
  const blobs = path.join(layout, 'blobs/sha256');
  fs.mkdirSync(blobs, { recursive: true });
  const add = (mediaType: string, document: unknown): Descriptor => {
    const text = JSON.stringify(document);
    const digest = sha256(text);
    fs.writeFileSync(path.join(blobs, digest), text);
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
  };
  const layer = await addLayer(blobs, tar);
  const created = isoTime(BUILD_EPOCH);
  const config = add(`${TYPE}.config.v1+json`, {
    created,
    architecture: ARCHITECTURES[arch],
    os: 'linux',
    config: { Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: command, WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256File(tar)}`] },
    history: [{ created, created_by: 'icepkg image build' }],
  });
  const mediaType = `${TYPE}.manifest.v1+json`;
  const manifest = add(mediaType, { schemaVersion: 2, mediaType, config, layers: [layer] });
  const annotations = { 'org.opencontainers.image.ref.name': name };
  write(layout, 'oci-layout', { imageLayoutVersion: '1.0.0' });
  write(layout, 'index.json', {
    schemaVersion: 2,
    mediaType: `${TYPE}.index.v1+json`,
    manifests: [{ ...manifest, annotations, platform: { architecture: ARCHITECTURES[arch], os: 'linux' } }],
  });
  await archive(layout, output);
}

const write = (folder: string, name: string, document: unknown): void =>
  fs.writeFileSync(path.join(folder, name), JSON.stringify(document));

async function addLayer(blobs: string, tar: string): Promise<Descriptor> {
  const aside = path.join(blobs, 'layer');
  await pipeline(fs.createReadStream(tar), createGzip({ level: 9 }), fs.createWriteStream(aside));
  const digest = sha256File(aside);
  fs.renameSync(aside, path.join(blobs, digest));
  const { size } = fs.statSync(path.join(blobs, digest));
  return { mediaType: `${TYPE}.layer.v1.tar+gzip`, digest: `sha256:${digest}`, size };
}

async function archive(folder: string, output: string): Promise<void> {
  const same = [
    '--sort=name',
    '--format=ustar',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u=rwX,go=rX',
  ];
  const names = ['blobs', 'index.json', 'oci-layout'];
  const result = await run([
    'tar',
    ...same,
    `--mtime=@${BUILD_EPOCH}`,
    '-C',
    folder,
    '-cf',
    output,
    ...names,
  ]);
  if (result.status !== 0) throw new IcepkgError('image-failed', `tar: ${result.stderr.trim()}`);
}
