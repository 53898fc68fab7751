/** What a package needs, what needs it, and what it provides, with links. */
import { parseCapability, parseDependency } from '#schema/dependency';
import type { PackageRecord } from '#schema/index-shard';
import { dependentsOf, suppliersOf, type CataloguedPackage } from './catalogue.ts';
import { counted } from './figures.ts';
import { markup, type Html, type Part } from './html.ts';
import type { Scene } from './shell.ts';

/** Names listed at once; a link leads to the others. */
const MOST_LISTED = 40;
const MOST_SUPPLIERS = 5;

export function dependencySections(scene: Scene, one: CataloguedPackage, record: PackageRecord): Html {
  const { links } = scene;
  const depends = record.depends ?? [];
  const conflicts = depends.filter((text) => parseDependency(text)?.kind === 'conflicts');
  const needs = depends.filter((text) => !conflicts.includes(text));
  return markup`<div class="columns">
<section aria-labelledby="needs"><h2 id="needs">Needs</h2>
${needs.length === 0 ? markup`<p>Nothing.</p>` : dependencyList(scene, needs)}
${extra(scene, 'Recommends', record.recommends)}
${extra(scene, 'Conflicts with', conflicts)}
${extra(scene, 'Replaces', record.replaces)}
${extra(scene, 'Is installed with', record.installIf)}
<p><a href="${links.page(`package/${one.name}/graph`)}">A picture of these dependencies</a></p>
</section>
${neededBy(scene, one)}
</div>
${provided(record)}`;
}

function neededBy({ channel, links }: Scene, one: CataloguedPackage): Html {
  const names = dependentsOf(channel.catalogue, one);
  const items = names
    .slice(0, MOST_LISTED)
    .map((name) => markup`<li><a href="${links.package(name)}">${name}</a></li>`);
  const all = links.page('search', { needs: one.name });
  return markup`<section aria-labelledby="needed"><h2 id="needed">Needed by</h2>
${names.length === 0 ? markup`<p>Nothing here.</p>` : markup`<ul class="plain names">${items}</ul>`}
${names.length > MOST_LISTED && markup`<p><a href="${all}">All ${counted(names.length, 'package')} that need it</a></p>`}
</section>`;
}

const extra = (scene: Scene, heading: string, texts: readonly string[] = []): Part =>
  texts.length > 0 && markup`<h3>${heading}</h3>${dependencyList(scene, texts)}`;

function dependencyList(scene: Scene, texts: readonly string[]): Html {
  const items = texts.slice(0, MOST_LISTED).map((text) => markup`<li>${dependency(scene, text)}</li>`);
  const left = texts.length - items.length;
  return markup`<ul class="plain">${items}</ul>${left > 0 && markup`<p>And ${left} more.</p>`}`;
}

/** A need names a package, or a capability with those that provide it beside. */
function dependency({ channel: { catalogue }, links }: Scene, text: string): Html {
  const parsed = parseDependency(text);
  const names = parsed === undefined ? [] : parsed.kind === 'needs' ? parsed.anyOf : [parsed.with];
  const suppliers = [...new Set(names.flatMap(({ name }) => suppliersOf(catalogue, name)))];
  const [only] = suppliers;
  if (suppliers.length === 1 && only !== undefined && names.length === 1 && names[0]?.name === only)
    return markup`<a href="${links.package(only)}">${text}</a>`;
  if (suppliers.length === 0) {
    const unmet = parsed?.kind === 'needs' && markup` <span class="bad">nothing here provides it</span>`;
    return markup`<code>${text}</code>${unmet}`;
  }
  const listed = suppliers
    .slice(0, MOST_SUPPLIERS)
    .map((name, index) => markup`${index > 0 && ', '}<a href="${links.package(name)}">${name}</a>`);
  const left = suppliers.length - listed.length;
  return markup`<code>${text}</code> <span class="soft">from</span> ${listed}${left > 0 && ` and ${left} more`}`;
}

function provided({ name, provides = [] }: PackageRecord): Part {
  const others = provides.filter((text) => parseCapability(text)?.name !== name);
  if (others.length === 0) return undefined;
  const items = others.slice(0, MOST_LISTED).map((text) => markup`<li>${text}</li>`);
  const left = others.length - items.length;
  return markup`<section aria-labelledby="provides"><h2 id="provides">Provides</h2>
<ul class="tags">${items}</ul>${left > 0 && markup`<p>And ${left} more.</p>`}</section>`;
}
