//! What a round costs, measured by hand.

use std::fmt::Write as _;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use super::standin::Machine;

fn processor_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

#[test]
#[ignore = "measures: run alone, with --nocapture"]
#[expect(clippy::disallowed_methods, reason = "a measurement is of real time")]
fn eight_devices_each_second() {
    const ROUNDS: u32 = 300;
    let mut script = String::new();
    for device in 0..8 {
        writeln!(script, "gpu GPU-{device} bus={device}").unwrap();
        for id in [82, 83, 94, 185, 186, 197, 198, 74, 75, 76, 77, 79, 251, 252, 253] {
            writeln!(script, "field {id} value=100").unwrap();
        }
        for id in [187, 188, 189, 190, 192, 142, 143, 144, 145, 230, 173, 174, 175, 176, 177] {
            writeln!(script, "field {id} value=0").unwrap();
        }
        for id in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 20, 21, 60, 61] {
            writeln!(script, "gpm {id} value=50").unwrap();
        }
        writeln!(script, "process {} used=1000 sm=50", 4_000_000 + device).unwrap();
    }
    let mut machine = Machine::new(&script);
    let (all, often) = (machine.both(true), machine.both(false));
    let (before, mut slowest) = (processor_us(), 0.0_f64);
    for round in 0..ROUNDS {
        let began = Instant::now();
        machine.both(round % 10 == 0);
        slowest = slowest.max(began.elapsed().as_secs_f64() * 1e3);
    }
    let spent = (processor_us() - before) / f64::from(ROUNDS);
    println!("{often} samples each second, {} more each ten", all - often);
    println!("{spent:.0} us a second = {:.3} % of a core, stand-in included", spent / 1e4);
    println!("slowest round {slowest:.1} ms");
}
