//! From captured calls to segments: read, cleaned, cleaned further by a program, written.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use strata_proxy::{Captured, LeftOut, Opened};
use strata_store::{Appended, ContentError, Gap, Redacted};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Content, SWEEP, Work, group};

/// Calls written together, where memory is for as many.
const TOGETHER: usize = 64;

/// Write what comes until nobody can send any more.
pub(super) async fn write(content: Arc<Content>, mut receiver: mpsc::Receiver<Captured>) {
    let mut every = tokio::time::interval(SWEEP);
    let mut waiting = Vec::with_capacity(TOGETHER);
    loop {
        tokio::select! {
            count = receiver.recv_many(&mut waiting, TOGETHER) => {
                if count == 0 {
                    break;
                }
                batch(&content, std::mem::take(&mut waiting)).await;
            }
            _ = every.tick() => sweep(&content).await,
        }
    }
    append(&content, BTreeMap::new()).await;
}

/// Delete what is too old for as long as the program runs.
pub(super) async fn sweep_for_ever(content: Arc<Content>) {
    let mut every = tokio::time::interval(SWEEP);
    loop {
        every.tick().await;
        sweep(&content).await;
    }
}

async fn sweep(content: &Arc<Content>) {
    append(content, BTreeMap::new()).await;
    let own = Arc::clone(content);
    let swept = spawn_blocking(move || own.store.sweep(&own.keeps())).await;
    match swept {
        Ok(Ok(segments)) => {
            content.meter.counter("strata.content.expired", &[]).add(segments);
            content.well(Work::Sweep);
        }
        Ok(Err(error)) => trouble(content, Work::Sweep, &error),
        Err(error) => tracing::error!(%error, "old content could not be looked for"),
    }
}

fn trouble(content: &Content, work: Work, error: &ContentError) {
    let words = strata_model::told::causes(error);
    tracing::warn!(error = %words, "captured content");
    content.ill(work, words);
}

/// Write these calls, as many together as memory is for.
async fn batch(content: &Arc<Content>, calls: Vec<Captured>) {
    let mut left = VecDeque::from(calls);
    let mut opened: Option<Opened> = None;
    while opened.is_some() || !left.is_empty() {
        let first = opened.iter().map(|one| &one.call.route);
        let all = first.chain(left.iter().map(|one| &one.call.route));
        let came: Vec<Arc<str>> = all.map(Arc::clone).collect();
        let own = Arc::clone(content);
        let group = spawn_blocking(move || group::take(&own, opened, left)).await;
        let Ok(group) = group else {
            tracing::error!("captured calls could not be read");
            for route in &came {
                content.leave_out(route, LeftOut::Unread);
            }
            return;
        };
        (opened, left) = (group.opened, group.left);
        further(content, group.cleaned).await;
        content.cleaning(0);
    }
}

/// Have calls cleaned by the programs that their routes name, and write them.
async fn further(content: &Arc<Content>, cleaned: Vec<(String, Redacted)>) {
    let mut routes: BTreeMap<String, Vec<Redacted>> = BTreeMap::new();
    for (route, call) in cleaned {
        let hook = content.plans.get(&route).and_then(|plan| plan.hook.as_ref());
        let call = match hook {
            None => Ok(call),
            Some(hook) => hook.clean(call).await.inspect(|_| content.well(Work::Redactor)),
        };
        match call {
            Ok(call) => routes.entry(route).or_default().push(call),
            Err(why) => {
                content.leave_out(&route, LeftOut::Redactor);
                content.ill(Work::Redactor, why);
            }
        }
    }
    append(content, routes).await;
}

/// Write calls by route, with the gaps of each; gaps alone where no call came.
async fn append(content: &Arc<Content>, mut routes: BTreeMap<String, Vec<Redacted>>) {
    for (route, plan) in &content.plans {
        let calls = routes.remove(route).unwrap_or_default();
        let gaps = content.take_gaps(route);
        if calls.is_empty() && gaps.is_empty() {
            continue;
        }
        let (count, kept) = (calls.len() as u64, gaps.clone());
        let (own, keep) = (Arc::clone(content), plan.keep.clone());
        let written = spawn_blocking(move || own.store.append(&keep, calls, gaps)).await;
        match written {
            Ok(Ok(appended)) => stored(content, route, count, appended),
            Ok(Err(error)) => {
                trouble(content, Work::Write, &error);
                lost(content, route, count, kept);
            }
            Err(_) => lost(content, route, count, kept),
        }
    }
}

fn stored(content: &Content, route: &str, count: u64, appended: Appended) {
    let labels = [("route", route)];
    content.meter.counter("strata.content.stored", &labels).add(count);
    content.meter.counter("strata.content.bytes", &labels).add(appended.bytes);
    content.meter.counter("strata.content.crowded_out", &labels).add(appended.crowded_out);
    content.well(Work::Write);
    content.stored_ms.store(content.clock.now_ms(), Ordering::Relaxed);
}

fn lost(content: &Content, route: &str, count: u64, gaps: Vec<Gap>) {
    content.put_back(gaps);
    (0..count).for_each(|_| content.leave_out(route, LeftOut::Disk));
}
