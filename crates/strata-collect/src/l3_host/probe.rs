//! Asking a file system for its space from a thread that may be left behind when it hangs.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::fs::StatVfs;
use rustix::io::Errno;

/// Threads left behind at a time, each blocked in the kernel with a small stack.
const HANGING_MAX: usize = 8;

/// Enough for one system call.
const STACK_BYTES: usize = 64 << 10;

/// How a file system answered.
pub(super) enum Answer {
    Space(StatVfs),
    Refused(Errno),
    /// It has not answered within the deadline, now or in an earlier round.
    Hanging,
    /// It was not asked because as many threads hang as may.
    TooManyHanging,
}

type Ask = fn(&Path) -> Result<StatVfs, Errno>;

/// Asks one path after the other on a helper thread; a path that hangs keeps its thread and is not
/// asked again until that thread comes back.
pub(super) struct Prober {
    ask: Ask,
    idle: Option<Probe>,
    hanging: Vec<(PathBuf, Probe)>,
}

struct Probe {
    paths: Sender<PathBuf>,
    answers: Receiver<Result<StatVfs, Errno>>,
}

impl Default for Prober {
    fn default() -> Self {
        Self { ask: |path| rustix::fs::statvfs(path), idle: None, hanging: Vec::new() }
    }
}

impl Prober {
    /// The space of the file system at `path`, waited for no longer than `deadline`.
    pub(super) fn ask(&mut self, path: &Path, deadline: Duration) -> Answer {
        self.collect_returned();
        if self.hanging.iter().any(|(stuck, _)| stuck == path) {
            return Answer::Hanging;
        }
        if self.hanging.len() >= HANGING_MAX {
            return Answer::TooManyHanging;
        }
        let Some(probe) = self.idle.take().or_else(|| start(self.ask)) else {
            return Answer::Refused(Errno::AGAIN);
        };
        if probe.paths.send(path.to_owned()).is_err() {
            return Answer::Refused(Errno::AGAIN);
        }
        match probe.answers.recv_timeout(deadline) {
            Ok(answer) => {
                self.idle = Some(probe);
                answer.map_or_else(Answer::Refused, Answer::Space)
            }
            Err(RecvTimeoutError::Timeout) => {
                self.hanging.push((path.to_owned(), probe));
                Answer::Hanging
            }
            Err(RecvTimeoutError::Disconnected) => Answer::Refused(Errno::AGAIN),
        }
    }

    /// Threads that came back have an answer that is too old; only one is kept for the next path.
    fn collect_returned(&mut self) {
        let mut index = 0;
        while index < self.hanging.len() {
            if self.hanging[index].1.answers.try_recv().is_ok() {
                let (_, probe) = self.hanging.swap_remove(index);
                self.idle = Some(probe);
            } else {
                index += 1;
            }
        }
    }
}

fn start(ask: Ask) -> Option<Probe> {
    let (paths, asked) = channel::<PathBuf>();
    let (answer, answers) = channel();
    let thread =
        std::thread::Builder::new().name("host/statvfs".to_owned()).stack_size(STACK_BYTES);
    let run = move || {
        while let Ok(path) = asked.recv() {
            if answer.send(ask(&path)).is_err() {
                return;
            }
        }
    };
    thread.spawn(run).ok()?;
    Some(Probe { paths, answers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Held by the test while the path `/stuck` is to hang.
    static GATE: Mutex<()> = Mutex::new(());

    fn gated(path: &Path) -> Result<StatVfs, Errno> {
        if path == Path::new("/stuck") {
            drop(GATE.lock());
        }
        rustix::fs::statvfs("/")
    }

    #[test]
    fn one_hanging_mount_does_not_hide_the_others() {
        let mut prober = Prober { ask: gated, ..Prober::default() };
        let (soon, late) = (Duration::from_millis(20), Duration::from_secs(5));
        let gate = GATE.lock().unwrap();
        assert!(matches!(prober.ask(Path::new("/stuck"), soon), Answer::Hanging));
        assert!(matches!(prober.ask(Path::new("/fine"), late), Answer::Space(_)));
        assert!(
            matches!(prober.ask(Path::new("/stuck"), late), Answer::Hanging),
            "not asked again"
        );
        drop(gate);
        let stuck = prober.hanging[0].1.answers.recv_timeout(late);
        assert!(stuck.is_ok(), "the thread came back");
        prober.hanging.clear();
        assert!(matches!(prober.ask(Path::new("/stuck"), late), Answer::Space(_)));
    }
}
