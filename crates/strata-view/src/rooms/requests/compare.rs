//! Two models side by side, with a verdict for each measure and an answer to "can we move?".

use strata_diagnose::compare::interval::Interval;
use strata_diagnose::compare::{
    Better, Compared, Comparison, Measure, Measured, MixLine, Move, Verdict,
};

use super::told::{ModelLine, RequestsTold, Told};
use crate::page::block::{Block, Card, Section};
use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::{PageRequest, View};
use crate::rooms::pieces::section;
use crate::words;

/// Models to choose from at most.
const MODELS_MAX: usize = 100;

pub(super) fn sections(request: &PageRequest, told: &RequestsTold) -> Vec<Section> {
    let mut sections = Vec::new();
    sections.extend(told.nothing());
    if let Told::Compared { comparison, currency } = &told.what {
        sections.extend(compared(comparison, currency));
    }
    if !matches!(told.what, Told::Shut { .. }) {
        sections.push(choose(request, &told.models));
    }
    sections
}

fn compared(found: &Comparison, currency: &str) -> [Section; 3] {
    let brief = format!(
        "Intervals hold the truth in 95 of 100 such samples, each for itself. What is not minded: {} \
         of a share, {} of anything else.",
        points(found.margins.share),
        words::text(Some(found.margins.relative), "1"),
    );
    let mut mix = vec![Block::Table(mix(found))];
    mix.extend(found.notes.iter().map(|note| Block::Text { text: format!("{note}.") }));
    [
        section("answer", "", "", vec![Block::Card(answer(found))]),
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
            mix,
        ),
    ]
}

fn answer(found: &Comparison) -> Card {
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
                "After so many, if shares stay as they are, the interval of the difference \
                         leaves out zero or a loss of the margin, whichever is sooner."
                    .to_owned(),
            formula: "2 p (1 - p) (1.96 / reach)^2: p the mean of both shares, reach the loss or \
                      what it lacks to the margin"
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
        commands: vec![format!("strata compare --a {} --b {}", quoted(&found.a), quoted(&found.b))],
        link: None,
    }
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', "'\\''"))
}

fn measures(found: &Comparison, currency: &str) -> Table {
    let rows = found.measures.iter().map(|one| Row {
        cells: vec![
            Cell::Text { text: one.measure.name() },
            measured(one, &found.a, one.a, currency),
            measured(one, &found.b, one.b, currency),
            difference(one, currency),
            Cell::Status { status: status(one.verdict), text: verdict(one) },
        ],
        link: None,
    });
    let b = &found.b;
    let columns = ["measure", &found.a, &found.b, "difference", "the second is"];
    let column = |(at, title): (usize, &&str)| Column {
        title: (*title).to_owned(),
        numeric: (1..4).contains(&at),
        rank: u8::from(at == 3),
    };
    Table {
        title: format!("{b} against {}", found.a),
        columns: columns.iter().enumerate().map(column).collect(),
        rows: rows.collect(),
        total_rows: None,
        empty: "nothing can be compared".to_owned(),
    }
}

fn status(verdict: Verdict) -> Status {
    match verdict {
        Verdict::Better | Verdict::NoDifference => Status::Ok,
        Verdict::Worse => Status::Watch,
        Verdict::TooFew => Status::Blind,
    }
}

fn verdict(one: &Compared) -> String {
    match one.why.as_str() {
        "" => one.verdict.words().to_owned(),
        why => format!("{}: {why}", one.verdict.words()),
    }
}

fn unit_of(measure: &Measure, currency: &str) -> String {
    measure.unit().replace("{currency}", currency)
}

fn measured(one: &Compared, model: &str, side: Measured, currency: &str) -> Cell {
    let unit = unit_of(&one.measure, currency);
    let value = side.value.map(|value| value.estimate);
    let of = match one.measure {
        Measure::Cost => String::new(),
        _ => format!("of {}", words::text(Some(side.count as f64), "{observation}")),
    };
    let note = match side.value {
        Some(found) if found.low < found.high => format!("{}; {of}", between(found, &unit)),
        _ => of,
    };
    Cell::Number(Box::new(Number {
        label: format!("{}, {model}", one.measure.name()),
        text: words::text(value, &unit),
        value,
        unit,
        note: Some(note).filter(|note| !note.is_empty()),
        status: None,
        link: None,
        explain: explanation(&one.measure, value.is_none().then(|| one.why.clone())),
    }))
}

fn difference(one: &Compared, currency: &str) -> Cell {
    let unit = unit_of(&one.measure, currency);
    let value = one.difference.map(|found| found.estimate);
    let note = one.difference.filter(|found| found.low < found.high);
    Cell::Number(Box::new(Number {
        label: format!("{}, difference", one.measure.name()),
        text: value.map_or_else(|| words::UNKNOWN.to_owned(), |value| signed(value, &unit)),
        value,
        unit: unit.clone(),
        note: note
            .map(|found| format!("{} to {}", signed(found.low, &unit), signed(found.high, &unit))),
        status: None,
        link: None,
        explain: explanation(&one.measure, value.is_none().then(|| one.why.clone())),
    }))
}

fn explanation(measure: &Measure, unknown: Option<String>) -> Explanation {
    let better = match measure.better() {
        Better::More => "More is better.",
        Better::Less => "Less is better.",
    };
    Explanation {
        definition: format!("{} {better}", measure.definition()),
        formula: measure.method().to_owned(),
        unknown: unknown.map(
            |why| {
                if why.is_empty() { "nothing was observed".to_owned() } else { why }
            },
        ),
        ..Explanation::default()
    }
}

fn between(found: Interval, unit: &str) -> String {
    format!("{} to {}", words::text(Some(found.low), unit), words::text(Some(found.high), unit))
}

/// A difference with its sign; of shares in points, as a difference of percentages is none.
fn signed(value: f64, unit: &str) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    let text = if unit == "1" { points(value) } else { words::text(Some(value), unit) };
    format!("{sign}{text}")
}

fn points(share: f64) -> String {
    format!("{:.1} points", share * 100.0)
}

fn mix(found: &Comparison) -> Table {
    let number = |line: &MixLine, value: Option<f64>| {
        Cell::Number(Box::new(Number {
            label: line.name.to_owned(),
            text: words::text(value, line.unit),
            value,
            unit: line.unit.to_owned(),
            note: None,
            status: None,
            link: None,
            explain: Explanation {
                definition: "Median over the requests of which it is known.".to_owned(),
                formula: "the middle of the values in rising order".to_owned(),
                unknown: value.is_none().then(|| "no request told its tokens".to_owned()),
                ..Explanation::default()
            },
        }))
    };
    let judged = |apart: bool| {
        let (status, text) = if apart { (Status::Watch, "not alike") } else { (Status::Ok, "") };
        Cell::Status { status, text: text.to_owned() }
    };
    let mut rows: Vec<Row> = Vec::new();
    for line in &found.mix.lines {
        let known = line.a.is_some() && line.b.is_some();
        let last = if known {
            judged(line.apart)
        } else {
            Cell::Status { status: Status::Blind, text: "not known".to_owned() }
        };
        let cells = vec![
            Cell::Text { text: line.name.to_owned() },
            number(line, line.a),
            number(line, line.b),
            last,
        ];
        rows.push(Row { cells, link: None });
    }
    let apps = match found.mix.apps_apart {
        None => Cell::Status {
            status: Status::Blind,
            text: "no request says which app asked".to_owned(),
        },
        Some(distance) => Cell::Status {
            status: if found.mix.has_other_apps() { Status::Watch } else { Status::Ok },
            text: format!(
                "{} of the requests come from other apps",
                words::text(Some(distance), "1")
            ),
        },
    };
    let text = |text: &str| Cell::Text { text: text.to_owned() };
    rows.push(Row { cells: vec![text("apps that ask"), text(""), text(""), apps], link: None });
    let columns = [("", false), (&*found.a, true), (&*found.b, true), ("", false)];
    let column = |(title, numeric): &(&str, bool)| Column {
        title: (*title).to_owned(),
        numeric: *numeric,
        rank: 0,
    };
    Table {
        title: String::new(),
        columns: columns.iter().map(column).collect(),
        rows,
        total_rows: None,
        empty: String::new(),
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
