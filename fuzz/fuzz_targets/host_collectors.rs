//! The collectors of the host over a root whose files hold anything: each is read to its end, and what
//! cannot be read is a counted fault.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use strata_collect::l3_host::{HostOptions, KernelEvents, collectors};
use tokio::runtime::{Builder, Runtime};

/// Where the bytes are put, one file at a time.
const FILES: [&str; 16] = [
    "proc/stat", "proc/meminfo", "proc/vmstat", "proc/diskstats", "proc/loadavg", "proc/mounts",
    "proc/net/dev", "proc/net/snmp", "proc/net/netstat", "proc/net/tcp", "proc/pressure/cpu",
    "proc/pressure/memory", "proc/self/mountstats", "proc/1/stat", "proc/1/status", "proc/uptime",
];

fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = std::env::temp_dir().join(format!("strata-fuzz-{}", std::process::id()));
        for file in FILES {
            let folder = root.join(file);
            fs::create_dir_all(folder.parent().expect("a folder")).expect("a folder can be made");
        }
        root
    })
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_all().build().expect("a runtime"))
}

fuzz_target!(|data: &[u8]| {
    let Some((&which, content)) = data.split_first() else { return };
    let file = root().join(FILES[usize::from(which) % FILES.len()]);
    fs::write(&file, content).expect("the file can be written");
    let settings = HostOptions::default().validate().expect("the defaults are good");
    let mut parts = collectors(&settings, root(), "fuzz", &KernelEvents::default());
    for part in &mut parts {
        for at_ms in [1_000, 2_000] {
            if let Ok(harvest) = runtime().block_on(part.collect(at_ms)) {
                for sample in &harvest.batch.samples {
                    assert!(!harvest.batch.labels(sample.series).is_empty());
                }
            }
        }
    }
    fs::remove_file(&file).expect("the file can be removed");
});
