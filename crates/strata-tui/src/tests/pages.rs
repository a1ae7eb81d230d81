//! A page of every block, and what it looks like.

use strata_view::page::block::{Card, Chip, Chips, Explore};
use strata_view::page::chart::{
    Anatomy, Bar, Chart, Distribution, Line, Mark, Scale, Strip, TimeAxis,
};
use strata_view::page::graph::{Graph, OutlineLine};
use strata_view::page::heatmap::{CellGroup, Choice, Heatmap};
use strata_view::page::strata::Stratum;
use strata_view::page::table::{Cell, Column, Row, Table};
use strata_view::{
    Block, Explanation, Input, Language, Link, Notice, Number, Page, Section, Status, Tab,
};

use super::{drawn, request, screen};
use crate::look::Look;

const FANCY: Look = Look { unicode: true, color: true, open: false };

fn link(page: &str) -> Link {
    Link { page: page.to_owned(), params: Vec::new() }
}

pub(super) fn number(label: &str, text: &str, value: Option<f64>) -> Number {
    Number {
        label: label.to_owned(),
        text: text.to_owned(),
        value,
        unit: "1".to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition: "Blocks held by running requests over all blocks.".to_owned(),
            formula: "pinned / capacity".to_owned(),
            query: Some("max(inference_kv_cache_utilization_ratio)".to_owned()),
            inputs: vec![Input {
                metric: "inference_kv_cache_utilization_ratio".to_owned(),
                sources: vec!["vLLM (vllm:kv_cache_usage_perc)".to_owned()],
                quality: Some("exact".to_owned()),
            }],
            age_seconds: Some(3.2),
            quality: Some("exact".to_owned()),
            unknown: value.is_none().then(|| "no engine reports it".to_owned()),
        },
    }
}

fn percent() -> Scale {
    Scale { unit: "1".to_owned(), divisor: 0.01, symbol: "%".to_owned(), digits: 0 }
}

fn axis() -> TimeAxis {
    TimeAxis { start_ms: 1_700_000_000_000, step_ms: 60_000, count: 60 }
}

/// Rising, with a gap of ten minutes.
fn values() -> Vec<Option<f64>> {
    (0..60).map(|i| (!(20..30).contains(&i)).then_some(f64::from(i) / 60.0)).collect()
}

fn stratum(code: &str, title: &str, verdict: Status) -> Stratum {
    let blind = verdict == Status::Blind;
    let numbers = vec![
        Number { status: Some(verdict), ..number("KV pinned", "91 %", Some(0.91)) },
        number("waiting", "41", Some(41.0)),
        number("prefix hits", "unknown", None),
    ];
    Stratum {
        code: code.to_owned(),
        title: title.to_owned(),
        question: "How much capacity is left?".to_owned(),
        verdict,
        reason: "no profiler plugin in 2 runs: install it, see Doctor".to_owned(),
        numbers: if blind { Vec::new() } else { numbers },
        strip: Strip {
            title: "KV pinned".to_owned(),
            axis: axis(),
            scale: percent(),
            values: if blind { vec![None; 60] } else { values() },
            statuses: vec![verdict; 60],
            missing: blind.then(|| "no signal".to_owned()),
        },
        coverage: number("coverage", "12 of 19 signals", Some(12.0)),
        link: link("engines"),
    }
}

fn strata() -> Vec<Stratum> {
    vec![
        stratum("L8", "Cost", Status::Watch),
        stratum("L7", "GenAI API", Status::Broken),
        stratum("L6", "Inference engine", Status::Broken),
        stratum("L5", "Training", Status::Ok),
        stratum("L4", "Scheduling", Status::Ok),
        stratum("L3", "Host", Status::Ok),
        stratum("L2", "CUDA and NCCL", Status::Blind),
        stratum("L1", "GPU hardware", Status::Ok),
    ]
}

pub(super) fn page(sections: Vec<Section>) -> Page {
    Page {
        request: request(),
        title: "Overview".to_owned(),
        subtitle: "everything, last hour".to_owned(),
        simulated: true,
        made_at_ms: 1_700_003_600_000,
        tabs: vec![Tab {
            key: '0',
            title: "Overview".to_owned(),
            link: link("overview"),
            current: true,
            status: None,
        }],
        north_star: vec![
            number("per useful Mtok", "unknown", None),
            number("tokens per joule", "3.9", Some(3.9)),
        ],
        notices: Vec::new(),
        sections,
    }
}

pub(super) fn section(id: &str, blocks: Vec<Block>) -> Section {
    Section { id: id.to_owned(), title: id.to_owned(), brief: "how to read it".to_owned(), blocks }
}

fn chart() -> Chart {
    Chart {
        title: "KV pinned".to_owned(),
        axis: axis(),
        scale: percent(),
        lines: vec![
            Line { name: "chat-0".to_owned(), values: values(), faint: false },
            Line { name: "cohort".to_owned(), values: vec![Some(0.5); 60], faint: true },
        ],
        marks: vec![Mark { name: "limit".to_owned(), value: 0.9 }],
        min: Some(0.0),
        max: Some(1.0),
        stacked: false,
        missing: None,
        link: None,
        explain: Explanation::default(),
    }
}

fn cells() -> Heatmap {
    let choice = |id: &str, current| Choice { id: id.to_owned(), title: id.to_owned(), current };
    Heatmap {
        title: "GPUs".to_owned(),
        scale: percent(),
        min: 0.0,
        max: 1.0,
        group_choices: vec![choice("node", true), choice("pod", false)],
        color_choices: vec![choice("l1.utilization", true)],
        groups: vec![CellGroup {
            title: "node-1".to_owned(),
            link: None,
            ids: vec!["gpu:a".to_owned(), "gpu:b".to_owned(), "gpu:c".to_owned()],
            names: vec!["0".to_owned(), "1".to_owned(), "2".to_owned()],
            values: vec![Some(0.1), None, Some(1.0)],
            statuses: vec![Status::Ok, Status::Blind, Status::Watch],
            outliers: vec![false, false, true],
        }],
        columns: Vec::new(),
        cell_page: "gpus".to_owned(),
        explain: Explanation::default(),
    }
}

pub(super) fn table() -> Table {
    let column = |title: &str, numeric, rank| Column { title: title.to_owned(), numeric, rank };
    let row = |name: &str, value: Option<f64>, text: &str| Row {
        cells: vec![
            Cell::Text { text: name.to_owned() },
            Cell::Status { status: Status::Watch, text: "WATCH".to_owned() },
            Cell::Number(Box::new(number("KV pinned", text, value))),
            Cell::Spark { values: values() },
            Cell::Command { text: "kubectl describe pod".to_owned() },
        ],
        link: Some(Link {
            page: "engines".to_owned(),
            params: vec![("entity".to_owned(), format!("replica:{name}"))],
        }),
    };
    Table {
        title: "Replicas".to_owned(),
        columns: vec![
            column("replica", false, 0),
            column("state", false, 0),
            column("KV pinned", true, 1),
            column("last hour", false, 2),
            column("look", false, 9),
        ],
        rows: vec![row("chat-0", Some(0.91), "91 %"), row("chat-1", None, "unknown")],
        total_rows: Some(12),
        empty: "no replica".to_owned(),
    }
}

#[test]
fn the_eight_layers_fit_24_lines() {
    let overview = page(vec![Section {
        id: "strata".to_owned(),
        title: String::new(),
        brief: String::new(),
        blocks: vec![Block::Strata { strata: strata() }],
    }]);
    let mut app = screen(overview, FANCY);
    let text = drawn(&mut app, 80, 24);
    for code in ["L8", "L7", "L6", "L5", "L4", "L3", "L2", "L1"] {
        assert!(text.contains(code), "{code} is not seen in\n{text}");
    }
    assert!(text.contains("SIMULATED"));
    insta::assert_snapshot!(text);
}

#[test]
fn six_numbers_of_the_north_star_are_all_seen_beside_the_eight_layers() {
    let mut overview = page(vec![Section {
        id: "strata".to_owned(),
        title: String::new(),
        brief: String::new(),
        blocks: vec![Block::Strata { strata: strata() }],
    }]);
    let names = ["useful token", "spend", "goodput", "SLO budget", "per joule", "waste"];
    overview.north_star = names.map(|name| number(name, "1.5", Some(1.5))).into();
    let text = drawn(&mut screen(overview, FANCY), 80, 24);
    for name in names.into_iter().chain(["L8", "L1"]) {
        assert!(text.contains(name), "{name} is not seen in\n{text}");
    }
}

#[test]
fn a_command_is_told_in_full_however_few_columns_there_are() {
    let column = |title: &str, rank: u8| Column { title: title.to_owned(), numeric: false, rank };
    let why = "NVIDIA dcgm-exporter is here and does not write it";
    let mend = "add the line \"DCGM_FI_PROF_SM_UTIL_RATIO, gauge, Share of cycles\" to the \
                counters file of dcgm-exporter (option -f) and restart it";
    let table = Table {
        title: String::new(),
        columns: vec![column("state", 0), column("why", 1), column("what mends it", 2)],
        rows: vec![Row {
            cells: vec![
                Cell::Status { status: Status::Blind, text: "absent".to_owned() },
                Cell::Text { text: why.to_owned() },
                Cell::Command { text: mend.to_owned() },
            ],
            link: None,
        }],
        total_rows: None,
        empty: String::new(),
    };
    for columns in [60, 80, 300] {
        let text = crate::once(
            &page(vec![section("table", vec![Block::Table(table.clone())])]),
            columns,
            false,
        );
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(why) && words.contains(mend), "{columns}:\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns}:\n{text}");
    }
}

#[test]
fn lines_over_time_keep_their_gap() {
    let blocks = vec![
        Block::Chart(chart()),
        Block::Multiples {
            charts: vec![
                chart(),
                Chart {
                    lines: Vec::new(),
                    missing: Some("no engine is seen".to_owned()),
                    ..chart()
                },
            ],
        },
    ];
    let mut app = screen(page(vec![section("charts", blocks)]), FANCY);
    insta::assert_snapshot!(drawn(&mut app, 80, 30));
}

#[test]
fn cells_rows_and_bars() {
    let bar = |name: &str, values| Bar {
        name: name.to_owned(),
        values,
        total: number("e2e", "4.0 s", Some(4.0)),
        link: None,
    };
    let blocks = vec![
        Block::Heatmap(cells()),
        Block::Table(table()),
        Block::Anatomy(Anatomy {
            title: "Latency".to_owned(),
            scale: percent(),
            segments: vec!["queue".to_owned(), "prefill".to_owned(), "decode".to_owned()],
            bars: vec![
                bar("chat-0", vec![Some(1.0), Some(0.5), Some(2.5)]),
                bar("chat-1", vec![None, Some(0.5), Some(1.0)]),
            ],
            explain: Explanation::default(),
        }),
        Block::Distribution(Distribution {
            title: "Prompt length".to_owned(),
            scale: Scale {
                unit: "{token}".to_owned(),
                divisor: 1.0,
                symbol: "tok".to_owned(),
                digits: 0,
            },
            edges: vec![Some(100.0), Some(1000.0), None],
            columns: vec![Some(vec![0.25, 0.5, 0.25])],
            axis: None,
            numbers: vec![number("p50", "420 tok", Some(420.0))],
            missing: None,
            explain: Explanation::default(),
        }),
    ];
    let mut app = screen(page(vec![section("cells", blocks)]), FANCY);
    insta::assert_snapshot!(drawn(&mut app, 100, 36));
}

#[test]
fn plain_text_says_the_same_without_colors_and_in_ascii() {
    let blocks = vec![
        Block::Card(Card {
            status: Status::Blind,
            title: "Blind spot: L2".to_owned(),
            text: "Two training runs carry no NCCL plugin.".to_owned(),
            steps: vec![("L4 10:41".to_owned(), "deploy v231".to_owned())],
            numbers: vec![number("evidence", "5", Some(5.0))],
            commands: vec!["strata nccl env".to_owned()],
            link: Some(link("doctor")),
        }),
        Block::Explore(Explore {
            lang: Language::Promql,
            lang_choices: Language::ALL
                .map(|lang| Choice {
                    id: lang.name().to_owned(),
                    title: lang.title().to_owned(),
                    current: lang == Language::Promql,
                })
                .to_vec(),
            query: "up".to_owned(),
            bounds: "Asked once.".to_owned(),
            examples: vec![("What is scraped".to_owned(), "up".to_owned())],
            names: Vec::new(),
            notices: Vec::new(),
        }),
        Block::Graph(Graph {
            title: "Topology".to_owned(),
            width: 1.0,
            height: 1.0,
            nodes: Vec::new(),
            edges: Vec::new(),
            outline: vec![
                OutlineLine { depth: 0, text: "node-1".to_owned(), status: Status::Ok, link: None },
                OutlineLine {
                    depth: 1,
                    text: "GPU 0".to_owned(),
                    status: Status::Broken,
                    link: Some(link("gpus")),
                },
            ],
        }),
        Block::Strata { strata: strata() },
        Block::Chart(chart()),
        Block::Heatmap(cells()),
        Block::Text { text: "A sentence.".to_owned() },
    ];
    let mut shown = page(vec![section("all", blocks)]);
    shown.notices.push(Notice {
        status: Status::Watch,
        text: "one query did not answer".to_owned(),
        command: None,
        link: None,
    });
    let text = crate::once(&shown, 80, false);
    assert!(text.is_ascii(), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn choices_and_bars_are_told_without_colors() {
    let chip = |title: &str, current| Chip { title: title.to_owned(), current, link: link("cost") };
    let chips =
        Chips { title: "basis".to_owned(), chips: vec![chip("held", true), chip("used", false)] };
    let column = |title: &str| Column { title: title.to_owned(), numeric: false, rank: 0 };
    let row = |name: &str, from, to| Row {
        cells: vec![Cell::Text { text: name.to_owned() }, Cell::Bar { from, to }],
        link: None,
    };
    let fall = Table {
        title: "From before to now".to_owned(),
        columns: vec![column("factor"), column("from and to")],
        rows: vec![row("before", 0.0, 1.0), row("price", 1.0, 0.5), row("waste", 0.5, 0.501)],
        total_rows: None,
        empty: String::new(),
    };
    let text = crate::once(
        &page(vec![section("x", vec![Block::Chips(chips), Block::Table(fall)])]),
        80,
        false,
    );
    assert!(text.contains("basis: [held]  used"), "{text}");
    // Which columns of the bar of a row are drawn.
    let bar = |name: &str| -> Vec<usize> {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        let bar = line.split_once(name).unwrap().1;
        let begin = "before".len() + 2 - name.len();
        let drawn = bar.char_indices().filter(|(_, one)| *one != ' ');
        drawn.map(|(at, _)| at - begin).collect()
    };
    assert_eq!(bar("before"), (0..24).collect::<Vec<_>>(), "{text}");
    assert_eq!(bar("price"), (12..24).collect::<Vec<_>>(), "it falls by half: {text}");
    assert_eq!(bar("waste"), [12], "a small step is seen: {text}");
}

#[test]
fn a_wide_terminal_has_two_columns() {
    let sections =
        ["one", "two"].map(|id| section(id, vec![Block::Table(table())])).into_iter().collect();
    let mut app = screen(page(sections), FANCY);
    let text = drawn(&mut app, 160, 20);
    let line = text.lines().find(|line| line.starts_with("one")).unwrap();
    assert!(line.contains("two"), "{text}");
}

#[test]
fn a_terminal_too_small_says_so() {
    let mut app = screen(page(Vec::new()), FANCY);
    assert!(drawn(&mut app, 15, 4).contains("too small"));
}
