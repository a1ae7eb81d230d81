//! Two models side by side, with a verdict for each measure and an answer to "can we move?".

mod command;
mod measures;
mod mix;

use strata_diagnose::compare::{Comparison, Move};

use measures::{measures, points};
use mix::mix;

use super::told::{ModelLine, RequestsTold, Told};
use crate::page::block::{Block, Card, Section};
use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::{PageRequest, Span, View};
use crate::rooms::pieces::section;
use crate::words;

/// Models to choose from at most.
const MODELS_MAX: usize = 100;

pub(super) fn sections(request: &PageRequest, told: &RequestsTold) -> Vec<Section> {
    let mut sections = Vec::new();
    sections.extend(told.nothing());
    if let Told::Compared { comparison, currency } = &told.what {
        sections.extend(compared(request, comparison, currency));
    }
    if !matches!(told.what, Told::Shut { .. }) {
        sections.push(choose(request, &told.models));
    }
    sections
}

fn compared(request: &PageRequest, found: &Comparison, currency: &str) -> [Section; 3] {
    let brief = format!(
        "Intervals hold the truth in 95 of 100 such samples, each for itself. What is not minded: {} \
         of a share, {} of anything else.",
        points(found.margins.share),
        words::text(Some(found.margins.relative), "1"),
    );
    let mut alike = vec![Block::Table(mix(found))];
    alike.extend(found.notes.iter().map(|note| Block::Text { text: format!("{note}.") }));
    [
        section("answer", "", "", vec![Block::Card(answer(found, request.span))]),
        section(
            "measures",
            "Measure by measure",
            &brief,
            vec![Block::Table(measures(found, currency))],
        ),
        section(
            "mix",
            "Like with like?",
            "A model that gets the hard requests looks worse than it is.",
            alike,
        ),
    ]
}

fn answer(found: &Comparison, span: Span) -> Card {
    let (status, word) = match found.answer.can {
        Move::Yes => (Status::Ok, "yes"),
        Move::AtAPrice => (Status::Watch, "yes, at a price"),
        Move::No => (Status::Broken, "no"),
        Move::NotYet => (Status::Blind, "nobody can say yet"),
    };
    let needed = found.answer.judgements_needed.map(|count| Number {
        label: "judgements needed, of each model".to_owned(),
        text: words::text(Some(count as f64), "{judgement}"),
        value: Some(count as f64),
        unit: "{judgement}".to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition:
                "An estimate: after so many, if shares stay as they are, the interval of the \
                 difference lies wholly within a loss of the margin, or wholly beyond it."
                    .to_owned(),
            formula:
                "the least n for which Newcombe's interval (method 10) of today's shares of n \
                      judgements each does"
                    .to_owned(),
            ..Explanation::default()
        },
    });
    let steps = found.answer.reasons.iter().map(|reason| (String::new(), reason.clone()));
    Card {
        status,
        title: format!("Can we move from {} to {}? {word}", found.a, found.b),
        text: "By what users got in this range; nothing is said of requests that were not asked."
            .to_owned(),
        steps: steps.collect(),
        numbers: needed.into_iter().collect(),
        commands: vec![command::compare(&found.a, &found.b, span)],
        link: None,
    }
}

/// The models there are, each a link: the first click chooses the first, the second the other.
fn choose(request: &PageRequest, models: &[ModelLine]) -> Section {
    let first = request.entity.as_deref().filter(|_| request.against.is_none());
    let row = |line: &ModelLine| {
        let id = format!("model:{}", line.model);
        let params = match first {
            Some(first) => vec![("entity", first), ("against", &*id)],
            None => vec![("entity", &*id)],
        };
        let requests = words::text(Some(line.requests as f64), "{request}");
        Row {
            cells: [line.model.clone(), requests].map(|text| Cell::Text { text }).to_vec(),
            link: Some(super::link(View::Compare, &params)),
        }
    };
    let offered = models.iter().filter(|line| first != Some(&format!("model:{}", line.model)));
    let brief = match first {
        Some(first) => {
            let name = first.strip_prefix("model:").unwrap_or(first);
            format!("Choose what {name} is compared with.")
        }
        None => "Choose the model that is there now, then the one to move to.".to_owned(),
    };
    let column = |title: &str, numeric| Column { title: title.to_owned(), numeric, rank: 0 };
    let table = Table {
        title: String::new(),
        columns: vec![column("model", false), column("requests", true)],
        rows: offered.take(MODELS_MAX).map(row).collect(),
        total_rows: (models.len() > MODELS_MAX).then_some(models.len()),
        empty: "no request of this range names a model".to_owned(),
    };
    section("models", "Models", &brief, vec![Block::Table(table)])
}
