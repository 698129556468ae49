//! What is printed of a test, in the lines of redis-benchmark 7.0.15 (observed).

use crate::histogram::{Histogram, to_float};
use crate::options::Options;
use std::io::{self, Write};

/// What the server said of its persistence; `None` if it did not answer.
pub(crate) type Persistence = Option<(String, String)>;

/// The figures of one test.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) title: &'a str,
    pub(crate) completed: u64,
    pub(crate) elapsed_us: u64,
    pub(crate) latencies: Histogram,
    /// Nanoseconds that the server and this program have run.
    pub(crate) cpu_ns: Option<(u64, u64)>,
}

/// Percentiles of the summary.
const SUMMARY: [f64; 3] = [50.0, 95.0, 99.0];

fn ms(us: u64) -> f64 {
    to_float(us) / 1000.0
}

impl Report<'_> {
    fn rate(&self) -> f64 {
        to_float(self.completed) / (to_float(self.elapsed_us) / 1e6)
    }

    /// Average, least, percentiles of the summary, and greatest, in milliseconds.
    fn latency_ms(&self) -> [f64; 6] {
        let [p50, p95, p99] = SUMMARY.map(|percent| ms(self.latencies.percentile_us(percent)));
        let mean = self.latencies.mean_us() / 1000.0;
        [mean, ms(self.latencies.min_us()), p50, p95, p99, ms(self.latencies.max_us())]
    }

    /// Microseconds for each request, of the server and of this program.
    fn cpu_us(&self) -> Option<(f64, f64)> {
        let each = |ns| to_float(ns) / 1000.0 / to_float(self.completed);
        self.cpu_ns.map(|(server, own)| (each(server), each(own)))
    }

    /// Prints it in the form that `options` ask for.
    pub(crate) fn print(
        &self,
        out: &mut dyn Write,
        options: &Options,
        persistence: &Persistence,
    ) -> io::Result<()> {
        if options.csv {
            self.print_csv(out)
        } else if options.quiet {
            self.print_line(out)
        } else {
            self.print_all(out, options, persistence)
        }
    }

    fn print_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "\"{}\",\"{:.2}\"", self.title, self.rate())?;
        for figure in self.latency_ms() {
            write!(out, ",\"{figure:.3}\"")?;
        }
        if let Some((server, own)) = self.cpu_us() {
            write!(out, ",\"{server:.3}\",\"{own:.3}\"")?;
        }
        writeln!(out)
    }

    fn print_line(&self, out: &mut dyn Write) -> io::Result<()> {
        let p50 = ms(self.latencies.percentile_us(50.0));
        let rate = self.rate();
        write!(out, "{}: {rate:.2} requests per second, p50={p50:.3} msec", self.title)?;
        if let Some((server, own)) = self.cpu_us() {
            write!(out, ", server cpu={server:.3} usec, own cpu={own:.3} usec")?;
        }
        writeln!(out)
    }

    fn print_all(
        &self,
        out: &mut dyn Write,
        options: &Options,
        persistence: &Persistence,
    ) -> io::Result<()> {
        let seconds = to_float(self.elapsed_us) / 1e6;
        writeln!(out, "====== {} ======", self.title)?;
        writeln!(out, "  {} requests completed in {seconds:.2} seconds", self.completed)?;
        writeln!(out, "  {} parallel clients", options.clients)?;
        writeln!(out, "  {} bytes payload", options.value_bytes)?;
        writeln!(out, "  keep alive: {}", u8::from(options.keeps_alive))?;
        if let Some((save, append_only)) = persistence {
            writeln!(out, "  host configuration \"save\": {save}")?;
            writeln!(out, "  host configuration \"appendonly\": {append_only}")?;
        }
        writeln!(out, "  multi-thread: {}", if options.threads > 0 { "yes" } else { "no" })?;
        if options.threads > 0 {
            writeln!(out, "  threads: {}", options.threads)?;
        }
        writeln!(out, "\nLatency by percentile distribution:")?;
        print_lines(out, &self.latencies.halves())?;
        writeln!(out, "\nCumulative distribution of latencies:")?;
        print_lines(out, &self.latencies.steps())?;
        writeln!(out, "\nSummary:")?;
        writeln!(out, "  throughput summary: {:.2} requests per second", self.rate())?;
        writeln!(out, "  latency summary (msec):")?;
        let [avg, min, p50, p95, p99, max] = self.latency_ms();
        writeln!(out, "          avg       min       p50       p95       p99       max")?;
        writeln!(out, "{avg:13.3} {min:9.3} {p50:9.3} {p95:9.3} {p99:9.3} {max:9.3}")?;
        if let Some((server, own)) = self.cpu_us() {
            writeln!(out, "  cpu summary (usec per request):")?;
            writeln!(out, "       server       own")?;
            writeln!(out, "{server:13.3} {own:9.3}")?;
        }
        Ok(())
    }
}

fn print_lines(out: &mut dyn Write, lines: &[(f64, u64, u64)]) -> io::Result<()> {
    for &(percent, us, count) in lines {
        let ms = ms(us);
        writeln!(out, "{percent:.3}% <= {ms:.3} milliseconds (cumulative count {count})")?;
    }
    Ok(())
}

/// The first line of the CSV form.
pub(crate) fn csv_head(with_cpu: bool) -> &'static str {
    if with_cpu {
        "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
         \"p99_latency_ms\",\"max_latency_ms\",\"server_cpu_us\",\"own_cpu_us\""
    } else {
        "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
         \"p99_latency_ms\",\"max_latency_ms\""
    }
}
