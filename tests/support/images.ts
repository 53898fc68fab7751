/** Image definitions and builds in a line or two, of packages that a test declares. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { buildImage, type BuiltImage } from '#bootstrap/build';
import { loadDefinition, type Definition } from '#bootstrap/definition';
import { openDepot } from '#bootstrap/depot';
import { descriptionName, readDescription, type ImageDescription } from '#bootstrap/description';
import { lockImage, type Lock } from '#bootstrap/lock';
import type { EngineContext } from '#engine/context';
import type { PrivateKey } from '#schema/keys';
import type { Depot } from './repository.ts';

export const tool = (program: string, ...args: string[]): string =>
  execFileSync(program, args, {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TZ: 'UTC', LC_ALL: 'C' },
  });

/** Fields of a definition, as its files would have them. */
export interface Written {
  readonly board?: object;
  readonly system?: object;
  /** Of an image file on top of both. */
  readonly image?: object;
  /** Path to text, in the overlay of the system. */
  readonly overlay?: Readonly<Record<string, string>>;
}

export const rootPartition = (filesystem: string): object[] => [
  { name: 'root', type: 'root', filesystem, free: '4M' },
];

export interface Built extends BuiltImage {
  readonly folder: string;
  readonly description: ImageDescription;
  path(format: string): string;
}

/** The system `small` on the board `box`, of the packages of `depot`, with all files below `scratch`. */
export class ImageBench {
  readonly depot: Depot;
  readonly scratch: string;

  constructor(depot: Depot, scratch: string) {
    this.depot = depot;
    this.scratch = scratch;
  }

  folder(name: string): string {
    return fs.mkdtempSync(path.join(this.scratch, `${name}-`));
  }

  /** Writes definitions to a new folder and loads them. */
  define({ board = {}, system = {}, image, overlay }: Written): Definition {
    const folder = this.folder('definition');
    const write = (file: string, value: object | string): void => {
      const whole = path.join(folder, file);
      fs.mkdirSync(path.dirname(whole), { recursive: true });
      fs.writeFileSync(whole, typeof value === 'string' ? value : stringify(value));
    };
    write('boards/box.yaml', {
      arch: 'x86_64',
      loader: 'none',
      partitions: rootPartition('ext4'),
      ...board,
    });
    write('profiles/base.yaml', { packages: ['base-files'] });
    const over = overlay === undefined ? {} : { overlay: 'over' };
    write('systems/small.yaml', { profiles: ['base'], packages: ['tool'], ...over, ...system });
    for (const [file, text] of Object.entries(overlay ?? {})) write(`systems/over/${file}`, text);
    if (image === undefined) return loadDefinition({ image: 'small', board: 'box', roots: [folder] });
    write('image.yaml', { system: 'small', board: 'box', ...image });
    return loadDefinition({ image: path.join(folder, 'image.yaml'), roots: [folder] });
  }

  /** An image file of somebody else, with the systems and boards below `folder`. */
  load(image: string, folder: string): Definition {
    return loadDefinition({ image, roots: [folder] });
  }

  async lock(definition: Definition, cache = this.folder('cache')): Promise<Lock> {
    return lockImage(definition, this.context(definition, cache));
  }

  async build(
    definition: Definition,
    { cache = this.folder('cache'), keys = [] as readonly PrivateKey[], output = this.folder('out') } = {},
  ): Promise<Built> {
    const depot = this.context(definition, cache);
    const lock = await lockImage(definition, depot);
    const built = await buildImage({ definition, lock, depot, cacheFolder: cache, output, keys });
    const find = (format: string): string =>
      path.join(output, built.files.find((file) => file.format === format)?.file ?? `no ${format}`);
    const description = readDescription(output, descriptionName(definition));
    return { ...built, folder: output, description, path: find };
  }

  private context(definition: Definition, cacheFolder: string): EngineContext {
    const { repository, trustedRoot } = this.depot;
    return openDepot({
      arch: definition.arch,
      repositories: [{ name: 'main', mirrors: [repository], trust: trustedRoot }],
      cacheFolder,
    });
  }
}

export const expectError = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });
