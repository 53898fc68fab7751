/** Reads image definitions: a system, a board and what they are made of, composed into one. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as v from 'valibot';
import { IcepkgError } from '#schema/error';
import type { MachineArch } from '#schema/fields';
import { nearest } from '#schema/nearest';
import { decodeYaml, readYamlFile } from '#pkgbuild/yaml';
import { checkPartitions } from './check-partitions.ts';
import {
  BoardSchema,
  ImageSchema,
  ProfileSchema,
  SystemSchema,
  type Board,
  type Partition,
  type Profile,
} from './definition-schema.ts';
import { mergePartitions, mergeUsers } from './merge-named.ts';

type Layer = Omit<Profile, 'profiles'>;
type List<Name extends keyof Layer> = NonNullable<Layer[Name]>;

/** Where a part of the definition was written; its paths count from this folder. */
export interface Beside<T> {
  readonly value: T;
  readonly folder: string;
}

/** A whole image: nothing is left to look up. */
export interface Definition {
  /** `SYSTEM-BOARD`, or the name of the image file. */
  readonly name: string;
  readonly system: string;
  readonly board: string;
  readonly arch: MachineArch;
  readonly hardware: Omit<Board, keyof Layer>;
  readonly packages: readonly string[];
  readonly overlays: readonly string[];
  readonly owners: List<'owners'>;
  readonly users: List<'users'>;
  readonly enable: readonly string[];
  readonly disable: readonly string[];
  readonly hostname: string;
  readonly command: readonly string[];
  readonly cmdline: readonly string[];
  readonly repositories: readonly Beside<List<'repositories'>[number]>[];
  readonly formats: List<'formats'>;
  readonly partitions: readonly Partition[];
  readonly skip: readonly string[];
  readonly boot: Layer['boot'];
  readonly checks: List<'checks'>;
  readonly budgets: NonNullable<Layer['budgets']>;
  /** Every file that was read, in the order of composition. */
  readonly files: readonly string[];
}

export interface DefinitionRequest {
  /** Name of a system, or the path of an image file. */
  readonly image: string;
  /** Required with a system. */
  readonly board?: string;
  /** Folders with `systems/`, `boards/` and `profiles/`. */
  readonly roots: readonly string[];
}

const MANUAL = 'docs/images.md explains every field';

/** The definitions in the working folder, and those that come with icepkg. */
export function defaultImageRoots(): string[] {
  const own = fileURLToPath(new URL('../images', import.meta.url));
  const shipped = fs.existsSync(own) ? own : fileURLToPath(new URL('../../images', import.meta.url));
  return [...new Set([path.resolve('images'), shipped])].filter((folder) => fs.existsSync(folder));
}

/**
 * @throws IcepkgError `not-found` naming the nearest definition, `format-invalid` with file, line and column,
 * `usage` where the board is missing
 */
export function loadDefinition({ image, board, roots }: DefinitionRequest): Definition {
  if (!/\.ya?ml$/.test(image)) {
    if (board === undefined)
      throw new IcepkgError('usage', `which board is ${image} for?`, {
        hint: `Name one with --board: ${known('boards', roots).join(', ')}`,
      });
    return compose({ name: `${image}-${board}`, system: image, board, roots, own: [] });
  }
  const file = path.resolve(image);
  const { system, ...own } = decode(ImageSchema, file, 'image definition');
  const name = path.basename(file).replace(/\.ya?ml$/, '');
  const layer = { value: own, folder: path.dirname(file), file };
  return compose({ name, system, board: board ?? own.board, roots, own: [layer] });
}

interface LoadedLayer {
  readonly value: Profile;
  readonly folder: string;
  readonly file: string;
}

interface Composition {
  readonly name: string;
  readonly system: string;
  readonly board: string;
  readonly roots: readonly string[];
  readonly own: readonly LoadedLayer[];
}

function compose({ name, system, board, roots, own }: Composition): Definition {
  const boardFile = find('boards', board, roots);
  const hardware = decode(BoardSchema, boardFile, 'board');
  const systemFile = find('systems', system, roots);
  const top: LoadedLayer[] = [
    { value: decode(SystemSchema, systemFile, 'system'), folder: path.dirname(systemFile), file: systemFile },
    ...own,
  ];
  const profiles = withProfiles(
    top.flatMap(({ value }) => value.profiles ?? []),
    roots,
  );
  const below = [...profiles, ...top.slice(0, 1)];
  const layers = [...below, { value: hardware, folder: path.dirname(boardFile), file: boardFile }, ...own];
  const last = <Name extends keyof Layer>(field: Name): Layer[Name] | undefined =>
    layers.findLast(({ value }) => value[field] !== undefined)?.value[field];
  const partitionsOf = (some: readonly LoadedLayer[]): Partition[] =>
    some.flatMap(({ value }) => value.partitions ?? []);
  const merged = mergePartitions(hardware.partitions, partitionsOf(below), partitionsOf(own));
  const partitions = withRoom(merged, last('free'));
  checkPartitions(name, partitions, hardware.table);
  const all = <T>(pick: (layer: Layer) => readonly T[] | undefined): T[] =>
    layers.flatMap(({ value }) => pick(value) ?? []);
  return {
    name,
    system,
    board,
    arch: hardware.arch,
    hardware,
    packages: [...new Set(all(({ packages }) => packages))],
    overlays: layers.flatMap(({ value, folder, file }) =>
      value.overlay === undefined ? [] : [overlayFolder(path.join(folder, value.overlay), file)],
    ),
    owners: all(({ owners }) => owners),
    users: mergeUsers(all(({ users }) => users)),
    enable: all(({ services }) => services?.enable),
    disable: all(({ services }) => services?.disable),
    hostname: last('hostname') ?? system,
    command: last('command') ?? ['/bin/sh'],
    cmdline: all(({ cmdline }) => cmdline),
    repositories: layers.flatMap(({ value, folder }) =>
      (value.repositories ?? []).map((repository) => ({ value: repository, folder })),
    ),
    formats: last('formats') ?? ['img'],
    partitions,
    skip: all(({ skip }) => skip),
    boot: last('boot'),
    checks: all(({ checks }) => checks),
    budgets: Object.assign({}, ...layers.map(({ value }) => value.budgets)) as Definition['budgets'],
    files: layers.map(({ file }) => file),
  };
}

const withRoom = (partitions: readonly Partition[], room = 0): Partition[] =>
  partitions.map((partition) =>
    partition.type === 'root' ? { ...partition, free: Math.max(partition.free ?? 0, room) } : partition,
  );

/** Profiles in the order in which they apply: what a profile builds on comes before it, each once. */
function withProfiles(names: readonly string[], roots: readonly string[]): LoadedLayer[] {
  const done = new Map<string, LoadedLayer>();
  const visit = (name: string, trail: readonly string[]): void => {
    if (done.has(name)) return;
    if (trail.includes(name))
      throw new IcepkgError(
        'format-invalid',
        `profiles build on one another: ${[...trail, name].join(' -> ')}`,
        { hint: 'Take one of them out of the profiles of another' },
      );
    const file = find('profiles', name, roots);
    const value = decode(ProfileSchema, file, 'profile');
    for (const below of value.profiles ?? []) visit(below, [...trail, name]);
    done.set(name, { value, folder: path.dirname(file), file });
  };
  for (const name of names) visit(name, []);
  return [...done.values()];
}

function overlayFolder(folder: string, file: string): string {
  if (fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) {
    const inside = `${fs.realpathSync(path.dirname(file))}/`;
    if (`${fs.realpathSync(folder)}/`.startsWith(inside)) return folder;
    throw new IcepkgError(
      'path-unsafe',
      `${file}: the overlay ${folder} leads out of the folder of the definition`,
      {
        hint: 'Copy what it should hold into the folder itself',
      },
    );
  }
  throw new IcepkgError('not-found', `${file}: the overlay ${folder} is not a folder`, {
    hint: 'Make it, or leave out overlay',
  });
}

type Kind = 'systems' | 'boards' | 'profiles';

/** Names of all definitions of a kind. */
export function known(kind: Kind, roots: readonly string[]): string[] {
  const names = roots.flatMap((root) => {
    const folder = path.join(root, kind);
    return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  });
  const yaml = names.filter((name) => name.endsWith('.yaml')).map((name) => name.slice(0, -'.yaml'.length));
  return [...new Set(yaml)].sort();
}

function find(kind: Kind, name: string, roots: readonly string[]): string {
  for (const root of roots) {
    const file = path.join(root, kind, `${name}.yaml`);
    if (fs.existsSync(file)) return file;
  }
  const names = known(kind, roots);
  const guess = nearest(name, names) ?? names.findLast((one) => one.startsWith(name));
  throw new IcepkgError('not-found', `there is no ${kind.slice(0, -1)} ${name}`, {
    hint:
      guess === undefined
        ? `There are: ${names.join(', ') || 'none'}; --images DIR names another folder of definitions`
        : `Did you mean ${guess}?`,
  });
}

function decode<const S extends v.GenericSchema>(schema: S, file: string, kind: string): v.InferOutput<S> {
  return decodeYaml(schema, { text: readYamlFile(file, kind), file, manual: MANUAL }).value;
}
