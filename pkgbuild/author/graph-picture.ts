/** Draws a graph in layers: what needs nothing stands left, and everything right of all that it needs. */
import type { RecipeGraph } from './graph.ts';

const ROW = 30;
const GAP = 70;
const HEIGHT = 22;
const LETTER = 7.5;
const MARGIN = 16;
/** Passes that put each name near the middle of its neighbours. */
const SWEEPS = 8;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** The text of an SVG file. */
export function svgPicture(graph: RecipeGraph): string {
  const layers = orderLayers(layersOf(graph), graph);
  const boxes = place(layers);
  const width = Math.max(0, ...[...boxes.values()].map((box) => box.x + box.width)) + MARGIN;
  const height = Math.max(0, ...[...boxes.values()].map((box) => box.y + HEIGHT)) + MARGIN;
  const lines = graph.edges.map(([from, to]) => edgeLine(boxes.get(from), boxes.get(to)));
  const names = [...boxes].map(([name, box]) => nodeText(name, box));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    '<style>rect{fill:#eef3f8;stroke:#5b7a99}path{fill:none;stroke:#9aabbc}text{font:13px sans-serif;fill:#1b2733}</style>',
    ...lines,
    ...names,
    '</svg>',
    '',
  ].join('\n');
}

/** Names by layer: 0 for what needs nothing, otherwise one more than the highest that is needed. */
function layersOf({ nodes, edges }: RecipeGraph): string[][] {
  const depths = new Map<string, number>();
  const depthOf = (name: string, trail: ReadonlySet<string>): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    const needed = edges.filter(([from, to]) => from === name && !trail.has(to)).map(([, to]) => to);
    const depth = Math.max(-1, ...needed.map((one) => depthOf(one, new Set([...trail, name])))) + 1;
    depths.set(name, depth);
    return depth;
  };
  const layers: string[][] = [];
  for (const name of nodes) {
    const depth = depthOf(name, new Set([name]));
    while (layers.length <= depth) layers.push([]);
    layers[depth]?.push(name);
  }
  return layers;
}

/** Orders each layer by the mean place of its neighbours, forth and back, which takes most crossings out. */
function orderLayers(layers: readonly string[][], { edges }: RecipeGraph): string[][] {
  const ordered = layers.map((layer) => [...layer]);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const place = new Map(
      ordered.flatMap((layer) =>
        layer.map((name, index): [string, number] => [name, (index + 0.5) / layer.length]),
      ),
    );
    const forth = sweep % 2 === 0;
    const mean = (name: string): number => {
      const near = edges.flatMap(([from, to]) => {
        if (forth) return from === name ? [to] : [];
        return to === name ? [from] : [];
      });
      const places = near.map((one) => place.get(one) ?? 0);
      return places.length === 0
        ? (place.get(name) ?? 0)
        : places.reduce((sum, one) => sum + one, 0) / places.length;
    };
    for (const layer of ordered) layer.sort((a, b) => mean(a) - mean(b) || (a < b ? -1 : 1));
  }
  return ordered;
}

function place(layers: readonly (readonly string[])[]): Map<string, Box> {
  const tallest = Math.max(0, ...layers.map((layer) => layer.length));
  const boxes = new Map<string, Box>();
  let x = MARGIN;
  for (const layer of layers) {
    const width = Math.max(0, ...layer.map((name) => Math.ceil(name.length * LETTER) + 14));
    const top = MARGIN + ((tallest - layer.length) * ROW) / 2;
    for (const [index, name] of layer.entries()) boxes.set(name, { x, y: top + index * ROW, width });
    x += width + GAP;
  }
  return boxes;
}

function edgeLine(needs: Box | undefined, needed: Box | undefined): string {
  if (needs === undefined || needed === undefined) return '';
  const [x1, y1] = [needed.x + needed.width, needed.y + HEIGHT / 2];
  const [x2, y2] = [needs.x, needs.y + HEIGHT / 2];
  const middle = (x1 + x2) / 2;
  return `<path d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"/>`;
}

/** Names of recipes hold no letter that XML knows. */
const nodeText = (name: string, { x, y, width }: Box): string =>
  `<rect x="${x}" y="${y}" width="${width}" height="${HEIGHT}" rx="4"/><text x="${x + 7}" y="${y + 15.5}">${name}</text>`;
