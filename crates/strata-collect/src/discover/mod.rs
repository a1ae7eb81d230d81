//! Finds inference engines and exporters on this host without being told.
//!
//! A bounded look at the listening sockets of likely processes and at well-known ports, on this
//! host only. What answers with a metrics page is identified by the families on the page, never by
//! its port. Pages nobody knows are reported, not scraped; programs that could have a page but show
//! none are named with the switch that turns it on.

mod options;
mod probe;
mod programs;
mod runner;
pub(crate) mod sockets;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use strata_model::{Clock, Layer};
use tokio::task::JoinSet;

pub use options::{DiscoverOptions, DiscoverSettings};
pub use runner::{DiscoveryRunner, Found, RulesOf};

use crate::scrape::{ClientError, Fetcher};
use probe::{Answer, ask};
use programs::{KNOWN_PORTS, may_ask};
use sockets::{Listening, Process};

/// Addresses asked in one round.
const CANDIDATES_MAX: usize = 64;
/// Questions in flight at once.
const CONCURRENT_MAX: usize = 8;
/// How long one path of one address may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);
/// First and longest wait before an address without a known page is asked again.
const BACKOFF_FIRST: Duration = Duration::from_secs(30);
const BACKOFF_LAST: Duration = Duration::from_mins(10);
/// A target whose socket is gone is kept this long: engines take minutes to restart, and `up` says
/// meanwhile that it is down.
const KEEP_VANISHED: Duration = Duration::from_mins(10);

/// What the catalog makes of the families of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// Name of the catalog's source file: `vllm`.
    pub source: String,
    pub layer: Option<Layer>,
}

/// Says what program a page with these family and metric names comes from.
pub type Identify = Arc<dyn Fn(&[&str]) -> Option<Identified> + Send + Sync>;

/// A source found on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Stable name: `scrape/vllm/127.0.0.1:8000`.
    pub id: String,
    pub url: Url,
    /// Name of the catalog's source file: `vllm`.
    pub source: String,
    pub layer: Option<Layer>,
    /// Where permitted to look.
    pub pid: Option<u32>,
    pub command: Option<String>,
}

/// Something that is there but gives no known metrics, with what a person can do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unheard {
    /// `127.0.0.1:8080`, or the name of a program when no socket of it was seen.
    pub place: String,
    /// Name of the program, when known.
    pub program: Option<&'static str>,
    pub pid: Option<u32>,
    pub hint: String,
}

/// The news of one round.
#[derive(Debug, Default, PartialEq)]
pub struct Round {
    /// Sources that were not there before.
    pub found: Vec<Discovered>,
    /// Sources that have been gone for a while.
    pub lost: Vec<Discovered>,
}

#[derive(Debug)]
struct Candidate {
    address: SocketAddr,
    inode: u64,
    owner: Option<Process>,
}

#[derive(Debug)]
enum State {
    Found(Discovered),
    Unheard { again_at: Duration, backoff: Duration, unheard: Option<Unheard> },
}

#[derive(Debug)]
struct Known {
    inode: u64,
    seen_at: Duration,
    state: State,
}

/// Looks around this host, round by round.
pub struct Discovery {
    settings: DiscoverSettings,
    proc_root: PathBuf,
    own_ports: Vec<u16>,
    identify: Identify,
    clock: Arc<dyn Clock>,
    fetcher: Fetcher,
    known: BTreeMap<SocketAddr, Known>,
    silent_programs: Vec<Unheard>,
    /// Sources in whose place another program now answers.
    replaced: Vec<Discovered>,
}

impl Discovery {
    /// A discovery that reads `<host_root>/proc` and never asks `own_ports`.
    pub fn new(
        settings: DiscoverSettings,
        host_root: &Path,
        own_ports: Vec<u16>,
        identify: Identify,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let fetcher = Fetcher::for_probes()?;
        Ok(Self {
            proc_root: host_root.join("proc"),
            settings,
            own_ports,
            identify,
            clock,
            fetcher,
            known: BTreeMap::new(),
            silent_programs: Vec::new(),
            replaced: Vec::new(),
        })
    }

    /// Look around once and ask what is due.
    pub async fn round(&mut self) -> Round {
        let proc_root = self.proc_root.clone();
        let look = tokio::task::spawn_blocking(move || sockets::look(&proc_root));
        let listening = look.await.unwrap_or_default();
        let now = self.clock.monotonic();
        let candidates = self.candidates(&listening);
        for candidate in &candidates {
            if let Some(known) = self.known.get_mut(&candidate.address) {
                known.seen_at = now;
            }
        }
        let due: Vec<_> = candidates.into_iter().filter(|c| self.is_due(c, now)).collect();
        let mut round = Round::default();
        for (candidate, answer) in self.ask_all(due).await {
            if let Some(found) = self.learn(candidate, &answer, now) {
                round.found.push(found);
            }
        }
        round.found.sort_by(|a, b| a.id.cmp(&b.id));
        round.lost = self.forget(now);
        round.lost.append(&mut self.replaced);
        self.silent_programs = self.silent_programs(&listening);
        round
    }

    /// All that is there but not heard, with hints, in order of place.
    pub fn unheard(&self) -> Vec<Unheard> {
        let pages = self.known.values().filter_map(|known| match &known.state {
            State::Unheard { unheard, .. } => unheard.clone(),
            State::Found(_) => None,
        });
        let mut all: Vec<_> = pages.chain(self.silent_programs.iter().cloned()).collect();
        all.sort();
        all
    }

    /// Everything found and not lost.
    pub fn found(&self) -> Vec<Discovered> {
        let found = self.known.values().filter_map(|known| match &known.state {
            State::Found(found) => Some(found.clone()),
            State::Unheard { .. } => None,
        });
        found.collect()
    }

    /// Sockets that may be asked: well-known ports, and likely processes where HTTP is expected.
    fn candidates(&self, listening: &Listening) -> Vec<Candidate> {
        let mut by_port: BTreeMap<(bool, u16), Candidate> = BTreeMap::new();
        for listener in &listening.listeners {
            let port = listener.address.port();
            let owner = listening.owners.get(&listener.inode);
            let ours = owner.is_some_and(|owner| Some(owner.pid) == listening.own_pid);
            if ours || self.own_ports.contains(&port) || self.settings.skip_ports.contains(&port) {
                continue;
            }
            let well_known = KNOWN_PORTS.contains(&port) || self.settings.ports.contains(&port);
            let likely = owner.is_some_and(|owner| may_ask(port, &owner.command));
            if !well_known && !likely {
                continue;
            }
            let address = SocketAddr::new(reachable(listener.address.ip()), port);
            let candidate = Candidate { address, inode: listener.inode, owner: owner.cloned() };
            // Well-known ports first; one question per port, IPv4 first by the order of sockets.
            by_port.entry((!well_known, port)).or_insert(candidate);
        }
        if !listening.complete {
            // Without the socket table only knocking tells.
            for &port in KNOWN_PORTS.iter().chain(&self.settings.ports) {
                let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
                if !self.own_ports.contains(&port) && !self.settings.skip_ports.contains(&port) {
                    by_port.insert((false, port), Candidate { address, inode: 0, owner: None });
                }
            }
        }
        by_port.into_values().take(CANDIDATES_MAX).collect()
    }

    fn is_due(&self, candidate: &Candidate, now: Duration) -> bool {
        match self.known.get(&candidate.address) {
            None => true,
            // Another program may have taken the place of the one that was found.
            Some(Known { inode, state: State::Found(_), .. }) => *inode != candidate.inode,
            Some(Known { inode, state: State::Unheard { again_at, .. }, .. }) => {
                *inode != candidate.inode || *again_at <= now
            }
        }
    }

    async fn ask_all(&self, due: Vec<Candidate>) -> Vec<(Candidate, Answer)> {
        let mut waiting = due.into_iter();
        let mut asking = JoinSet::new();
        let mut answers = Vec::new();
        loop {
            while asking.len() < CONCURRENT_MAX
                && let Some(candidate) = waiting.next()
            {
                let fetcher = self.fetcher.clone();
                asking.spawn(async move {
                    let answer = ask(&fetcher, candidate.address, PROBE_DEADLINE).await;
                    (candidate, answer)
                });
            }
            match asking.join_next().await {
                Some(Ok(answer)) => answers.push(answer),
                // A question that panicked is no answer; it is asked again next round.
                Some(Err(_panicked)) => {}
                None => return answers,
            }
        }
    }

    /// Remember an answer. Returns what is new to be scraped.
    fn learn(
        &mut self,
        candidate: Candidate,
        answer: &Answer,
        now: Duration,
    ) -> Option<Discovered> {
        let found = self.recognize(&candidate, answer);
        let Candidate { address, inode, owner } = candidate;
        let known = self.known.remove(&address);
        let (state, news) = match (found, known) {
            (Some(found), Some(Known { state: State::Found(before), .. }))
                if before.id == found.id && before.url == found.url =>
            {
                (State::Found(found), None)
            }
            (Some(found), before) => {
                if let Some(Known { state: State::Found(before), .. }) = before {
                    self.replaced.push(before);
                }
                (State::Found(found.clone()), Some(found))
            }
            // It restarts: wait for its page, or for its socket to be gone for good.
            (None, Some(known @ Known { state: State::Found(_), .. })) => {
                self.known.insert(address, known);
                return None;
            }
            (None, before) => {
                let backoff =
                    match before {
                        Some(Known {
                            inode: same, state: State::Unheard { backoff, .. }, ..
                        }) if same == inode => (backoff * 2).min(BACKOFF_LAST),
                        _ => BACKOFF_FIRST,
                    };
                let unheard = explain(address, owner.as_ref(), answer);
                (State::Unheard { again_at: now + backoff, backoff, unheard }, None)
            }
        };
        self.known.insert(address, Known { inode, seen_at: now, state });
        news
    }

    /// The source of a page that the catalog knows.
    fn recognize(&self, candidate: &Candidate, answer: &Answer) -> Option<Discovered> {
        let Answer::Page { url, names } = answer else { return None };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let Identified { source, layer } = (self.identify)(&names)?;
        Some(Discovered {
            id: format!("scrape/{source}/{}", candidate.address),
            url: url.clone(),
            source,
            layer,
            pid: candidate.owner.as_ref().map(|owner| owner.pid),
            command: candidate.owner.as_ref().map(|owner| owner.command.clone()),
        })
    }

    /// Drop what has been gone for a while, and return the targets among it.
    fn forget(&mut self, now: Duration) -> Vec<Discovered> {
        let gone = |known: &Known| match known.state {
            State::Found(_) => now.saturating_sub(known.seen_at) >= KEEP_VANISHED,
            State::Unheard { .. } => known.seen_at < now,
        };
        let lost = self.known.values().filter(|known| gone(known)).filter_map(|known| match &known
            .state
        {
            State::Found(found) => Some(found.clone()),
            State::Unheard { .. } => None,
        });
        let lost = lost.collect();
        self.known.retain(|_, known| !gone(known));
        lost
    }

    /// Programs that run but of which nothing was heard at any socket, one row per program.
    fn silent_programs(&self, listening: &Listening) -> Vec<Unheard> {
        let mut rows: BTreeMap<&'static str, Unheard> = BTreeMap::new();
        // A page whose owner we may not see could be that of any process we may not look at.
        let anonymous = self.found().iter().any(|found| found.pid.is_none());
        for process in listening.programs.iter().filter(|process| process.open || !anonymous) {
            let Some(program) = process.program.filter(|program| !program.hint.is_empty()) else {
                continue;
            };
            rows.entry(program.name).or_insert_with(|| Unheard {
                place: program.name.to_owned(),
                program: Some(program.name),
                pid: Some(process.pid),
                hint: program.hint.to_owned(),
            });
        }
        for known in self.known.values() {
            let heard = match &known.state {
                State::Found(found) => found.command.as_deref().and_then(programs::program_of),
                State::Unheard { unheard, .. } => unheard.as_ref().and_then(|unheard| {
                    listening.programs.iter().find(|p| Some(p.pid) == unheard.pid)?.program
                }),
            };
            if let Some(program) = heard {
                rows.remove(program.name);
            }
        }
        rows.into_values().collect()
    }
}

/// The address by which a socket of this host is reached.
fn reachable(listens_on: IpAddr) -> IpAddr {
    // A socket on [::] takes IPv4 as well unless its program says otherwise; hardly any does.
    if listens_on.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listens_on }
}

/// What to tell about an address that gave no known page; nothing about what is plainly no engine.
fn explain(address: SocketAddr, owner: Option<&Process>, answer: &Answer) -> Option<Unheard> {
    let program = owner.and_then(|owner| owner.program);
    let switch = program.map(|program| program.hint).filter(|hint| !hint.is_empty());
    let hint = match answer {
        Answer::Page { url, names } => {
            let first: Vec<_> = names.iter().take(3).map(String::as_str).collect();
            format!(
                "a metrics page that no source file knows ({}, ...): name it under [[scrape]] \
                 to collect it from {url}",
                first.join(", ")
            )
        }
        Answer::NoPage { not_implemented: true } => switch
            .unwrap_or("it answers that metrics are switched off (llama-server: --metrics)")
            .to_owned(),
        Answer::NoPage { not_implemented: false } => switch?.to_owned(),
        Answer::Silent => return None,
    };
    Some(Unheard {
        place: address.to_string(),
        program: program.map(|program| program.name),
        pid: owner.map(|owner| owner.pid),
        hint,
    })
}
