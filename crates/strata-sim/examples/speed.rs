//! How fast the simulation runs: `speed GPUS SECONDS [page-step]` lives through that long, writing all
//! pages every `page-step` seconds (none without it), and prints what a CPU second covers.

use std::time::Duration;

use strata_sim::{Sim, SimOptions, Size};

/// Processor time of this process (`/proc/self/stat`, fields 14 and 15, in hundredths).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

#[expect(clippy::print_stdout, reason = "an example tells its figures")]
fn main() {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let argument = |place: usize, usual: usize| arguments.get(place).copied().unwrap_or(usual);
    let (gpus, seconds, page_step) = (argument(0, 16), argument(1, 3600), argument(2, 0));
    let size = Size::of_gpus(gpus, 8);
    let options = SimOptions { size, seed: 1, ..SimOptions::default() };
    let Ok(mut sim) = Sim::new(&options) else { return };
    let endpoints = sim.endpoints();
    let (begun, mut bytes, mut pages) = (cpu_seconds(), 0, 0);
    for second in 1..=seconds {
        sim.advance_to(Duration::from_secs(second as u64).as_millis() as i64);
        if page_step > 0 && second % page_step == 0 {
            for endpoint in &endpoints {
                bytes += sim.page(endpoint).len();
                pages += 1;
            }
        }
    }
    let spent = cpu_seconds() - begun;
    println!(
        "{} GPUs, {} exporters: {seconds} s in {spent:.2} CPU s ({:.0} simulated s a CPU s); \
         {} requests; {pages} pages, {bytes} bytes",
        size.nodes * size.gpus_per_node,
        endpoints.len(),
        seconds as f64 / spent,
        sim.requests_ended(),
    );
}
