/** A picture of what a package needs and what needs it, with the same as a list beside it. */
import type { CataloguedPackage } from './catalogue.ts';
import { counted } from './figures.ts';
import { graphAround, type DependencyGraph } from './graph.ts';
import { BOX_HEIGHT, layOut, type Point } from './graph-layout.ts';
import { markup, type Html } from './html.ts';
import type { Links } from './links.ts';
import type { PageContent, Scene } from './shell.ts';

export function graphPage({ channel, links }: Scene, one: CataloguedPackage): PageContent {
  const graph = graphAround(channel.catalogue, one);
  const left =
    graph.left > 0 && markup` ${counted(graph.left, 'more package')} around it had no room in the picture.`;
  return {
    title: `Dependencies of ${one.name}`,
    section: 'packages',
    body: markup`<h1>Dependencies of <a href="${links.package(one.name)}">${one.name}</a></h1>
<p class="lead">What a package needs is to the right of it. Arrows that follow from others are left out.${left}</p>
<div class="scroll" role="region" aria-label="Picture of the dependencies; the list below says the same" tabindex="0">${picture(graph, links)}</div>
<h2>As a list</h2>
${list(graph, links)}`,
  };
}

function picture(graph: DependencyGraph, links: Links): Html {
  const { width, height, boxes, arrows } = layOut(graph);
  const nodes = boxes.map(({ name, x, y, width: wide }) => {
    const centre = name === graph.centre && ' centre';
    return markup`<a class="node${centre}" href="${links.page(`package/${name}/graph`)}" tabindex="-1"><rect x="${x}" y="${round(y - BOX_HEIGHT / 2)}" width="${wide}" height="${BOX_HEIGHT}" rx="6"/><text x="${x + wide / 2}" y="${round(y + 4.5)}" text-anchor="middle">${name}</text></a>\n`;
  });
  return markup`<svg class="graph" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}" aria-hidden="true">
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0.5L7.5 4L0 7.5z"/></marker></defs>
${arrows.map((points) => markup`<path class="edge" d="${curve(points)}" marker-end="url(#tip)"/>\n`)}
${nodes}</svg>`;
}

/** Level where it leaves and where it arrives. */
function curve(points: readonly Point[]): string {
  const [first, ...others] = points;
  if (first === undefined) return '';
  let at = first;
  let path = `M${round(first.x)} ${round(first.y)}`;
  for (const to of others) {
    const middle = round((at.x + to.x) / 2);
    path +=
      at.y === to.y
        ? `H${round(to.x)}`
        : `C${middle} ${round(at.y)} ${middle} ${round(to.y)} ${round(to.x)} ${round(to.y)}`;
    at = to;
  }
  return path;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function list({ columns, needs }: DependencyGraph, links: Links): Html {
  const items = columns.flat().map((name) => {
    const needed = needs.get(name) ?? [];
    const names = needed.map(
      (other, index) => markup`${index > 0 && ', '}<a href="${links.package(other)}">${other}</a>`,
    );
    return markup`<li><a href="${links.package(name)}">${name}</a> ${needed.length === 0 ? 'needs nothing' : markup`needs ${names}`}</li>`;
  });
  return markup`<ul class="plain">${items}</ul>`;
}
