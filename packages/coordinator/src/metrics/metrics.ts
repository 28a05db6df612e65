/**
 * The program's own metrics: plain numbers where the work is done, read into prom-client only when somebody asks.
 *
 * A labelled `inc` of prom-client costs some 200 ns and a field of ours 3 ns, so hot code keeps fields, and hands a
 * `read` function here that is called once a scrape.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export type LabelValues = Readonly<Record<string, string>>
/** Reports one child: its value now, and its labels if the metric has any. */
export type Report = (value: number, labels?: LabelValues) => void

export interface MetricOptions {
  /** With unit and, for a counter, `_total` last: `varve_ingest_samples_total`. */
  readonly name: string
  readonly help: string
  /** A closed set: never a label whose values come from requests. */
  readonly labelNames?: readonly string[]
  /** Reports every child. Called once a scrape; it must be quick and not throw. */
  readonly read: (report: Report) => void
}

export interface HistogramOptions {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
  readonly buckets: readonly number[]
}

export interface DurationHistogram {
  observe(seconds: number, labels?: LabelValues): void
  /** For labels that come again and again: they are looked up once. */
  observer(labels: LabelValues): (seconds: number) => void
}

/** One line of the exposition. */
export interface MetricSample {
  readonly name: string
  readonly labels: LabelValues
  readonly value: number
}

export type MetricKind = 'counter' | 'gauge' | 'histogram'

export class Metrics {
  readonly #registry = new Registry()

  counter(options: MetricOptions): void {
    new Counter({
      name: options.name,
      help: options.help,
      labelNames: [...(options.labelNames ?? [])],
      registers: [this.#registry],
      collect() {
        this.reset()
        options.read((value, labels) => this.inc(labels ?? {}, value))
      },
    })
  }

  gauge(options: MetricOptions): void {
    new Gauge({
      name: options.name,
      help: options.help,
      labelNames: [...(options.labelNames ?? [])],
      registers: [this.#registry],
      collect() {
        this.reset()
        options.read((value, labels) => this.set(labels ?? {}, value))
      },
    })
  }

  /** For events of requests and syncs, some thousands a second at most: never for samples. */
  histogram(options: HistogramOptions): DurationHistogram {
    const histogram = new Histogram({
      name: options.name,
      help: options.help,
      labelNames: [...(options.labelNames ?? [])],
      buckets: [...options.buckets],
      registers: [this.#registry],
    })
    return {
      observe: (seconds, labels) => histogram.observe(labels ?? {}, seconds),
      observer: (labels) => {
        const one = histogram.labels(labels)
        return (seconds) => one.observe(seconds)
      },
    }
  }

  /** The text exposition format, 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** Type and help of each metric, as `# TYPE` and `# HELP` tell them. */
  async metadata(): Promise<{ name: string; type: MetricKind; help: string }[]> {
    const all = (await this.#registry.getMetricsAsJSON()) as unknown as {
      name: string
      type: MetricKind
      help: string
    }[]
    return all.map(({ name, type, help }) => ({ name, type, help }))
  }

  /** What `text` says, as values. */
  async samples(): Promise<MetricSample[]> {
    const samples: MetricSample[] = []
    for (const metric of await this.#registry.getMetricsAsJSON()) {
      for (const { value, labels, ...rest } of metric.values) {
        const name = (rest as { metricName?: string }).metricName ?? metric.name
        const texts = Object.entries(labels).map(([label, text]) => [label, String(text)] as const)
        samples.push({ name, labels: Object.fromEntries(texts), value })
      }
    }
    return samples
  }

  get contentType(): string {
    return this.#registry.contentType
  }
}
