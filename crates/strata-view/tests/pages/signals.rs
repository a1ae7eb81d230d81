//! Whatever the World can measure is shown somewhere: the Doctor says what would make a number known,
//! and must not promise one that no page has.

use std::collections::BTreeSet;

use strata_diagnose::{diagnoses, verdict_wants};
use strata_view::{PageId, PageRequest, View, rooms};
use strata_world::signals;

use super::cluster::NOW_MS;

/// Signals that no page shows yet, in order. A list that only gets shorter.
const SHOWN_NOWHERE: [&str; 15] = [
    "l3.disk_busy",
    "l3.infiniband_errors",
    "l3.infiniband_receive",
    "l3.infiniband_transmit",
    "l3.network_errors",
    "l3.process_blocked",
    "l6.batch_size",
    "l6.computed_prompt_throughput",
    "l6.e2e_spread",
    "l6.itl_mean",
    "l6.kv_host_utilization",
    "l6.queue_spread",
    "l6.request_limit",
    "l6.step_tokens_mean",
    "l6.ttft_mean",
];

/// One thing of each page that has a side for one.
const THINGS: [(PageId, &str); 3] = [
    (PageId::Gpus, "gpu:GPU-5"),
    (PageId::Engines, "replica:10.0.0.1:8000"),
    (PageId::Hosts, "node:h"),
];

#[test]
fn every_signal_is_on_a_page_or_in_a_verdict() {
    let whole = PageId::ALL.into_iter().map(PageRequest::new);
    let one = THINGS.into_iter().map(|(page, entity)| {
        let mut request = PageRequest::new(page);
        request.entity = Some(entity.to_owned());
        request
    });
    let colors = signals().iter().map(|def| {
        let mut request = PageRequest::new(PageId::Gpus);
        (request.color, request.view) = (Some(def.id.to_owned()), View::Now);
        request
    });
    let mut shown: BTreeSet<&str> = BTreeSet::new();
    // What is no choice of a color is refused.
    for ask in whole.chain(one).chain(colors).filter_map(|one| rooms::ask(&one, NOW_MS).ok()) {
        shown.extend(ask.wants.iter().map(|want| want.signal));
    }
    shown.extend(verdict_wants().iter().map(|want| want.signal));
    shown.extend(diagnoses().flat_map(|one| one.signals().collect::<Vec<_>>()));
    let missing: Vec<&str> =
        signals().iter().map(|def| def.id).filter(|id| !shown.contains(id)).collect();
    assert_eq!(missing, SHOWN_NOWHERE, "a signal that no page shows is of no use");
}
