//! The pages: what each wants of the World, and what it makes of it.
//!
//! A page is a pair of pure functions, [`ask`] and [`page`]. What they share, from a signal to a
//! number with its explanation, is in `pieces`.

mod books;
mod communication;
mod cost;
mod doctor;
mod engines;
mod explore;
mod frame;
mod gpu;
mod gpus;
mod ground;
mod hosts;
mod overview;
mod pieces;
mod queue;
mod ranks;
mod requests;
mod scheduling;
mod suggest;
mod topology;
mod training;
mod who;

pub use books::{Books, BudgetLine, CallBooks, CallModel, Comparison, StatementRow};
pub use explore::RecordDoor;
pub use requests::{LENGTHS_BY, LengthsTold, ModelLine, Place, RequestsTold, Slowest, Story, Told};
use strata_diagnose::verdict_wants;
use strata_model::Layer;
use strata_world::capacity::Targets;
use strata_world::{Ask, EntityId, Grain, Scope, Want, Window, World};

use crate::page::Page;
use crate::page::block::Section;
use crate::page::chart::TimeAxis;
use crate::request::{PageId, PageRequest, Span};
use crate::source::{PageError, PageErrorCode};

pub use queue::waiting_reason;
pub use suggest::Directory;

/// Points of a chart at most: two to a column of a wide terminal, one to six pixels of a screen.
const POINTS: i64 = 120;

/// Steps that a chart may have, in milliseconds: none below the usual interval of collection.
const STEPS_MS: [i64; 12] = [
    15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 10_800_000,
    21_600_000, 86_400_000,
];

/// Moments are rounded down to this: less than the usual interval of collection.
const ALIGN_MS: i64 = 5000;

/// What a page needs beside the World.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// True under `strata demo`.
    pub simulated: bool,
    /// The answer to the reader's own PromQL on the Explore page, or why there is none.
    pub explored: Option<Result<Explored, String>>,
    /// Records, on the Explore page when it is asked in SQL.
    pub records: RecordDoor,
    /// What records tell, on the sides of the page of requests that are about them.
    pub requests: RequestsTold,
    /// The ledger, on the cost page, where one is kept.
    pub books: Option<Books>,
}

/// A range answer of PromQL, on an axis of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Explored {
    pub axis: TimeAxis,
    /// (series in Prometheus notation, one value per point).
    pub lines: Vec<(String, Vec<Option<f64>>)>,
    /// Series there are when not all are given.
    pub total: usize,
}

/// The window a request stands for at a moment.
pub fn window(span: Span, now_ms: i64) -> Window {
    let (start_ms, end_ms) = match span {
        Span::Live { seconds } => (now_ms - i64::from(seconds) * 1000, now_ms),
        Span::Fixed { start_ms, end_ms } => (start_ms, end_ms),
    };
    let wanted = (end_ms - start_ms) / POINTS;
    let step_ms = STEPS_MS.into_iter().find(|step| *step >= wanted).unwrap_or(86_400_000);
    // Readers within the same seconds share their queries.
    let moment_ms = end_ms / ALIGN_MS * ALIGN_MS;
    let length_ms = (end_ms - start_ms) / step_ms * step_ms;
    let end_ms = moment_ms / step_ms * step_ms;
    let start_ms = end_ms - length_ms;
    Window { start_ms, end_ms, step_ms, moment_ms, now_ms: now_ms.max(moment_ms) }
}

/// What a page wants, of engines that may be used to the usual [`Targets`].
///
/// # Errors
/// When the entity does not parse, or a parameter is no choice of the page.
pub fn ask(request: &PageRequest, now_ms: i64) -> Result<Ask, PageError> {
    let scope = match &request.entity {
        // What stands in records need not be in metrics.
        _ if request.is_about_records() => Scope::Fleet,
        None => Scope::Fleet,
        Some(text) => Scope::Entity(entity_of(text)?),
    };
    match request.page {
        PageId::Gpus => gpus::check(request)?,
        PageId::Cost => books::check(request)?,
        _ => {}
    }
    let mut wants = frame::wants();
    let whole = scope == Scope::Fleet;
    wants.extend(match request.page {
        PageId::Overview => overview::wants(),
        PageId::Gpus => gpus::wants(request, whole),
        PageId::Communication => communication::wants(),
        PageId::Hosts => hosts::wants(whole),
        PageId::Scheduling => scheduling::wants(),
        PageId::Training => training::wants(),
        PageId::Engines => engines::wants(whole),
        PageId::Requests => requests::wants(request),
        PageId::Cost => cost::wants(),
        PageId::Topology => topology::wants(whole),
        PageId::Doctor | PageId::Explore => Vec::new(),
    });
    if matches!(request.page, PageId::Overview) {
        wants.extend(verdict_wants());
    }
    // What one thing is called and joined with is a small question.
    let of_fleet = scope == Scope::Fleet;
    let bare = matches!(request.page, PageId::Overview | PageId::Doctor | PageId::Explore);
    let entities = !(request.is_about_records() || bare && of_fleet);
    let who = matches!(request.page, PageId::Gpus | PageId::Scheduling);
    let wires = request.page == PageId::Topology;
    let (window, targets) = (window(request.span, now_ms), Targets::default());
    Ok(Ask { window, scope, wants, entities, who, wires, coverage: true, targets })
}

/// A page of a World that was assembled for its [`ask`].
///
/// # Errors
/// When the entity asked for is not there.
pub fn page(request: &PageRequest, world: &World, context: &Context) -> Result<Page, PageError> {
    if let Scope::Entity(id) = &world.scope
        && world.entity(id).is_none()
        && world.signals.iter().all(|signal| signal.now.known().is_none())
    {
        return Err(PageError {
            code: PageErrorCode::NotFound,
            message: format!("{} {:?} is not seen in this range", id.kind.name(), id.key.as_ref()),
            hint: "search for it with Ctrl-K (or / in the terminal), or choose a range in which \
                   it was there"
                .to_owned(),
        });
    }
    let sections: Vec<Section> = match request.page {
        PageId::Overview => overview::sections(world),
        PageId::Gpus => gpus::sections(request, world),
        PageId::Communication => communication::sections(world),
        PageId::Hosts => hosts::sections(world),
        PageId::Scheduling => scheduling::sections(world),
        PageId::Training => training::sections(world),
        PageId::Engines => engines::sections(world),
        PageId::Requests => requests::sections(request, world, &context.requests),
        PageId::Cost => cost::sections(request, world, context),
        PageId::Doctor => doctor::sections(world),
        PageId::Explore => explore::sections(request, world, context),
        PageId::Topology => topology::sections(world),
    };
    Ok(frame::page(request, world, context, sections))
}

fn entity_of(text: &str) -> Result<EntityId, PageError> {
    EntityId::parse(text).ok_or_else(|| PageError {
        code: PageErrorCode::BadRequest,
        message: format!("{text:?} names no thing"),
        hint: "a thing is named kind:key, for example gpu:GPU-5f3a or node:host-1".to_owned(),
    })
}

/// Wishes for the whole with tracks.
fn tracks(signals: &[&'static str]) -> Vec<Want> {
    let want = |signal: &&'static str| Want { signal, grain: Grain::Whole, track: true };
    signals.iter().map(want).collect()
}

/// Wishes for each thing, now.
fn each(signals: &[&'static str]) -> Vec<Want> {
    let want = |signal: &&'static str| Want { signal, grain: Grain::Each, track: false };
    signals.iter().map(want).collect()
}

/// Wishes for each thing with tracks.
fn each_tracks(signals: &[&'static str]) -> Vec<Want> {
    let want = |signal: &&'static str| Want { signal, grain: Grain::Each, track: true };
    signals.iter().map(want).collect()
}

/// `L6`
fn code(layer: Layer) -> &'static str {
    match layer {
        Layer::L1Gpu => "L1",
        Layer::L2Cuda => "L2",
        Layer::L3Host => "L3",
        Layer::L4Sched => "L4",
        Layer::L5Training => "L5",
        Layer::L6Inference => "L6",
        Layer::L7Genai => "L7",
        Layer::L8Cost => "L8",
    }
}

/// Name of a layer and the question it answers.
fn words(layer: Layer) -> (&'static str, &'static str) {
    match layer {
        Layer::L1Gpu => ("GPU hardware", "Healthy and useful?"),
        Layer::L2Cuda => ("CUDA and NCCL", "Computing, or waiting?"),
        Layer::L3Host => ("Host", "Is the host the bottleneck?"),
        Layer::L4Sched => ("Scheduling", "Who owns the GPU?"),
        Layer::L5Training => ("Training", "How much becomes progress?"),
        Layer::L6Inference => ("Inference engine", "How much capacity is left?"),
        Layer::L7Genai => ("GenAI API", "What do users get?"),
        Layer::L8Cost => ("Cost", "Is the GPU creating value?"),
    }
}

/// The page of a layer.
fn page_of(layer: Layer) -> PageId {
    match layer {
        Layer::L1Gpu => PageId::Gpus,
        Layer::L2Cuda => PageId::Communication,
        Layer::L3Host => PageId::Hosts,
        Layer::L4Sched => PageId::Scheduling,
        Layer::L5Training => PageId::Training,
        Layer::L6Inference => PageId::Engines,
        Layer::L7Genai => PageId::Requests,
        Layer::L8Cost => PageId::Cost,
    }
}
