//! From captured calls to segments: read, cleaned, cleaned further by a program, written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use strata_model::record::RequestRecord;
use strata_proxy::{Captured, LeftOut, Said};
use strata_store::{Appended, ContentError, Exchange, Gap, Redacted};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Content, SWEEP, Work};
use crate::proxy::record_of;

/// Calls written together.
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

async fn batch(content: &Arc<Content>, calls: Vec<Captured>) {
    let own = Arc::clone(content);
    let came: Vec<Arc<str>> = calls.iter().map(|call| Arc::from(&*call.call.route)).collect();
    let cleaned = spawn_blocking(move || {
        let cleaned = calls.into_iter().filter_map(|call| clean(&own, call));
        cleaned.collect::<Vec<(String, Redacted)>>()
    });
    let Ok(cleaned) = cleaned.await else {
        tracing::error!("captured calls could not be read");
        for route in &came {
            content.leave_out(route, LeftOut::Unread);
        }
        return;
    };
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

/// A call as it may be written; `None` where it is left out.
fn clean(content: &Content, captured: Captured) -> Option<(String, Redacted)> {
    let route = captured.call.route.to_string();
    let plan = content.plans.get(&route)?;
    match captured.read() {
        Ok((call, said)) => {
            let exchange = exchange(&call.id, call.api.name(), &record_of(&call), said);
            Some((route, Redacted::of(exchange, &plan.redactor)))
        }
        Err(why) => {
            content.leave_out(&route, why);
            None
        }
    }
}

/// The call under the keys of its record, so that feedback finds it later.
fn exchange(id: &str, api: &str, record: &RequestRecord, said: Said) -> Exchange {
    Exchange {
        id: id.to_owned(),
        start_us: record.start_us,
        route: record.route.clone().unwrap_or_default(),
        api: api.to_owned(),
        tenant: record.tenant.clone(),
        model: record.model().map(str::to_owned),
        response_id: record.response_id.clone(),
        request_id: record.request_id.clone(),
        trace_id: record.trace_id.clone(),
        media: false,
        cleaned: None,
        request: said.request,
        answer: said.answer,
    }
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
