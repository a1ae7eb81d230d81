//! What stands around every page: title, tabs, the north star, notices.

use strata_model::Layer;
use strata_world::{Reading, Scope, Signal, Want, World};

use super::pieces::{name, number};
use super::{Context, tracks};
use crate::page::block::Section;
use crate::page::number::Number;
use crate::page::status::Status;
use crate::page::{Link, Notice, Page, Tab};
use crate::request::{PageId, PageRequest, Span, View};
use crate::words;

const SLO_BUDGET: &str = "l8.slo_budget_used";

/// The top strip: (label, signal).
const NORTH: [(&str, &str); 6] = [
    ("per useful token", "l8.cost_per_useful_token"),
    ("spend", "l8.cost_rate"),
    ("goodput", "l8.goodput"),
    ("SLO budget used", SLO_BUDGET),
    ("tokens per joule", "l8.tokens_per_joule"),
    ("waste", "l8.waste_rate"),
];

/// What the strip wants.
pub(super) fn wants() -> Vec<Want> {
    let mut wants = tracks(&NORTH.map(|(_, signal)| signal));
    // The course of a sum of thirty days over an hour is a line, and dear.
    for want in wants.iter_mut().filter(|want| want.signal == SLO_BUDGET) {
        want.track = false;
    }
    wants
}

pub(super) fn page(
    request: &PageRequest,
    world: &World,
    context: &Context,
    sections: Vec<Section>,
) -> Page {
    let scope = match &world.scope {
        _ if request.is_about_records() => "single requests".to_owned(),
        Scope::Fleet => "everything".to_owned(),
        Scope::Entity(id) => format!("{} {}", id.kind.name(), name(world, id)),
    };
    let seconds = (world.window.end_ms - world.window.start_ms) / 1000;
    let seconds = u64::try_from(seconds).unwrap_or_default();
    let range = match request.span {
        Span::Live { seconds } if request.is_asked_once() => {
            format!("last {}, when asked", words::length(u64::from(seconds)))
        }
        Span::Live { seconds } => format!("last {}, live", words::length(u64::from(seconds))),
        Span::Fixed { .. } => format!("{} long, held", words::length(seconds)),
    };
    Page {
        request: request.clone(),
        title: match request.view {
            _ if request.one_request().is_some() => "One request",
            View::Now => title(request.page),
            View::Slowest => "Slowest requests",
            View::Lengths => "Lengths of requests",
            View::Compare => "Compare models",
        }
        .to_owned(),
        subtitle: format!("{scope} - {range}"),
        simulated: context.simulated,
        made_at_ms: world.window.now_ms,
        tabs: PageId::ALL.into_iter().map(|id| tab(id, request.page)).collect(),
        north_star: north_star(world),
        notices: world.notes.iter().filter(|note| !told(world, note)).map(|n| notice(n)).collect(),
        sections,
    }
}

fn north_star(world: &World) -> Vec<Number> {
    let numbers = NORTH.iter().filter_map(|(label, signal)| {
        let mut number = number(world, label, signal, None);
        if number.value.is_none() && world.scope != Scope::Fleet {
            // Nobody misses the money of the fleet on the page of one GPU.
            return None;
        }
        if number.value.is_none() {
            number.status = Some(Status::Blind);
            Status::Blind.word().clone_into(&mut number.text);
            number.note = number.explain.unknown.as_deref().map(first_clause);
        }
        Some(number)
    });
    numbers.collect()
}

/// The beginning of a reason, as much as fits under a number.
fn first_clause(reason: &str) -> String {
    let end = reason.find([';', ':', ',']).unwrap_or(reason.len());
    reason.get(..end).unwrap_or(reason).to_owned()
}

/// Whether a number of the page says this already as the reason why it is unknown.
fn told(world: &World, note: &str) -> bool {
    let says = |signal: &Signal| matches!(&signal.now, Reading::Unknown(why) if why.text == note);
    world.signals.iter().any(says)
}

fn notice(note: &str) -> Notice {
    Notice { status: Status::Watch, text: note.to_owned(), command: None, link: None }
}

fn tab(id: PageId, current: PageId) -> Tab {
    Tab {
        key: id.key(),
        title: title(id).to_owned(),
        link: Link { page: id.name().to_owned(), params: Vec::new() },
        current: id == current,
        status: None,
    }
}

/// Title of a page.
pub(super) fn title(id: PageId) -> &'static str {
    let layer = |layer: Layer| super::words(layer).0;
    match id {
        PageId::Overview => "Overview",
        PageId::Gpus => layer(Layer::L1Gpu),
        PageId::Communication => layer(Layer::L2Cuda),
        PageId::Hosts => layer(Layer::L3Host),
        PageId::Scheduling => layer(Layer::L4Sched),
        PageId::Training => layer(Layer::L5Training),
        PageId::Engines => layer(Layer::L6Inference),
        PageId::Requests => layer(Layer::L7Genai),
        PageId::Cost => layer(Layer::L8Cost),
        PageId::Doctor => "Doctor",
        PageId::Explore => "Explore",
        PageId::Topology => "Topology",
    }
}
