/**
 * Where the boxes and arrows of a graph in columns stand: within each column in the order that crosses few arrows, by the mean of
 * their neighbours. An arrow over several columns gets a place in each, so that it runs between boxes and not through them.
 */
import type { DependencyGraph } from './graph.ts';

export interface Box {
  readonly name: string;
  readonly x: number;
  /** Of its middle. */
  readonly y: number;
  readonly width: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  /** From edge to edge of boxes, through the places between. */
  readonly arrows: readonly (readonly Point[])[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export const BOX_HEIGHT = 32;
const [GAP, THREAD, COLUMN_GAP, MARGIN] = [14, 10, 46, 16] as const;
const LETTER = 7.7;
const SWEEPS = 8;

/** A package, or the way of an arrow through a column. */
interface Place {
  readonly column: number;
  readonly name: string | undefined;
  readonly before: Place[];
  readonly after: Place[];
  y: number;
}

export function layOut({ columns, edges }: DependencyGraph): Layout {
  const places = columns.map((names, column) =>
    names.map((name): Place => ({ column, name, before: [], after: [], y: 0 })),
  );
  const byName = new Map(places.flat().map((place) => [place.name ?? '', place]));
  const chains = edges.flatMap(({ from, to }) => {
    const [start, end] = [byName.get(from), byName.get(to)];
    return start === undefined || end === undefined ? [] : [chain(start, end, places)];
  });
  const width = columns.map((names) =>
    Math.round(Math.max(...names.map((name) => name.length * LETTER + 28), 60)),
  );
  for (const column of places) stack(column);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const column of forth ? places : places.toReversed())
      settle(column, (place) => (forth ? place.before : place.after));
  }
  for (const column of places) settle(column, (place) => [...place.before, ...place.after]);
  const top = Math.min(...places.flat().map(({ y }) => y)) - BOX_HEIGHT / 2 - MARGIN;
  const lowest = Math.max(...places.flat().map(({ y }) => y)) + BOX_HEIGHT / 2 + MARGIN;
  const left = width.map((_, index) =>
    width.slice(0, index).reduce((sum, one) => sum + one + COLUMN_GAP, MARGIN),
  );
  const box = ({ name = '', column, y }: Place): Box => ({
    name,
    x: left[column] ?? 0,
    y: y - top,
    width: width[column] ?? 0,
  });
  return {
    width: (left.at(-1) ?? 0) + (width.at(-1) ?? 0) + MARGIN,
    height: lowest - top,
    boxes: places.flat().flatMap((place) => (place.name === undefined ? [] : [box(place)])),
    arrows: chains.map((way) =>
      way.flatMap((place, index) => {
        const { x, y, width: wide } = box(place);
        if (index === 0) return [{ x: x + wide, y }];
        return index === way.length - 1
          ? [{ x, y }]
          : [
              { x, y },
              { x: x + wide, y },
            ];
      }),
    ),
  };
}

/** Joins two places, over a new one in each column between. */
function chain(start: Place, end: Place, places: Place[][]): Place[] {
  const way = [start];
  for (let column = start.column + 1; column < end.column; column++) {
    const thread: Place = { column, name: undefined, before: [], after: [], y: 0 };
    places[column]?.push(thread);
    way.push(thread);
  }
  way.push(end);
  for (const [index, place] of way.entries()) {
    const next = way[index + 1];
    if (next === undefined) continue;
    place.after.push(next);
    next.before.push(place);
  }
  return way;
}

const heightOf = ({ name }: Place): number => (name === undefined ? THREAD : BOX_HEIGHT);

/** One below the other, around the line in the middle. */
function stack(column: Place[]): void {
  const total = column.reduce((sum, place) => sum + heightOf(place) + GAP, -GAP);
  let y = -total / 2;
  for (const place of column) {
    place.y = y + heightOf(place) / 2;
    y += heightOf(place) + GAP;
  }
}

/** Moves each place to the mean of its neighbours, then apart again where they overlap. */
function settle(column: Place[], neighbours: (place: Place) => readonly Place[]): void {
  const wished = new Map(
    column.map((place) => {
      const near = neighbours(place);
      return [place, near.length === 0 ? place.y : near.reduce((sum, { y }) => sum + y, 0) / near.length];
    }),
  );
  const wish = (place: Place): number => wished.get(place) ?? place.y;
  column.sort((a, b) => wish(a) - wish(b));
  let free = -Infinity;
  for (const place of column) {
    const half = heightOf(place) / 2;
    place.y = Math.max(wish(place), free + half);
    free = place.y + half + GAP;
  }
  // What was pushed down is shared by all.
  const shift = column.reduce((sum, place) => sum + place.y - wish(place), 0) / Math.max(1, column.length);
  for (const place of column) place.y -= shift;
}
