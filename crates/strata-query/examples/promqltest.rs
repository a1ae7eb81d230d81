//! Runs files in Prometheus's promqltest language: `cargo run --example promqltest -- FILE...`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let (table, passed) = strata_query::promqltest::run_files(&files, 20);
    #[expect(clippy::print_stdout, reason = "printing is what this program is for")]
    {
        print!("{table}");
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
