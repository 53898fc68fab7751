/** Who needs whom among the installed packages. */
import { parseCapability, parseDependency, type Requirement } from '#schema/dependency';
import { parseVersion, satisfies } from '#schema/version';
import type { InstalledPackage, World } from '../model.ts';

interface Needer {
  readonly name: string;
  readonly dependency: string;
}

export interface DependencyGraph {
  /** Names of installed packages that are or provide `text`, a dependency. */
  providers(text: string): readonly string[];
  /** Packages that name `name`, directly or by what it provides, with the dependency's text. */
  needers(name: string): readonly Needer[];
  /** Lines from the package up to world; one line where nothing needs it. */
  pathToWorld(name: string): readonly string[];
}

export function dependencyGraph(installed: readonly InstalledPackage[], world: World): DependencyGraph {
  const byName = new Map(installed.map((one) => [one.record.name, one]));
  const offers = new Map<string, { readonly name: string; readonly version: string | undefined }[]>();
  const offer = (key: string, name: string, version: string | undefined): void => {
    const list = offers.get(key) ?? [];
    list.push({ name, version });
    offers.set(key, list);
  };
  for (const { record } of installed) {
    offer(record.name, record.name, record.version);
    for (const text of record.provides ?? []) {
      const capability = parseCapability(text);
      if (capability !== undefined) offer(capability.name, record.name, capability.version?.text);
    }
  }
  const matching = (requirement: Requirement): readonly string[] =>
    (offers.get(requirement.name) ?? [])
      .filter(({ version }) => {
        if (requirement.range === undefined) return true;
        const parsed = version === undefined ? undefined : parseVersion(version);
        return parsed !== undefined && satisfies(parsed, requirement.range);
      })
      .map(({ name }) => name);
  const providers = (text: string): readonly string[] => {
    const dependency = parseDependency(text);
    return dependency?.kind === 'needs' ? [...new Set(dependency.anyOf.flatMap(matching))] : [];
  };

  let edges: ReadonlyMap<string, readonly Needer[]> | undefined;
  /** Made when first asked for: it takes far longer than all else here. */
  const neededBy = (name: string): readonly Needer[] => {
    edges ??= needersOf(installed, providers);
    return edges.get(name) ?? [];
  };
  const asked = new Map<string, string>();
  for (const text of world.depends) for (const name of providers(text)) asked.set(name, text);

  const describe = (name: string): string => `${name}-${byName.get(name)?.record.version ?? ''}`;
  const pathToWorld = (name: string): readonly string[] => {
    const from = new Map<string, { name: string; dependency: string } | undefined>([[name, undefined]]);
    const queue = [name];
    for (let head = 0; head < queue.length; head += 1) {
      const current = queue[head] ?? '';
      const request = asked.get(current);
      if (request !== undefined) {
        const steps: string[] = [];
        let step: string | undefined = current;
        while (step !== undefined) {
          const back = from.get(step);
          if (back !== undefined) steps.unshift(`needed by ${describe(step)} (${back.dependency})`);
          step = back?.name;
        }
        return [describe(name), ...steps, `asked for (${request})`];
      }
      for (const needer of neededBy(current)) {
        if (from.has(needer.name)) continue;
        from.set(needer.name, { name: current, dependency: needer.dependency });
        queue.push(needer.name);
      }
    }
    const installIf = byName.get(name)?.record.installIf;
    return [
      describe(name),
      installIf === undefined ? 'needed by nothing' : `pulled in because of ${installIf.join(' and ')}`,
    ];
  };
  return { providers, needers: neededBy, pathToWorld };
}

function needersOf(
  installed: readonly InstalledPackage[],
  providers: DependencyGraph['providers'],
): ReadonlyMap<string, readonly Needer[]> {
  const needed = new Map<string, Needer[]>();
  for (const { record } of installed) {
    for (const dependency of [...(record.depends ?? []), ...(record.recommends ?? [])]) {
      for (const target of providers(dependency)) {
        if (target === record.name) continue;
        const list = needed.get(target) ?? [];
        list.push({ name: record.name, dependency });
        needed.set(target, list);
      }
    }
  }
  return needed;
}
