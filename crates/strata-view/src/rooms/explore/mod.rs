//! Questions of the reader's own: PromQL over metrics, SQL over records.

mod sql;

use strata_model::catalog::Catalog;
use strata_world::{CoverageState, World};

pub use sql::RecordDoor;

use super::pieces::section;
use super::{Context, Explored};
use crate::page::Notice;
use crate::page::block::{Block, Explore, Section};
use crate::page::chart::{Chart, Line};
use crate::page::heatmap::Choice;
use crate::page::number::Explanation;
use crate::page::status::Status;
use crate::request::{Language, PageRequest};
use crate::words;

/// Queries worth trying: (title, PromQL).
const EXAMPLES: [(&str, &str); 6] = [
    ("Tokens per second by model", "sum by (model) (rate(inference_generation_tokens_total[5m]))"),
    ("KV cache pinned by replica", "max by (instance) (inference_kv_cache_utilization_ratio)"),
    ("GPU utilization by node", "avg by (node) (hw_gpu_utilization_ratio)"),
    ("GPU power", "sum(hw_power_watts)"),
    ("CPU by mode", "sum by (mode) (rate(system_cpu_time_seconds_total[5m]))"),
    ("What is scraped", "up"),
];

pub(super) fn sections(request: &PageRequest, world: &World, context: &Context) -> Vec<Section> {
    match request.lang {
        Language::Promql => promql(request, world, context),
        Language::Sql => sql::sections(request, &context.records),
    }
}

/// The switch between languages.
fn choices(current: Language) -> Vec<Choice> {
    let choice = |lang: Language| Choice {
        id: lang.name().to_owned(),
        title: lang.title().to_owned(),
        current: lang == current,
    };
    Language::ALL.map(choice).to_vec()
}

fn promql(request: &PageRequest, world: &World, context: &Context) -> Vec<Section> {
    let query = request.query.clone().unwrap_or_default();
    let mut notices = Vec::new();
    let mut blocks = Vec::new();
    match &context.explored {
        Some(Err(message)) => notices.push(Notice {
            status: Status::Broken,
            text: message.clone(),
            command: None,
            link: None,
        }),
        Some(Ok(explored)) => blocks.push(Block::Chart(chart(&query, explored))),
        None => {}
    }
    // Names of what is there first; completion offers what can be answered.
    let present = world.coverage.metrics.iter().filter(|one| one.state == CoverageState::Ok);
    let catalog = Catalog::builtin();
    let metrics = present.filter_map(|one| {
        let def = catalog.metric(one.metric)?;
        Some((def.prometheus.clone(), def.brief.clone()))
    });
    let explore = Explore {
        lang: Language::Promql,
        lang_choices: choices(Language::Promql),
        query,
        bounds: String::new(),
        examples: EXAMPLES.map(|(title, text)| (title.to_owned(), text.to_owned())).to_vec(),
        names: metrics.collect(),
        notices,
    };
    blocks.insert(0, Block::Explore(explore));
    let brief = "Canonical names work for every source; names as scraped work too.";
    vec![section("explore", "", brief, blocks)]
}

fn chart(query: &str, explored: &Explored) -> Chart {
    let lines = explored.lines.iter().map(|(name, values)| Line {
        name: name.clone(),
        values: values.clone(),
        faint: false,
    });
    let known = explored.lines.iter().flat_map(|(_, values)| values).copied().flatten();
    let shown = explored.lines.len();
    Chart {
        title: match explored.total {
            total if total > shown => format!("{shown} of {total} series"),
            total => format!("{total} series"),
        },
        axis: explored.axis,
        scale: words::shared("", known),
        lines: lines.collect(),
        marks: Vec::new(),
        min: None,
        max: None,
        stacked: false,
        missing: (shown == 0).then(|| "no series matches in this range".to_owned()),
        link: None,
        explain: Explanation {
            definition: "The reader's own query.".to_owned(),
            formula: query.to_owned(),
            query: Some(query.to_owned()),
            ..Explanation::default()
        },
    }
}
