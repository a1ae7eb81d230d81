//! Chores of the house, run as `cargo xtask CHORE`; the house tests run with `cargo test`.

mod bench;
mod browser;
mod check;
mod conformance;
mod crash;
mod fuzz;
#[cfg(test)]
mod house;
mod out;
mod peers;
mod promqltest;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Chores of the Stratascope workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Everything a change must pass: fmt, clippy, tests, docs.
    Check {
        /// Only run the tests.
        #[arg(long)]
        tests_only: bool,
    },
    /// Measure our figures beside the peers' (Debian's prometheus and victoria-metrics).
    Bench {
        /// Which figures; all when none is named.
        figures: Vec<bench::Figure>,
        /// Hours of history under the pages.
        #[arg(long, default_value_t = 24)]
        hours: u32,
        /// After the pages, keep their server and its newest samples until ended, for a profiler.
        #[arg(long)]
        hold: bool,
        /// A trace of requests (CSV), for the forecast of saturation.
        #[arg(long)]
        trace: Option<std::path::PathBuf>,
        /// The program rotel-agent, for the spans; else the one on PATH.
        #[arg(long)]
        rotel: Option<std::path::PathBuf>,
        /// Requests in the six hours that are asked for; a fiftieth of it is on each of 29 days before.
        #[arg(long, default_value_t = 1_000_000)]
        requests: usize,
        /// Scratch folder, made and removed.
        #[arg(long, default_value = "target/bench")]
        scratch: std::path::PathBuf,
    },
    /// Look at every page of `strata demo` in a real Chromium: messages, accessibility, keys, faults.
    Browser {
        /// The unoptimized program, which the tests have built already, with more patience.
        #[arg(long)]
        debug: bool,
        /// Keep a picture of every page in this folder.
        #[arg(long)]
        shots: Option<std::path::PathBuf>,
        /// Scratch folder, made and removed.
        #[arg(long, default_value = "target/browser-demo")]
        scratch: std::path::PathBuf,
    },
    /// Ask the embedded engine, a real Prometheus and a real VictoriaMetrics the same questions.
    Conformance(conformance::ConformanceArgs),
    /// Kill a server under write load again and again and look for every acknowledged sample.
    Crash {
        #[arg(long, default_value_t = 20)]
        rounds: u32,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Scratch folder, made and removed.
        #[arg(long, default_value = "target/crash")]
        scratch: std::path::PathBuf,
    },
    /// Run the fuzz targets, each for a while (cargo-fuzz must be installed).
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Which targets; all when none is named.
        targets: Vec<String>,
    },
    /// Write the generated reference pages under docs/reference.
    Docs,
    /// Compare our answers with a real Prometheus, and let it send us remote write.
    Peers(peers::PeersArgs),
    /// Run files in Prometheus's promqltest language and print passed and failed per file.
    Promqltest {
        /// Print every failure, not only the first of each file.
        #[arg(long)]
        verbose: bool,
        files: Vec<std::path::PathBuf>,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // Only an installation before this one can fail, and there is none.
    drop(rustls::crypto::ring::default_provider().install_default());
    match arguments.chore {
        Chore::Check { tests_only } => check::check(tests_only),
        Chore::Bench { figures, hours, hold, trace, rotel, requests, scratch } => {
            let (trace, rotel) = (trace.as_deref(), rotel.as_deref());
            let given = bench::Given { trace, rotel, requests };
            bench::run(&figures, bench::History { hours, hold }, &scratch, given)
        }
        Chore::Browser { debug, shots, scratch } => browser::run(debug, shots.as_deref(), &scratch),
        Chore::Conformance(arguments) => conformance::run(&arguments),
        Chore::Crash { rounds, seed, scratch } => crash::run(rounds, seed, &scratch),
        Chore::Fuzz { seconds, targets } => fuzz::run(&targets, seconds),
        Chore::Docs => check::docs(),
        Chore::Peers(arguments) => peers::run(&arguments),
        Chore::Promqltest { verbose, files } => promqltest::run(&files, verbose),
    }
}
