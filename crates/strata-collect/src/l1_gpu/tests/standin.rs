//! The stand-in for NVIDIA's library, built once and copied for each test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use super::super::nvidia::{Activity, Ends, Health, Nvidia, Options, Paths, Shared};
use super::super::options::Profiling;
use crate::collector::{CollectError, Harvest};
use crate::l3_host::KernelEvents;
use crate::l3_host::part::{Part, Round};
use crate::l3_host::root::HostRoot;

/// The built library; cargo answers at once when it is fresh.
fn built() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--package", "strata-nvml-standin", "--message-format", "json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the stand-in is built");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut files = text.lines().filter(|line| line.contains("libstrata_nvml_standin"));
        let message: serde_json::Value = serde_json::from_str(files.next_back().unwrap()).unwrap();
        let files = message["filenames"].as_array().unwrap().iter();
        let mut files = files.filter_map(|file| file.as_str()).map(PathBuf::from);
        files.find(|file| file.extension().is_some_and(|kind| kind == "so")).unwrap()
    });
    &BUILT
}

/// A machine that is played, and the collector that looks at it.
pub(super) struct Machine {
    folder: tempfile::TempDir,
    activity: Activity,
    health: Health,
    ends: Ends,
    paths: Paths,
    pub(super) kernel: KernelEvents,
    at_ms: i64,
}

impl Machine {
    pub(super) fn new(script: &str) -> Self {
        Self::without(script, &[])
    }

    /// An older library, which does not have these functions.
    pub(super) fn without(script: &str, functions: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = std::fs::read(built()).unwrap();
        for function in functions {
            rename(&mut bytes, function);
        }
        std::fs::write(folder.path().join("libnvidia-ml.so.1"), bytes).unwrap();
        Self::open(folder, script, None)
    }

    /// No library at all.
    pub(super) fn bare() -> Self {
        Self::open(tempfile::tempdir().unwrap(), "", Some("libno-such-nvidia-ml.so.1"))
    }

    /// A library that is none.
    pub(super) fn broken() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("libnvidia-ml.so.1"), "no library").unwrap();
        Self::open(folder, "", None)
    }

    fn open(folder: tempfile::TempDir, script: &str, name: Option<&str>) -> Self {
        let path = folder.path().join("libnvidia-ml.so.1").to_str().unwrap().to_owned();
        let library = name.map_or(path, str::to_owned);
        let options = Options { library, profiling: Profiling::Alone, processes: true };
        let kernel = KernelEvents::default();
        let root = HostRoot::new(folder.path());
        let nvidia = Nvidia::new(&root, &Arc::from("n1"), options, kernel.clone());
        let shared = Shared::new(nvidia);
        let (activity, health) = (Activity(shared.clone()), Health(shared.clone()));
        let (ends, paths) = (Ends(shared.clone()), Paths(shared));
        let machine = Self { folder, activity, health, ends, paths, kernel, at_ms: 1_000_000 };
        machine.play(script);
        machine
    }

    /// The machine changes.
    pub(super) fn play(&self, script: &str) {
        std::fs::write(self.folder.path().join("libnvidia-ml.so.1.script"), script).unwrap();
    }

    /// A file of the host.
    pub(super) fn file(&self, path: &str, content: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// An NVIDIA GPU on the bus.
    pub(super) fn plug(&self) {
        self.file("sys/bus/pci/devices/0000:3b:00.0/vendor", "0x10de\n");
        self.file("sys/bus/pci/devices/0000:3b:00.0/class", "0x030200\n");
    }

    /// One round, `seconds` after the one before.
    pub(super) fn after(&mut self, seconds: i64) -> Result<Harvest, CollectError> {
        self.at_ms += seconds * 1_000;
        super::sample(&mut self.activity, self.at_ms)
    }

    /// One round of what changes rarely, a second later.
    pub(super) fn health(&mut self) -> Vec<String> {
        self.at_ms += 1_000;
        lines(&super::sample(&mut self.health, self.at_ms).unwrap())
    }

    /// One round of where links lead, a second later.
    pub(super) fn ends(&mut self) -> Result<Harvest, CollectError> {
        self.at_ms += 1_000;
        super::sample(&mut self.ends, self.at_ms)
    }

    /// One round of how near devices are, a second later.
    pub(super) fn paths(&mut self) -> Result<Harvest, CollectError> {
        self.at_ms += 1_000;
        super::sample(&mut self.paths, self.at_ms)
    }

    /// A function of the bus, below the bridges of `path` (`pci0000:17/0000:17:01.0`).
    pub(super) fn seat(&self, path: &str, address: &str, numa_node: &str) {
        super::seat(self.folder.path(), path, address, &[("numa_node", numa_node)]);
    }

    /// One round of both as they run, unchecked: for measuring. Gives the number of samples.
    pub(super) fn both(&mut self, with_health: bool) -> usize {
        self.at_ms += 1_000;
        let mut samples = 0;
        let mut parts: Vec<&mut dyn Part> = vec![&mut self.activity];
        if with_health {
            parts.push(&mut self.health);
        }
        for part in parts {
            let mut round = Round::new(&Arc::from(part.id()), self.at_ms);
            part.sample(&mut round).unwrap();
            samples += round.into_harvest().batch.samples.len();
        }
        samples
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.at_ms
    }

    /// One round a second later, as lines without the labels that all series of a device have.
    pub(super) fn lines(&mut self) -> Vec<String> {
        lines(&self.after(1).unwrap())
    }
}

/// The samples of a round as text, in order.
pub(super) fn lines(harvest: &Harvest) -> Vec<String> {
    let batch = &harvest.batch;
    let mut lines: Vec<String> = batch
        .samples
        .iter()
        .map(|sample| {
            let labels = batch.labels(sample.series);
            let labels = labels.filtered(|name| !["node", "gpu_model"].contains(&name));
            format!("{labels} {}", sample.value)
        })
        .collect();
    lines.sort_unstable();
    lines
}

/// The symbol is then not found: the name in the table of strings is another.
fn rename(bytes: &mut [u8], function: &str) {
    let name: Vec<u8> = function.bytes().chain([0]).collect();
    let places = 0..bytes.len() - name.len();
    let places: Vec<usize> = places.filter(|at| bytes[*at..].starts_with(&name)).collect();
    assert!(!places.is_empty(), "{function} is exported");
    for at in places {
        bytes[at] = b'x';
    }
}
