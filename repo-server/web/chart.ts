/** How the size of a package went from version to version, as a picture that scales. */
import { sizeText } from './figures.ts';
import { markup, type Html } from './html.ts';

export interface ChartPoint {
  readonly label: string;
  /** Day, where it is known. */
  readonly day: string | undefined;
  readonly installed: number;
  readonly download: number;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [460, 220, 64, 78, 14, 38] as const;
const MOST_POINTS = 40;
const STEPS = 4;

/** @param all oldest first; nothing to see where there are less than two */
export function sizeChart(all: readonly ChartPoint[], arch: string): Html | undefined {
  const points = all.slice(-MOST_POINTS);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < 2) return undefined;
  const most = niceCeiling(Math.max(...points.flatMap(({ installed, download }) => [installed, download])));
  const x = (index: number): number =>
    LEFT + (index * (WIDTH - LEFT - RIGHT)) / Math.max(1, points.length - 1);
  const y = (bytes: number): number => HEIGHT - BOTTOM - (bytes / most) * (HEIGHT - TOP - BOTTOM);
  const text = `From ${first.label} to ${last.label} for ${arch}: installed ${sizeText(first.installed)} to ${sizeText(last.installed)}, download ${sizeText(first.download)} to ${sizeText(last.download)}.`;
  const grid = Array.from({ length: STEPS + 1 }, (_, step) => {
    const bytes = (most * step) / STEPS;
    return markup`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(bytes))}" y2="${round(y(bytes))}"/>
<text class="minor" x="${LEFT - 10}" y="${round(y(bytes) + 4)}" text-anchor="end">${sizeText(bytes)}</text>\n`;
  });
  const series = (kind: 'installed' | 'download', className: string): Html => {
    const line = points.map((point, index) => `${round(x(index))},${round(y(point[kind]))}`).join(' ');
    const dots = points.map(
      (point, index) =>
        markup`<circle class="${className}" cx="${round(x(index))}" cy="${round(y(point[kind]))}" r="3.5"><title>${point.label}: ${sizeText(point[kind])}</title></circle>`,
    );
    return markup`<polyline class="line ${className}" points="${line}"/>${dots}
<text class="${className}" x="${WIDTH - RIGHT + 12}" y="${round(y(last[kind]) + 4)}">${kind}</text>\n`;
  };
  return markup`<figure>
<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${text}">
${grid}
${series('installed', 'first')}${series('download', 'second')}
<text class="minor" x="${LEFT}" y="${HEIGHT - 12}">${captionOf(first)}</text>
<text class="minor" x="${WIDTH - RIGHT}" y="${HEIGHT - 12}" text-anchor="end">${captionOf(last)}</text>
</svg>
<figcaption>${text}</figcaption>
</figure>`;
}

const captionOf = ({ label, day }: ChartPoint): string => (day === undefined ? label : `${label}, ${day}`);

const round = (value: number): number => Math.round(value * 10) / 10;

/** The next of 1, 2, 4, 6, 8 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  const step = [1, 2, 4, 6, 8, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}
