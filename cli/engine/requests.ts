/** What commands ask of `changeWorld`: built here so that a command only passes its arguments on. */
import { readWholeHeader } from '#schema/container/verify';
import { IcepkgError } from '#schema/error';
import { nearest } from '#schema/nearest';
import { ATTACH_HINT, requireRepositories, type Config } from './config.ts';
import type { ChangeRequest } from './change-world.ts';
import type { EngineContext } from './context.ts';
import type { World } from './model.ts';
import { readStore } from './queries/read-store.ts';
import { addToWorld, checkDependency, checkName, hold, isAskedFor, pin, removeFromWorld } from './world.ts';

type Request = Pick<ChangeRequest, 'description' | 'edit' | 'upgrade' | 'files' | 'reinstall' | 'refresh'>;

/** A local file is asked for by its exact version, because that file is what was named. */
export function installRequest(words: readonly string[]): Request {
  const files = words.filter((word) => word.endsWith('.icepkg'));
  const texts = words.map((word) => {
    if (!word.endsWith('.icepkg')) return checkDependency(word).text;
    const { manifest } = readWholeHeader(word).header;
    return `${manifest.name}@=${manifest.version}`;
  });
  return {
    description: `install ${texts.join(' ')}`,
    edit: (world) => addToWorld(world, texts),
    upgrade: 'none',
    files,
  };
}

/** @throws IcepkgError `not-found` naming what is neither asked for nor installed */
export function removeRequest(root: string, names: readonly string[]): Request {
  return worldRequest(`remove ${names.join(' ')}`, (world) => {
    requireInstalled(
      root,
      names.filter((name) => !isAskedFor(world, name)),
    );
    return removeFromWorld(world, names);
  });
}

/** @throws IcepkgError `not-found` naming what is not installed, or where no repository is attached */
export function upgradeRequest(
  { root, config }: Pick<EngineContext, 'root' | 'config'>,
  names: readonly string[],
): Request {
  requireRepositories(config);
  if (names.length === 0) return { ...worldRequest('upgrade', (world) => world), upgrade: 'all' };
  requireInstalled(root, names);
  return { ...worldRequest(`upgrade ${names.join(' ')}`, (world) => world), upgrade: names };
}

/** @throws IcepkgError `not-found` naming what is not installed */
export function reinstallRequest(root: string, names: readonly string[]): Request {
  requireInstalled(root, names);
  return { ...worldRequest(`reinstall ${names.join(' ')}`, (world) => world), reinstall: names };
}

/** @throws IcepkgError `not-found` naming what is not installed: there is no version of it to keep */
export function holdRequest(root: string, names: readonly string[]): Request {
  requireInstalled(root, names);
  return worldRequest(`hold ${names.join(' ')}`, (world) => hold(world, names));
}

/**
 * @param source name of a repository, or `NAME/CHANNEL` of one
 * @throws IcepkgError `usage` for what is no name of a package, `not-found` where no repository is called so
 */
export function pinRequest({ repositories }: Config, name: string, source: string): Request {
  checkName(name);
  const repository = repositories.find((one) => [one.name, `${one.name}/${one.channel}`].includes(source));
  if (repository === undefined) {
    const known = repositories.map((one) => one.name).join(', ');
    throw new IcepkgError('not-found', `no repository is called ${source}`, {
      hint:
        known === ''
          ? ATTACH_HINT
          : `There is ${known}; attach another: icepkg repo attach NAME MIRROR --trust FILE`,
    });
  }
  const edit = (world: World): World => pin(world, name, repository.name);
  return { ...worldRequest(`pin ${name} ${repository.name}`, edit), upgrade: [name] };
}

export function worldRequest(description: string, edit: (world: World) => World): Request {
  return { description, edit, upgrade: 'none' };
}

function requireInstalled(root: string, names: readonly string[]): void {
  readStore(root, (store) => {
    for (const name of names) {
      if (store.installedPackage(name) !== undefined) continue;
      checkName(name);
      const near = nearest(
        name,
        store.installedPackages().map(({ record }) => record.name),
      );
      throw new IcepkgError('not-found', `${name} is not installed`, {
        hint: `${near === undefined ? '' : `Did you mean ${near}? `}See what is: icepkg list`,
      });
    }
  });
}
