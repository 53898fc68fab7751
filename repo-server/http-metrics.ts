/** What the server counts, in the text format of Prometheus. */
import type { RepositoryHealth } from './http-health.ts';

const BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60] as const;

export interface AnsweredRequest {
  readonly repository: string;
  readonly method: string;
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
}

type Labels = Readonly<Record<string, string | number>>;

/** What is measured when somebody asks. */
export interface Gauge {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

export class Metrics {
  readonly #started = Date.now() / 1000;
  readonly #counters = new Map<string, Map<string, number>>();
  readonly #buckets = new Map<number, number>();
  /** Texts of labels that most requests have. */
  readonly #texts = new Map<string, string>();
  #seconds = 0;
  #answered = 0;
  #running = 0;

  begin(): void {
    this.#running += 1;
  }

  end({ repository, method, status, bytes, seconds }: AnsweredRequest): void {
    this.#running -= 1;
    this.#answered += 1;
    this.#seconds += seconds;
    for (const bound of BUCKETS)
      if (seconds <= bound) this.#buckets.set(bound, (this.#buckets.get(bound) ?? 0) + 1);
    const known = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH)$/.test(method) ? method : 'other';
    const key = `${repository}/${known}/${status}`;
    const text = this.#texts.get(key) ?? labelText({ repository, method: known, status });
    this.#texts.set(key, text);
    this.#add('icepkg_http_requests_total', text, 1);
    const of = this.#texts.get(repository) ?? labelText({ repository });
    this.#texts.set(repository, of);
    this.#add('icepkg_http_response_bytes_total', of, bytes);
  }

  count(name: string, labels: Labels, by = 1): void {
    this.#add(name, labelText(labels), by);
  }

  #add(name: string, labels: string, by: number): void {
    const series = this.#counters.get(name) ?? new Map<string, number>();
    series.set(labels, (series.get(labels) ?? 0) + by);
    this.#counters.set(name, series);
  }

  render(repositories: readonly RepositoryHealth[], gauges: readonly Gauge[] = []): string {
    const lines: string[] = [];
    const metric = (name: string, type: string, values: Iterable<readonly [string, number]>): void => {
      lines.push(`# TYPE ${name} ${type}`);
      for (const [labels, value] of values) lines.push(`${name}${labels} ${value}`);
    };
    for (const [name, series] of [...this.#counters].sort(([a], [b]) => (a < b ? -1 : 1)))
      metric(name, 'counter', series);
    metric('icepkg_http_requests_running', 'gauge', [['', this.#running]]);
    const histogram = 'icepkg_http_request_duration_seconds';
    lines.push(`# TYPE ${histogram} histogram`);
    for (const bound of BUCKETS)
      lines.push(`${histogram}_bucket{le="${bound}"} ${this.#buckets.get(bound) ?? 0}`);
    lines.push(`${histogram}_bucket{le="+Inf"} ${this.#answered}`);
    lines.push(`${histogram}_sum ${this.#seconds}`, `${histogram}_count ${this.#answered}`);
    const channels = repositories.flatMap(({ name, channels: list }) =>
      list.map((channel) => ({ repository: name, ...channel })),
    );
    metric(
      'icepkg_channel_packages',
      'gauge',
      channels.map(({ repository, channel, packages }) => [labelText({ repository, channel }), packages]),
    );
    metric(
      'icepkg_channel_snapshot',
      'gauge',
      channels.map(({ repository, channel, snapshot }) => [
        labelText({ repository, channel }),
        snapshot ?? 0,
      ]),
    );
    metric(
      'icepkg_metadata_expires_seconds',
      'gauge',
      channels.flatMap(({ repository, channel, roles }) =>
        roles.map(
          ({ role, expires }) =>
            [labelText({ repository, channel, role }), Date.parse(expires) / 1000] as const,
        ),
      ),
    );
    const names = new Set(gauges.map(({ name }) => name));
    for (const name of names) {
      const series = gauges.filter((gauge) => gauge.name === name);
      metric(
        name,
        'gauge',
        series.map(({ labels, value }) => [labelText(labels), value]),
      );
    }
    metric('process_resident_memory_bytes', 'gauge', [['', process.memoryUsage.rss()]]);
    metric('process_start_time_seconds', 'gauge', [['', this.#started]]);
    return `${lines.join('\n')}\n`;
  }
}

/** `{a="b",c="d"}`, escaped; nothing where there are none. */
function labelText(labels: Labels): string {
  if (Object.keys(labels).length === 0) return '';
  const pairs = Object.entries(labels).map(([name, value]) => {
    const text = String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    return `${name}="${text}"`;
  });
  return `{${pairs.join(',')}}`;
}
