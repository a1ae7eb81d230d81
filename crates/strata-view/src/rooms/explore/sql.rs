//! The reader's own question over records, in SQL.

use strata_model::record::{RECORD_TABLES, RecordTable, SQL_DAYS_MAX, SqlAnswer, SqlValue};

use crate::page::Notice;
use crate::page::block::{Block, Explore, Section};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::request::{Language, PageRequest};
use crate::rooms::pieces::section;
use crate::words;

/// Questions worth trying: (title, SQL).
const EXAMPLES: [(&str, &str); 6] = [
    (
        "Slowest requests",
        "SELECT datetime(start_us / 1000000, 'unixepoch') AS began, model, team, duration_us, \
         ttft_us, output_text, outcome FROM request ORDER BY duration_us DESC LIMIT 20",
    ),
    (
        "Requests and tokens by team",
        "SELECT team, model, count(*) AS requests, sum(fresh_input) AS fresh_input, \
         sum(cache_read) AS cache_read, sum(output_text) AS output_text FROM request \
         GROUP BY team, model ORDER BY requests DESC",
    ),
    (
        "How requests ended",
        "SELECT outcome, error_code, count(*) AS requests FROM request \
         GROUP BY outcome, error_code ORDER BY requests DESC",
    ),
    (
        "Where time goes, by replica",
        "SELECT replica, count(*) AS requests, avg(queue_us) AS queue_us, avg(prefill_us) AS \
         prefill_us, avg(decode_us) AS decode_us FROM request GROUP BY replica",
    ),
    (
        "Feedback by model",
        "SELECT model, name, count(*) AS judgements, avg(value) AS mean FROM feedback \
         GROUP BY model, name",
    ),
    (
        "Requests by hour",
        "SELECT datetime(hour * 3600, 'unixepoch') AS hour, sum(requests) AS requests FROM rollup \
         WHERE hour >= 0 GROUP BY 1 ORDER BY 1",
    ),
];

/// Rows of an answer on a page: what a browser scrolls without effort. Programs get more.
const ROWS_MAX: usize = 1_000;
/// Characters of a cell: a sentence. Attributes of a span can be as long as a letter.
const CELL_CHARS_MAX: usize = 300;
/// Bytes of all cells of an answer on a page, the size of the largest other pages.
const BYTES_MAX: usize = 2 << 20;
/// What a cell weighs in JSON besides its text.
const CELL_BYTES: usize = 32;

/// The way to records, as the page tells of it.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordDoor {
    /// This server has none: why, and what to do about it.
    Shut { why: String, hint: String },
    /// How long a question may take and how many rows it may give, and the answer to this one.
    Open { seconds: u64, rows_max: usize, answer: Option<Result<SqlAnswer, String>> },
}

impl Default for RecordDoor {
    fn default() -> Self {
        let why = "nothing here keeps records of single requests".to_owned();
        Self::Shut { why, hint: "ask a strata run".to_owned() }
    }
}

pub(super) fn sections(request: &PageRequest, door: &RecordDoor) -> Vec<Section> {
    let mut blocks = Vec::new();
    let mut notices = Vec::new();
    let mut bounds = String::new();
    match door {
        RecordDoor::Shut { why, hint } => notices.push(Notice {
            status: Status::Blind,
            text: format!("no records: {why}; {hint}"),
            command: None,
            link: None,
        }),
        RecordDoor::Open { seconds, rows_max, answer } => {
            bounds = format!(
                "Reads only, for at most {}, the days that overlap the range ({SQL_DAYS_MAX} at \
                 most); shows at most {ROWS_MAX} rows of {rows_max} that programs get, and \
                 {CELL_CHARS_MAX} characters of a cell. Asked once, not live.",
                words::length(*seconds)
            );
            match answer {
                Some(Err(message)) => notices.push(Notice {
                    status: Status::Broken,
                    text: message.clone(),
                    command: None,
                    link: None,
                }),
                Some(Ok(answer)) => blocks.push(Block::Table(table(answer))),
                None => {}
            }
        }
    }
    let explore = Explore {
        lang: Language::Sql,
        lang_choices: super::choices(Language::Sql),
        query: request.query.clone().unwrap_or_default(),
        bounds,
        examples: EXAMPLES.map(|(title, text)| (title.to_owned(), text.to_owned())).to_vec(),
        names: names(),
        notices,
    };
    blocks.insert(0, Block::Explore(explore));
    let brief = "One SELECT in SQLite's SQL over single requests, spans and feedback.";
    vec![
        section("explore", "", brief, blocks),
        section("tables", "Tables", "Times are microseconds since 1970, UTC.", vec![schema()]),
    ]
}

/// Tables first: they are typed before their columns.
fn names() -> Vec<(String, String)> {
    let table = |table: &RecordTable| (table.name.to_owned(), format!("table: {}", table.brief));
    let columns = RECORD_TABLES.iter().flat_map(|table| {
        let column =
            |name: &str, brief: &str| (name.to_owned(), format!("{}: {brief}", table.name));
        table.columns.iter().map(move |one| column(one.name, one.brief))
    });
    RECORD_TABLES.iter().map(table).chain(columns).collect()
}

/// What there is to ask for.
fn schema() -> Block {
    let text = |text: &str| Cell::Text { text: text.to_owned() };
    let rows = RECORD_TABLES.iter().flat_map(|table| {
        let row = move |name: &str, brief: &str| Row {
            cells: vec![text(table.name), text(name), text(brief)],
            link: None,
        };
        let all = std::iter::once(row("", table.brief));
        all.chain(table.columns.iter().map(move |column| row(column.name, column.brief)))
    });
    let column = |title: &str, rank| Column { title: title.to_owned(), numeric: false, rank };
    Block::Table(Table {
        title: String::new(),
        columns: vec![column("table", 0), column("column", 0), column("meaning", 1)],
        rows: rows.collect(),
        total_rows: None,
        empty: String::new(),
    })
}

fn table(answer: &SqlAnswer) -> Table {
    let mut rows = Vec::new();
    let mut bytes = 0;
    for row in answer.rows.iter().take(ROWS_MAX) {
        let cells: Vec<String> = row.iter().map(written).collect();
        bytes += cells.iter().map(|text| text.len() + CELL_BYTES).sum::<usize>();
        if bytes > BYTES_MAX {
            break;
        }
        let cells = cells.into_iter().map(|text| Cell::Text { text }).collect();
        rows.push(Row { cells, link: None });
    }
    let columns = answer.columns.iter().enumerate().map(|(at, title)| Column {
        title: title.clone(),
        numeric: is_numeric(answer, at),
        rank: u8::try_from(at).unwrap_or(u8::MAX),
    });
    let total = answer.rows.len();
    let more = if answer.cut { " or more" } else { "" };
    Table {
        title: match total {
            1 => "1 row".to_owned(),
            total => format!("{total}{more} rows"),
        },
        columns: columns.collect(),
        total_rows: (total > rows.len()).then_some(total),
        rows,
        empty: "no row meets the conditions in these days".to_owned(),
    }
}

/// Whether all that is known in a column is numbers.
fn is_numeric(answer: &SqlAnswer, at: usize) -> bool {
    let mut known = answer.rows.iter().filter_map(|row| row.get(at));
    let is_text = |value: &SqlValue| matches!(value, SqlValue::Text(_));
    let is_number = |value: &SqlValue| matches!(value, SqlValue::Integer(_) | SqlValue::Real(_));
    known.clone().any(is_number) && !known.any(is_text)
}

/// A value as text of one line.
fn written(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => "NULL".to_owned(),
        SqlValue::Integer(number) => number.to_string(),
        SqlValue::Real(number) => number.to_string(),
        SqlValue::Text(text) => {
            let mut characters = text.chars();
            let line = characters.by_ref().take(CELL_CHARS_MAX);
            let mut line: String = line.map(|c| if c.is_control() { ' ' } else { c }).collect();
            if characters.next().is_some() {
                line.push_str("...");
            }
            line
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::PageId;

    fn asked(door: &RecordDoor) -> (Explore, Option<Table>) {
        let mut request = PageRequest::new(PageId::Explore);
        request.lang = Language::Sql;
        request.query = Some("SELECT 1".to_owned());
        let blocks = sections(&request, door).swap_remove(0).blocks;
        let mut blocks = blocks.into_iter();
        let Some(Block::Explore(explore)) = blocks.next() else { panic!("no box") };
        let table = blocks.next().map(|block| match block {
            Block::Table(table) => table,
            other => panic!("{other:?}"),
        });
        (explore, table)
    }

    fn open(answer: Result<SqlAnswer, String>) -> RecordDoor {
        RecordDoor::Open { seconds: 10, rows_max: 10_000, answer: Some(answer) }
    }

    #[test]
    fn an_answer_is_a_table_within_its_bounds() {
        let long = "x".repeat(2 * CELL_CHARS_MAX);
        let row = |n| vec![SqlValue::Integer(n), SqlValue::Null, SqlValue::Text(long.clone())];
        let answer = SqlAnswer {
            columns: ["n", "nothing", "text"].map(str::to_owned).to_vec(),
            rows: (0..3_000).map(row).collect(),
            cut: true,
        };
        let (explore, table) = asked(&open(Ok(answer)));
        let table = table.unwrap();
        assert_eq!((table.rows.len(), table.total_rows), (ROWS_MAX, Some(3_000)));
        assert_eq!(table.title, "3000 or more rows");
        let numeric: Vec<bool> = table.columns.iter().map(|column| column.numeric).collect();
        assert_eq!(numeric, [true, false, false]);
        let text = |at: usize| match &table.rows[7].cells[at] {
            Cell::Text { text } => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((text(0).as_str(), text(1).as_str()), ("7", "NULL"));
        assert_eq!(text(2).len(), CELL_CHARS_MAX + 3);
        for part in ["10 s", "10 at most", "1000 rows", "10000", "300 characters"] {
            assert!(explore.bounds.contains(part), "{part} in {}", explore.bounds);
        }
    }

    #[test]
    fn a_wide_answer_is_cut_by_its_bytes() {
        let row = vec![SqlValue::Text("y".repeat(CELL_CHARS_MAX)); 100];
        let answer = SqlAnswer {
            columns: (0..100).map(|n| n.to_string()).collect(),
            rows: vec![row; 500],
            cut: false,
        };
        let table = asked(&open(Ok(answer))).1.unwrap();
        assert!(table.rows.len() < 70, "{}", table.rows.len());
        assert_eq!(table.total_rows, Some(500));
    }

    #[test]
    fn what_went_wrong_is_told_beside_the_box() {
        let (explore, table) = asked(&open(Err("no such column: tem".to_owned())));
        assert_eq!(table, None);
        assert_eq!(explore.notices[0].text, "no such column: tem");
        assert_eq!(explore.query, "SELECT 1");
        let why = "strata serve asks an engine".to_owned();
        let (explore, _) = asked(&RecordDoor::Shut { why, hint: "ask strata run".to_owned() });
        assert_eq!(explore.notices[0].status, Status::Blind);
        assert!(explore.notices[0].text.contains("strata serve asks an engine; ask strata run"));
    }

    #[test]
    fn control_characters_do_not_reach_a_page() {
        let text = SqlValue::Text("a\nb\u{1b}[31mc".to_owned());
        assert_eq!(written(&text), "a b [31mc");
    }
}
