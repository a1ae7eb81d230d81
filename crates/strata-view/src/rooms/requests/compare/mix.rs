//! Whether both models got the same kind of requests.

use strata_diagnose::compare::{Comparison, MixLine};

use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::words;

pub(super) fn mix(found: &Comparison) -> Table {
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
    let judged = |apart: Option<bool>| {
        let (status, text) = match apart {
            Some(true) => (Status::Watch, "not alike"),
            Some(false) => (Status::Ok, ""),
            None => (Status::Blind, "not known"),
        };
        Cell::Status { status, text: text.to_owned() }
    };
    let mut rows: Vec<Row> = Vec::new();
    for line in &found.mix.lines {
        let cells = vec![
            Cell::Text { text: line.name.to_owned() },
            number(line, line.a),
            number(line, line.b),
            judged(line.apart),
        ];
        rows.push(Row { cells, link: None });
    }
    let apps = match found.mix.apps_apart {
        None => {
            let of = if found.mix.apps_one_sided { "of one of the two " } else { "" };
            let text = format!("no request {of}says which app asked");
            Cell::Status { status: Status::Blind, text }
        }
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
