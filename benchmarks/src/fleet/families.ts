/**
 * What one host exports: some 500 series in the families of a node exporter, a Go program and a service behind it.
 *
 * A source gives one value a step. Its random numbers are its own, so a series is the same whether it is made as a column
 * or step by step with all others.
 */
import type { FleetRandom } from './random.js'

/** The next value of a series; `restarted` is true on the first step after the host came up again. */
export type Source = (restarted: boolean) => number

/** One series of a host: its metric, its further labels, and how its values come about. */
export interface SeriesDefinition {
  family: string
  name: string
  labels: Record<string, string>
  source: (random: FleetRandom) => Source
}

const PAGE = 4096
const BUCKETS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf']

/** All series of one host; `host` decides its size, so that hosts differ. */
export function hostSeries(host: number): SeriesDefinition[] {
  return [
    ...cpu(host),
    ...memory(),
    ...disks(),
    ...network(host),
    ...filesystems(),
    ...system(),
    ...runtime(),
    ...service(),
  ]
}

function cpu(host: number): SeriesDefinition[] {
  const shares: Record<string, number> = {
    idle: 0.86,
    user: 0.08,
    system: 0.03,
    iowait: 0.01,
    softirq: 0.004,
    nice: 0,
    irq: 0,
    steal: 0.0005,
  }
  const series: SeriesDefinition[] = []
  for (let core = 0; core < 4 + 4 * (host % 2); core++) {
    for (const [mode, share] of Object.entries(shares)) {
      series.push({
        family: 'cpu',
        name: 'node_cpu_seconds_total',
        labels: { cpu: String(core), mode },
        // Ticks of 10 ms, as the kernel counts them.
        source: (random) => counter(random, 1500 * share, 0.12, 1 / 100, 4e7 * share),
      })
    }
  }
  return series
}

function memory(): SeriesDefinition[] {
  const moving = [
    'MemFree',
    'MemAvailable',
    'Cached',
    'Buffers',
    'Active',
    'Inactive',
    'Active_anon',
    'Inactive_anon',
    'Active_file',
    'Inactive_file',
    'AnonPages',
    'Mapped',
    'Slab',
    'SReclaimable',
    'SUnreclaim',
    'KernelStack',
    'PageTables',
    'Committed_AS',
    'Dirty',
    'Writeback',
    'Shmem',
    'Percpu',
  ]
  const fixed = [
    'MemTotal',
    'SwapTotal',
    'SwapFree',
    'SwapCached',
    'CommitLimit',
    'VmallocTotal',
    'HugePages_Total',
    'HugePages_Free',
    'Hugepagesize',
    'Mlocked',
    'Unevictable',
    'Bounce',
    'DirectMap2M',
    'DirectMap1G',
    'AnonHugePages',
    'NFS_Unstable',
    'WritebackTmp',
    'HardwareCorrupted',
  ]
  return [
    ...moving.map((name, index) => ({
      family: 'memory',
      name: `node_memory_${name}_bytes`,
      labels: {},
      source: (random: FleetRandom) => gauge(random, 40_000 * (index + 1), 3 + 60 / (index + 1), 0.75, PAGE),
    })),
    ...fixed.map((name, index) =>
      constant('memory (fixed)', `node_memory_${name}_bytes`, {}, index % 3 === 0 ? 0 : 2 ** (24 + (index % 11))),
    ),
  ]
}

function disks(): SeriesDefinition[] {
  const rates: [string, number, number][] = [
    ['reads_completed_total', 4, 1],
    ['read_bytes_total', 200, 512],
    ['read_time_seconds_total', 8, 1 / 1000],
    ['writes_completed_total', 60, 1],
    ['written_bytes_total', 2500, 512],
    ['write_time_seconds_total', 90, 1 / 1000],
    ['io_time_seconds_total', 120, 1 / 1000],
    ['io_time_weighted_seconds_total', 130, 1 / 1000],
    ['reads_merged_total', 0.05, 1],
    ['writes_merged_total', 25, 1],
    ['discards_completed_total', 0, 1],
    ['flush_requests_total', 2, 1],
  ]
  const series: SeriesDefinition[] = []
  ;['nvme0n1', 'nvme1n1', 'dm-0', 'dm-1'].forEach((device, busy) => {
    for (const [name, rate, unit] of rates) {
      series.push({
        family: 'disk',
        name: `node_disk_${name}`,
        labels: { device },
        source: (random) => counter(random, rate / (1 + 6 * busy), 0.8, unit, rate * 1e5),
      })
    }
    series.push({
      family: 'disk',
      name: 'node_disk_io_now',
      labels: { device },
      source: (random) => () => random.events(0.1),
    })
  })
  return series
}

function network(host: number): SeriesDefinition[] {
  const series: SeriesDefinition[] = []
  ;['eth0', 'eth1', 'lo', 'docker0'].forEach((device, order) => {
    const quiet = order === 3 ? 0 : 1 / (1 + 9 * order)
    for (const direction of ['receive', 'transmit']) {
      const labels = { device }
      series.push({
        family: 'network',
        name: `node_network_${direction}_bytes_total`,
        labels,
        source: (random) => counter(random, 900_000 * quiet, 0.5, 1, 3e11 * quiet + host),
      })
      series.push({
        family: 'network',
        name: `node_network_${direction}_packets_total`,
        labels,
        source: (random) => counter(random, 1800 * quiet, 0.4, 1, 6e8 * quiet),
      })
      for (const name of ['errs', 'drop', 'fifo', 'compressed', 'multicast']) {
        const rate = name === 'multicast' && order < 2 ? 0.6 : name === 'drop' && order === 0 ? 0.02 : 0
        series.push({
          family: rate > 0 ? 'network' : 'network (zero)',
          name: `node_network_${direction}_${name}_total`,
          labels,
          source: (random) => counter(random, rate, 0, 1, rate * 1e5),
        })
      }
    }
    for (const name of ['up', 'carrier', 'mtu_bytes', 'speed_bytes', 'iface_id']) {
      series.push(
        constant('network (fixed)', `node_network_${name}`, { device }, name === 'mtu_bytes' ? 1500 : order + 1),
      )
    }
  })
  return series
}

function filesystems(): SeriesDefinition[] {
  return ['/', '/boot', '/var', '/home', '/data', '/run'].flatMap((mountpoint, order) => {
    const labels = { mountpoint, fstype: order === 5 ? 'tmpfs' : 'ext4' }
    const busy = [0.2, 0, 0.6, 0.05, 0.9, 0.1][order]
    const moving = (name: string, unit: number): SeriesDefinition => ({
      family: 'filesystem',
      name: `node_filesystem_${name}`,
      labels,
      source: (random) => gauge(random, 4e6, 25, busy, unit),
    })
    return [
      moving('free_bytes', PAGE),
      moving('avail_bytes', PAGE),
      moving('files_free', 1),
      constant('filesystem (fixed)', 'node_filesystem_size_bytes', labels, 2 ** 38 + order * PAGE),
      constant('filesystem (fixed)', 'node_filesystem_files', labels, 26214400),
      constant('filesystem (fixed)', 'node_filesystem_readonly', labels, 0),
      constant('filesystem (fixed)', 'node_filesystem_device_error', labels, 0),
    ]
  })
}

function system(): SeriesDefinition[] {
  const plain = (name: string, source: (random: FleetRandom) => Source): SeriesDefinition => ({
    family: 'system',
    name,
    labels: {},
    source,
  })
  const counters: [string, number][] = [
    ['node_context_switches_total', 45_000],
    ['node_intr_total', 30_000],
    ['node_forks_total', 12],
    ['node_vmstat_pgfault', 9000],
    ['node_vmstat_pgmajfault', 0.05],
    ['node_vmstat_pgpgin', 800],
    ['node_vmstat_pgpgout', 5200],
    ['node_vmstat_pswpin', 0],
    ['node_vmstat_pswpout', 0],
    ['node_vmstat_oom_kill', 0],
    ['node_netstat_Tcp_InSegs', 1900],
    ['node_netstat_Tcp_OutSegs', 2100],
    ['node_netstat_Tcp_RetransSegs', 0.7],
    ['node_netstat_Tcp_ActiveOpens', 8],
    ['node_netstat_Tcp_PassiveOpens', 10],
    ['node_netstat_Tcp_InErrs', 0],
    ['node_netstat_Udp_InDatagrams', 45],
    ['node_netstat_Udp_OutDatagrams', 46],
    ['node_netstat_Udp_NoPorts', 0.01],
    ['node_netstat_Ip_Forwarding', 0],
    ['node_netstat_Icmp_InMsgs', 0.3],
    ['node_netstat_Ip6_InOctets', 2500],
    ['node_softnet_processed_total', 2400],
    ['node_softnet_dropped_total', 0],
    ['node_softnet_times_squeezed_total', 0.03],
    ['node_schedstat_timeslices_total', 21_000],
  ]
  const gauges: [string, number, number, number][] = [
    ['node_procs_running', 3, 1.4, 0.9],
    ['node_procs_blocked', 0, 0.3, 0.1],
    ['node_filefd_allocated', 2400, 30, 0.6],
    ['node_sockstat_TCP_inuse', 80, 3, 0.5],
    ['node_sockstat_TCP_alloc', 140, 4, 0.6],
    ['node_sockstat_TCP_tw', 30, 6, 0.8],
    ['node_sockstat_TCP_mem', 20, 2, 0.5],
    ['node_sockstat_UDP_inuse', 9, 0.4, 0.1],
    ['node_sockstat_sockets_used', 310, 5, 0.6],
    ['node_netstat_Tcp_CurrEstab', 60, 2.5, 0.5],
    ['node_nf_conntrack_entries', 420, 12, 0.8],
    ['node_entropy_available_bits', 256, 0, 0],
  ]
  return [
    ...counters.map(([name, rate]) => plain(name, (random) => counter(random, rate, 0.3, 1, rate * 2e5))),
    ...gauges.map(([name, level, spread, share]) => plain(name, (random) => gauge(random, level, spread, share, 1))),
    ...[1, 5, 15].map(
      (minutes): SeriesDefinition => ({
        family: 'load',
        name: `node_load${minutes}`,
        labels: {},
        source: (random) => load(random, minutes),
      }),
    ),
    plain('node_time_seconds', (random) => clock(random)),
    plain('node_timex_offset_seconds', (random) => () => random.normal() * 1e-5),
    plain('node_timex_frequency_adjustment_ratio', (random) => repeated(random, 0.2, () => 1 + random.normal() * 1e-6)),
    ...Array.from({ length: 6 }, (_, sensor) => ({
      family: 'temperature',
      name: 'node_hwmon_temp_celsius',
      labels: { chip: 'platform_coretemp_0', sensor: `temp${sensor + 1}` },
      source: (random: FleetRandom) => gauge(random, 45 + sensor, 0.9, 0.5, 1),
    })),
    ...Array.from({ length: 36 }, (_, collector) =>
      constant('success and state', 'node_scrape_collector_success', { collector: `c${collector}` }, 1),
    ),
    ...Array.from({ length: 36 }, (_, collector) => ({
      family: 'scrape duration',
      name: 'node_scrape_collector_duration_seconds',
      labels: { collector: `c${collector}` },
      // A Go duration: whole nanoseconds.
      source: (random: FleetRandom) => () =>
        Math.round(2e4 * (1 + (collector % 9)) * Math.exp(0.3 * random.normal())) / 1e9,
    })),
    ...Array.from({ length: 60 }, (_, unit) =>
      constant(
        'success and state',
        'node_systemd_unit_state',
        { name: `unit${unit >> 2}.service`, state: ['active', 'inactive', 'failed', 'activating'][unit & 3] },
        unit % 4 === 0 ? 1 : 0,
      ),
    ),
    ...['uname', 'os', 'dmi', 'cpu', 'exporter_build', 'nvme', 'disk', 'network'].map((name) =>
      constant('info', `node_${name}_info`, { release: '6.1.0', version: '1' }, 1),
    ),
    constant('info', 'node_boot_time_seconds', {}, 1_699_000_000),
    constant('info', 'up', {}, 1),
  ]
}

function runtime(): SeriesDefinition[] {
  const plain = (name: string, source: (random: FleetRandom) => Source): SeriesDefinition => ({
    family: 'go runtime',
    name,
    labels: {},
    source,
  })
  return [
    ...[
      'alloc_bytes',
      'heap_alloc_bytes',
      'heap_inuse_bytes',
      'heap_idle_bytes',
      'stack_inuse_bytes',
      'next_gc_bytes',
      'heap_objects',
    ].map((name, order) =>
      plain(`go_memstats_${name}`, (random) => sawtooth(random, 2e6 * (order + 1), order < 2 ? 8 : 8192)),
    ),
    ...['mallocs_total', 'frees_total', 'alloc_bytes_total'].map((name, order) =>
      plain(`go_memstats_${name}`, (random) => counter(random, 12_000 * (1 + 40 * (order >> 1)), 0.2, 1, 1e8)),
    ),
    ...['0', '0.25', '0.5', '0.75', '1'].map(
      (quantile): SeriesDefinition => ({
        family: 'go runtime',
        name: 'go_gc_duration_seconds',
        labels: { quantile },
        source: (random) => repeated(random, 0.12, () => Math.round(3e4 * Math.exp(0.5 * random.normal())) / 1e9),
      }),
    ),
    {
      family: 'float sums',
      name: 'go_gc_duration_seconds_sum',
      labels: {},
      source: (random) => accumulated(random, 0.125, 3e-5),
    },
    plain('go_gc_duration_seconds_count', (random) => counter(random, 0.125, 0, 1, 9000)),
    plain('go_goroutines', (random) => gauge(random, 9, 0.8, 0.25, 1)),
    plain('go_threads', (random) => gauge(random, 11, 0.2, 0.02, 1)),
    plain('process_cpu_seconds_total', (random) => counter(random, 9, 0.3, 1 / 100, 1e6)),
    plain('process_resident_memory_bytes', (random) => gauge(random, 5200, 12, 0.5, PAGE)),
    plain('process_open_fds', (random) => gauge(random, 9, 0.5, 0.15, 1)),
    ...[
      'process_max_fds',
      'process_virtual_memory_bytes',
      'process_start_time_seconds',
      'go_memstats_last_gc_sys_bytes',
      'go_info',
    ].map((name, order) => constant('info', name, {}, [1048576, 1.26e9, 1699000123.45, 4e6, 1][order])),
  ]
}

function service(): SeriesDefinition[] {
  const series: SeriesDefinition[] = []
  ;['/', '/api/query', '/api/write'].forEach((handler, order) => {
    const rate = [2, 12, 150][order]
    const median = [0.004, 0.03, 0.008][order]
    BUCKETS.forEach((le) => {
      // Log-normal latencies: the share of requests that took at most `le`.
      const share = le === '+Inf' ? 1 : 1 / (1 + Math.exp(-1.9 * Math.log(Number(le) / median)))
      series.push({
        family: 'histogram buckets',
        name: 'http_request_duration_seconds_bucket',
        labels: { handler, le },
        source: (random) => counter(random, rate * share, 0.35, 1, rate * share * 1e5),
      })
    })
    series.push({
      family: 'histogram buckets',
      name: 'http_request_duration_seconds_count',
      labels: { handler },
      source: (random) => counter(random, rate, 0.35, 1, rate * 1e5),
    })
    series.push({
      family: 'float sums',
      name: 'http_request_duration_seconds_sum',
      labels: { handler },
      source: (random) => accumulated(random, rate, median),
    })
  })
  for (const code of ['200', '204', '302', '400', '404', '500', '503']) {
    const rate = { '200': 160, '204': 9, '302': 0.5, '400': 0.2, '404': 0.8, '500': 0.02 }[code] ?? 0
    series.push({
      family: 'requests',
      name: 'http_requests_total',
      labels: { code },
      source: (random) => counter(random, rate, 0.35, 1, rate * 1e5),
    })
  }
  series.push({
    family: 'requests',
    name: 'http_requests_in_flight',
    labels: {},
    source: (random) => () => random.events(1.5),
  })
  return series
}

function constant(family: string, name: string, labels: Record<string, string>, value: number): SeriesDefinition {
  return { family, name, labels, source: () => () => value }
}

/** A counter of whole ticks of `unit`; its rate wanders by `wander`, and a restart of the host begins it again. */
function counter(random: FleetRandom, rate: number, wander: number, unit: number, start: number): Source {
  let ticks = Math.floor(start * (0.5 + random.fraction()))
  let mood = 0
  const perUnit = Math.round(1 / unit)
  return (restarted) => {
    if (restarted) ticks = 0
    if (rate > 0) {
      mood = 0.9 * mood + 0.43 * random.normal()
      ticks += random.events(rate * Math.exp(wander * mood))
    }
    return unit < 1 ? ticks / perUnit : ticks * unit
  }
}

/** A level in whole units that walks around; on a share of the steps it moves at all. */
function gauge(random: FleetRandom, level: number, spread: number, share: number, unit: number): Source {
  let now = Math.round(level * (0.8 + 0.4 * random.fraction()))
  const home = now
  return () => {
    if (spread > 0 && random.fraction() < share)
      now = Math.max(0, Math.round(now + spread * random.normal() + 0.02 * (home - now)))
    return now * unit
  }
}

/** Memory that grows until the collector runs. */
function sawtooth(random: FleetRandom, level: number, unit: number): Source {
  let now = Math.floor((level * (0.5 + random.fraction())) / unit)
  const top = (2 * level) / unit
  return () => {
    now += random.below(Math.max(1, Math.floor(top / 8)))
    if (now > top) now = Math.floor(top / 2)
    return now * unit
  }
}

/** A load average: an exponential mean with two decimals. */
function load(random: FleetRandom, minutes: number): Source {
  let mean = 1 + random.fraction()
  const keep = Math.exp(-15 / (60 * minutes))
  return () => {
    mean = mean * keep + Math.max(0, 1.5 + 1.2 * random.normal()) * (1 - keep)
    return Math.round(mean * 100) / 100
  }
}

/** The host's clock when it was scraped: a float with a full mantissa. */
function clock(random: FleetRandom): Source {
  let seconds = 1_700_000_000
  return () => (seconds += 15) + random.fraction()
}

/** A value that stays until something happens. */
function repeated(random: FleetRandom, share: number, next: () => number): Source {
  let value = next()
  return () => (random.fraction() < share ? (value = next()) : value)
}

/** A sum of measured durations: a float counter with a full mantissa, still while nothing happens. */
function accumulated(random: FleetRandom, rate: number, duration: number): Source {
  let sum = rate * duration * 1e5 * random.fraction()
  return (restarted) => {
    if (restarted) sum = 0
    for (let left = Math.min(random.events(rate), 40); left > 0; left--)
      sum += duration * Math.exp(0.6 * random.normal())
    return sum
  }
}
