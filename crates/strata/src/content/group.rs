//! Captured calls that are read and cleaned together: as many as memory is for.

use std::collections::VecDeque;

use strata_model::record::RequestRecord;
use strata_proxy::{Captured, LeftOut, Opened, Said};
use strata_store::{Exchange, Redacted};

use super::Content;
use crate::proxy::record_of;

/// A call that a program cleans further weighs so many times as much: its texts, the request and the
/// answer of that program, and the call as it was before. The answer is
/// bounded by the request, see `hook`.
const HOOKED_TIMES: usize = 4;

/// What was done, and what is left for the next time.
pub(super) struct Group {
    /// With the names of their routes.
    pub(super) cleaned: Vec<(String, Redacted)>,
    pub(super) opened: Option<Opened>,
    pub(super) left: VecDeque<Captured>,
}

/// Clean calls in their order until the next would take more memory than there is. Blocks.
pub(super) fn take(content: &Content, opened: Option<Opened>, left: VecDeque<Captured>) -> Group {
    let mut group = Group { cleaned: Vec::new(), opened, left };
    let mut held = 0;
    loop {
        let opened = match group.opened.take() {
            Some(opened) => opened,
            None => match group.next(content, held) {
                Some(opened) => opened,
                None => return group,
            },
        };
        let route = opened.call.route.to_string();
        let Some(plan) = content.plans.get(&route) else { continue };
        let times = if plan.hook.is_some() { HOOKED_TIMES } else { 1 };
        let weight = opened.weight().saturating_mul(times);
        if weight > content.cleaning_max {
            content.leave_out(&route, LeftOut::NoMemory);
            continue;
        }
        if held + weight > content.cleaning_max {
            group.opened = Some(opened);
            return group;
        }
        held += weight;
        content.cleaning(held);
        match opened.read() {
            Ok((call, said)) => {
                let exchange = exchange(&call.id, call.api.name(), &record_of(&call), said);
                group.cleaned.push((route, Redacted::of(exchange, &plan.redactor)));
            }
            Err(why) => content.leave_out(&route, why),
        }
    }
}

impl Group {
    /// The next call that can be opened, within what is left of the memory; `None` where there is none.
    fn next(&mut self, content: &Content, held: usize) -> Option<Opened> {
        loop {
            let first = self.left.front()?;
            if held > 0 && held + first.opening_bytes() > content.cleaning_max {
                return None;
            }
            let captured = self.left.pop_front()?;
            let route = captured.call.route.to_string();
            match captured.open() {
                Ok(opened) => return Some(opened),
                Err(why) => content.leave_out(&route, why),
            }
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
