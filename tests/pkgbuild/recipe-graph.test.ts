/** The graph of build dependencies, and its two forms. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dotText, neededBy, recipeGraph, reduceGraph, type RecipeGraph } from '#pkgbuild/author/graph';
import { svgPicture } from '#pkgbuild/author/graph-picture';
import { findRecipe } from '#pkgbuild/recipe';

let root: string;
beforeAll(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'icepkg-graph-'));
  const declare = (name: string, depends: string, more = ''): void => {
    fs.mkdirSync(path.join(root, name));
    const text = `name: ${name}\nversion: '1.0.0'\nlicense: MIT\nbuildDepends: [${depends}]\n${more}`;
    fs.writeFileSync(path.join(root, name, 'recipe.yaml'), text);
  };
  declare('libc', '');
  declare('zlib', 'libc');
  declare('tls', 'libc');
  declare('curl', 'libc, zlib', 'perArch: { aarch64: { buildDepends: [tls] } }\n');
  declare('lost', 'nowhere');
});
afterAll(() => fs.rmSync(root, { recursive: true, force: true }));

const graphOf = (name: string): RecipeGraph => recipeGraph([findRecipe(name, [root])], [root]);

test('a graph holds all that a recipe is built with, on any architecture', () => {
  const graph = graphOf('curl');
  expect(graph.nodes).toEqual(['curl', 'libc', 'tls', 'zlib']);
  expect(graph.edges).toContainEqual(['curl', 'libc']);
  expect(
    reduceGraph(graph)
      .edges.map(([from, to]) => `${from} ${to}`)
      .toSorted(),
  ).toEqual(['curl tls', 'curl zlib', 'tls libc', 'zlib libc']);
  expect(neededBy(graph, ['zlib'])).toEqual({ nodes: ['curl', 'zlib'], edges: [['curl', 'zlib']] });
  expect(() => graphOf('lost')).toThrow('nowhere');
});

test('dot and SVG name every recipe and every edge', () => {
  const graph = reduceGraph(graphOf('curl'));
  expect(dotText(graph)).toContain('  "curl" -> "zlib";\n');
  const picture = svgPicture(graph);
  expect(
    [...picture.matchAll(/<text x="(\d+)[^>]*>([^<]*)/g)].map(([, x, name]) => [name, Number(x)]),
  ).toEqual([
    ['libc', 23],
    ['tls', expect.any(Number)],
    ['zlib', expect.any(Number)],
    ['curl', expect.any(Number)],
  ]);
  expect(picture.match(/<path/g)).toHaveLength(4);
  expect(svgPicture({ nodes: [], edges: [] })).toContain('</svg>');
});

test('a cycle is drawn, not followed for ever', () => {
  const cycle: RecipeGraph = {
    nodes: ['a', 'b'],
    edges: [
      ['a', 'b'],
      ['b', 'a'],
    ],
  };
  expect(svgPicture(cycle).match(/<path/g)).toHaveLength(2);
  expect(reduceGraph(cycle).edges).toHaveLength(2);
});
