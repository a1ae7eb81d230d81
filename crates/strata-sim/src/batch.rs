//! A queue of short jobs that share a few GPUs one after the other: evaluations of checkpoints.
//!
//! Jobs come as a Poisson process. A queue with a quota admits them (Kueue), then their pod waits for
//! a GPU that is free (kube-scheduler). A job has a certain amount of work and runs as fast as the
//! clock lets it; a slip of its program ends it early, which the driver writes down as XID 31.

use std::collections::VecDeque;

use crate::device::{Device, Load};
use crate::histogram::Histogram;
use crate::knob::{BatchKnob, Knobs};
use crate::rng::Rng;

/// Seconds in which an image is pulled and a checkpoint loaded: the GPU is held and does nothing.
const START_SECONDS: f64 = 25.0;
/// What a running evaluation keeps busy of a GPU, and what of its frame buffer in MiB.
const BUSY: f64 = 0.86;
const COMPUTE: f64 = 0.34;
const MEMORY: f64 = 0.41;
const MEMORY_MIB: f64 = 38_400.0;
/// Deviation of the logarithm of the work of a job: most are short, some are long.
const WORK_SIGMA: f64 = 0.7;
/// XID 31: a GPU memory page fault, by the XID catalogue an application's own doing.
const XID_PAGE_FAULT: u64 = 31;
/// Buckets of kube-scheduler's and Kueue's waiting times, in seconds.
const WAIT_EDGES: [f64; 14] =
    [0.02, 0.08, 0.32, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0];

/// A job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) number: u64,
    /// Seconds of GPU time left at the full clock.
    work: f64,
    /// Seconds since the simulation began at which it came and, where it has, was admitted and
    /// got its GPU.
    pub(crate) came: f64,
    pub(crate) admitted: Option<f64>,
    pub(crate) began: Option<f64>,
    /// Its GPU by its number in the cluster.
    pub(crate) gpu: Option<usize>,
}

/// What became of jobs and pods, for the exporters.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) admitted: u64,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// Attempts of the scheduler that found a GPU, and that found none.
    pub(crate) scheduled: u64,
    pub(crate) unschedulable: u64,
    /// From coming to admission, and from admission to a GPU.
    pub(crate) admission_wait: Histogram,
    pub(crate) scheduling_wait: Histogram,
}

/// The queue with its jobs.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) knobs: Knobs,
    rng: Rng,
    /// GPUs that its jobs may use.
    pub(crate) gpus: Vec<usize>,
    came: u64,
    /// Jobs that wait for quota, the oldest first.
    pub(crate) suspended: VecDeque<Job>,
    /// Jobs that were admitted, the oldest first.
    pub(crate) jobs: Vec<Job>,
    pub(crate) counted: Counted,
}

impl Batch {
    pub(crate) fn new(gpus: Vec<usize>, knobs: Knobs, rng: Rng) -> Self {
        let counted = Counted {
            admitted: 0,
            succeeded: 0,
            failed: 0,
            scheduled: 0,
            unschedulable: 0,
            admission_wait: Histogram::new(&WAIT_EDGES),
            scheduling_wait: Histogram::new(&WAIT_EDGES),
        };
        let (suspended, jobs) = (VecDeque::new(), Vec::new());
        Self { knobs, rng, gpus, came: 0, suspended, jobs, counted }
    }

    /// Jobs that were admitted and have no GPU yet.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.gpu.is_none())
    }

    /// GPUs that jobs hold.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.jobs.len() - self.pending().count()
    }

    /// Live through `seconds` from `now` on.
    pub(crate) fn tick(
        &mut self,
        now: f64,
        seconds: f64,
        devices: &mut [Device],
        loads: &mut [Load],
    ) {
        let hours = seconds / 3600.0;
        for _ in 0..self.rng.poisson(self.knobs.get(BatchKnob::Rate) * hours) {
            self.came += 1;
            let work = self.rng.log_normal(self.knobs.get(BatchKnob::WorkSeconds), WORK_SIGMA);
            let number = self.came;
            let (admitted, began, gpu) = (None, None, None);
            self.suspended.push_back(Job { number, work, came: now, admitted, began, gpu });
        }
        let ended = self.run(now, seconds, devices, loads);
        let admitted = self.admit(now);
        self.place(now, ended || admitted);
    }

    /// Work on every job that has a GPU; whether one ended.
    fn run(&mut self, now: f64, seconds: f64, devices: &mut [Device], loads: &mut [Load]) -> bool {
        let slips = self.knobs.get(BatchKnob::FaultRate) * seconds / 3600.0;
        let (rng, counted) = (&mut self.rng, &mut self.counted);
        let before = self.jobs.len();
        self.jobs.retain_mut(|job| {
            let (Some(gpu), Some(began)) = (job.gpu, job.began) else { return true };
            let (Some(device), Some(load)) = (devices.get_mut(gpu), loads.get_mut(gpu)) else {
                return true;
            };
            if now - began < START_SECONDS {
                return true;
            }
            device.memory_used_mib = MEMORY_MIB;
            *load = Load {
                busy: BUSY,
                compute: COMPUTE * device.clock,
                memory: MEMORY,
                pcie_in: 4.0e7,
                pcie_out: 1.0e6,
                link_bytes: 0.0,
            };
            job.work -= seconds * device.clock;
            let slipped = rng.chance(slips);
            if slipped {
                device.xid = XID_PAGE_FAULT;
                counted.failed += 1;
            } else if job.work <= 0.0 {
                counted.succeeded += 1;
            } else {
                return true;
            }
            device.memory_used_mib = 0.0;
            false
        });
        self.jobs.len() < before
    }

    /// Let jobs in while the quota lasts; whether there was one.
    fn admit(&mut self, now: f64) -> bool {
        let quota = self.knobs.get(BatchKnob::Quota) as usize;
        let before = self.jobs.len();
        while self.jobs.len() < quota
            && let Some(job) = self.suspended.pop_front()
        {
            self.counted.admitted += 1;
            self.counted.admission_wait.observe(now - job.came);
            self.jobs.push(Job { admitted: Some(now), ..job });
        }
        self.jobs.len() > before
    }

    /// Give free GPUs to pods, the oldest first. The scheduler looks again at a pod that found none
    /// when something has changed.
    fn place(&mut self, now: f64, changed: bool) {
        let taken: Vec<usize> = self.jobs.iter().filter_map(|job| job.gpu).collect();
        let mut free = self.gpus.iter().copied().filter(|gpu| !taken.contains(gpu));
        for job in self.jobs.iter_mut().filter(|job| job.gpu.is_none()) {
            match free.next() {
                Some(gpu) => {
                    (job.gpu, job.began) = (Some(gpu), Some(now));
                    self.counted.scheduled += 1;
                    let waited = now - job.admitted.unwrap_or(now);
                    self.counted.scheduling_wait.observe(waited);
                }
                None if changed => self.counted.unschedulable += 1,
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::H100;
    use crate::layout;

    fn batch(gpus: usize, change: &[(BatchKnob, f64)]) -> (Batch, Vec<Device>) {
        let mut knobs = Knobs::new(layout::batch_defaults(gpus));
        for (knob, value) in change {
            knobs.set((*knob).into(), *value);
        }
        let device = |number| {
            let knobs = Knobs::new(layout::gpu_defaults());
            Device::new(H100, knobs, Rng::of(1, &format!("gpu/{number}")))
        };
        let batch = Batch::new((0..gpus).collect(), knobs, Rng::of(1, "evals"));
        (batch, (0..gpus).map(device).collect())
    }

    /// Play for hours; the sum of GPUs held over seconds.
    fn play(batch: &mut Batch, devices: &mut [Device], hours: u32) -> f64 {
        let mut held = 0.0;
        for second in 0..hours * 3600 {
            let mut loads = vec![Load::default(); devices.len()];
            batch.tick(f64::from(second), 1.0, devices, &mut loads);
            held += batch.held() as f64;
        }
        held
    }

    #[test]
    fn jobs_are_admitted_by_quota_placed_by_room_and_none_is_lost() {
        let (mut batch, mut devices) = batch(2, &[(BatchKnob::Quota, 3.0)]);
        for second in 0..20_000 {
            let mut loads = vec![Load::default(); 2];
            batch.tick(f64::from(second), 1.0, &mut devices, &mut loads);
            assert!(batch.jobs.len() <= 3 && batch.held() <= 2);
            let mut gpus: Vec<usize> = batch.jobs.iter().filter_map(|job| job.gpu).collect();
            gpus.dedup();
            assert_eq!(gpus.len(), batch.held(), "no two jobs on one GPU");
        }
        let ended = batch.counted.succeeded + batch.counted.failed;
        assert_eq!(batch.came, ended + (batch.jobs.len() + batch.suspended.len()) as u64);
        assert!(batch.counted.unschedulable > 0 && batch.counted.scheduled > 20);
    }

    /// Mean number at work is the rate times the mean time at work (Little, 1961).
    #[test]
    fn gpus_held_are_rate_times_time() {
        let change = [(BatchKnob::Rate, 20.0), (BatchKnob::FaultRate, 0.0)];
        let (mut batch, mut devices) = batch(4, &change);
        let held = play(&mut batch, &mut devices, 60);
        let mean = held / (60.0 * 3600.0);
        let expected = 20.0 / 3600.0 * (240.0 + START_SECONDS);
        assert!((mean / expected - 1.0).abs() < 0.1, "{mean} for {expected}");
        assert_eq!(batch.counted.failed, 0);
    }

    #[test]
    fn a_slip_is_an_xid_and_the_end_of_the_job() {
        let (mut batch, mut devices) = batch(1, &[(BatchKnob::FaultRate, 30.0)]);
        play(&mut batch, &mut devices, 4);
        assert!(batch.counted.failed > 5, "{}", batch.counted.failed);
        assert_eq!(devices[0].xid, XID_PAGE_FAULT);
    }
}
