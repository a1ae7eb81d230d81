//! The ledger on the cost page: the bill by state and by holder, what tokens cost, what was wasted,
//! which prices that rests on, and why it changed.

mod calls;
mod market;
mod parties;
mod training;

pub use calls::{CallBooks, CallModel};
pub use market::Comparison;
pub use parties::StatementRow;
use strata_cost::advice::Advised;
use strata_cost::budget::Standing;
use strata_cost::change::Change;
use strata_cost::ledger::{Dimension, Ledger, Line, State};
use strata_cost::time::{day, rfc3339};
use strata_cost::unit::{Energy, Units, models, waste};

use super::pieces::section;
use crate::page::block::{Block, Section};
use crate::page::number::{Explanation, Number};
use crate::page::status::Status;
use crate::page::table::{Cell, Column, Row, Table};
use crate::words;

/// A ledger of the page's window and what it is compared with.
#[derive(Debug, Clone)]
pub struct Books {
    pub ledger: Ledger,
    /// What the operator knows of the way from the meter to the GPU.
    pub energy: Energy,
    /// Why this window cost more or less than the one before it, or why nobody can say.
    pub change: Result<Change, String>,
    /// The operator's budgets.
    pub budgets: Vec<BudgetLine>,
    /// What would save money, and what could not be checked.
    pub advice: Advised,
    /// Models on own GPUs beside an API.
    pub comparisons: Vec<Comparison>,
    /// Calls by the records of requests, or why they are not known.
    pub calls: Result<CallBooks, String>,
    /// The newest closed statements.
    pub statements: Vec<StatementRow>,
    /// What must be said of how the ledger came about.
    pub notes: Vec<String>,
    /// The moment it was made, for the age of prices.
    pub now_ms: i64,
}

/// A budget and how it stands.
#[derive(Debug, Clone)]
pub struct BudgetLine {
    pub name: String,
    /// Money for the period.
    pub amount: f64,
    /// `day`, `week`, `month`.
    pub period: String,
    /// None while nothing of the period is known.
    pub standing: Option<Standing>,
}

const ROWS_MAX: usize = 100;

/// The sections of the cost page that the ledger fills.
pub(super) fn sections(books: &Books) -> Vec<Section> {
    let ledger = &books.ledger;
    let units = models(ledger, &books.energy);
    vec![
        section(
            "bill",
            "The bill",
            &balance(ledger),
            vec![Block::Table(states(ledger)), Block::Table(holders(ledger))],
        ),
        section(
            "tokens",
            "What tokens cost",
            "Busy time is split between prompt and answer; idle time is shared out over both.",
            vec![Block::Table(tokens(ledger, &units))],
        ),
        section(
            "training",
            "What training costs",
            "Lost steps and waiting are paid by the steps that were kept.",
            vec![Block::Table(training::runs(books))],
        ),
        section(
            "calls",
            "What calls cost",
            "By the records of requests: own GPUs at the costs above, APIs by the price map.",
            calls::blocks(books),
        ),
        section("tenants", "Tenants", "", vec![Block::Table(parties::tenants(books))]),
        section("waste", "What bought nothing", "", vec![Block::Table(wasted(ledger))]),
        section(
            "change",
            "Why it changed",
            "Against the window before this one, as terms that add up to the difference.",
            vec![changed(books)],
        ),
        section(
            "advice",
            "Advice",
            "Each with what it saves, what it rests on and how to do it.",
            vec![
                Block::Table(market::advice(books)),
                Block::Table(market::tryouts(books)),
                Block::Table(market::unchecked(books)),
            ],
        ),
        section(
            "break-even",
            "Own GPUs or an API",
            "",
            vec![Block::Table(market::comparisons(books))],
        ),
        section("budgets", "Budgets", "", vec![Block::Table(budgets(books))]),
        section(
            "statements",
            "Statements",
            "Closed once, bound to the one before, never changed.",
            vec![Block::Table(parties::statements(books))],
        ),
        section("prices", "Prices", "", vec![Block::Table(prices(books))]),
    ]
}

/// Whether the bill adds up, and what of it nobody can attribute.
fn balance(ledger: &Ledger) -> String {
    let checked = ledger.reconciliation();
    let share = |value: Option<f64>| words::text(value, "1");
    let all = ledger.total();
    let assumed = (all.gpu_s() > 0.0).then(|| all.assumed_s / all.gpu_s());
    format!(
        "{} to {}. {}; {} unattributed, {} of unknown use, {} of the time without a price, {} of it in \
         equal parts of shared GPUs for want of shares.",
        rfc3339(ledger.start_ms),
        rfc3339(ledger.end_ms()),
        if checked.holds() { "The bill balances" } else { "THE BILL DOES NOT BALANCE" },
        share(checked.unattributed),
        share(checked.unknown),
        share(checked.unpriced),
        share(assumed),
    )
}

/// A number of the ledger with its definition.
fn told(value: Option<f64>, unit: &str, definition: &str, formula: &str) -> Cell {
    Cell::Number(Box::new(Number {
        label: definition.split('.').next().unwrap_or_default().to_owned(),
        text: words::text(value, unit),
        value,
        unit: unit.to_owned(),
        note: None,
        status: None,
        link: None,
        explain: Explanation {
            definition: definition.to_owned(),
            formula: formula.to_owned(),
            unknown: value.is_none().then(|| {
                "a part of it has no price or was not counted; see the prices below".to_owned()
            }),
            ..Explanation::default()
        },
    }))
}

fn money(ledger: &Ledger, value: Option<f64>) -> Cell {
    told(
        value,
        &ledger.options.currency,
        "Cost. GPU seconds at the price that held when they passed.",
        "sum over seconds of price per hour / 3600",
    )
}

fn hours(seconds: f64) -> Cell {
    told(
        Some(seconds / 3600.0),
        "h",
        "GPU hours. Time of whole GPUs, slices by their part.",
        "GPU seconds / 3600",
    )
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text { text: text.into() }
}

fn table(title: &str, columns: &[(&str, bool)], rows: Vec<Vec<Cell>>, empty: &str) -> Table {
    let total = rows.len();
    let column = |(at, (title, numeric)): (usize, &(&str, bool))| Column {
        title: (*title).to_owned(),
        numeric: *numeric,
        rank: u8::try_from(at / 3).unwrap_or(3),
    };
    Table {
        title: title.to_owned(),
        columns: columns.iter().enumerate().map(column).collect(),
        rows: rows.into_iter().take(ROWS_MAX).map(|cells| Row { cells, link: None }).collect(),
        total_rows: (total > ROWS_MAX).then_some(total),
        empty: empty.to_owned(),
    }
}

/// What a state means, in words.
fn meaning(state: State) -> &'static str {
    match state {
        State::Down => "not usable: drained, lost or its node down",
        State::Unallocated => "nobody holds it",
        State::HeldCold => "held while the model is not loaded",
        State::HeldIdle => "held, loaded, and no kernel runs",
        State::BusyWaste => "work that nobody could use",
        State::BusyUseful => "work that somebody used",
        other => other.missing().unwrap_or(""),
    }
}

fn states(ledger: &Ledger) -> Table {
    let total = ledger.total();
    let found = State::ALL.into_iter().filter(|state| total.seconds_in(*state) > 0.0);
    let rows = found.map(|state| {
        let priced = (total.unpriced_s <= 0.0).then(|| total.money_in(state));
        let what = if state.is_unknown() {
            format!("not known: {}", meaning(state))
        } else {
            meaning(state).to_owned()
        };
        vec![
            text(state.name().replace('_', " ")),
            money(ledger, priced),
            hours(total.seconds_in(state)),
            share(total.seconds_in(state), total.gpu_s()),
            text(what),
        ]
    });
    table(
        "Every GPU second once",
        &[("state", false), ("cost", true), ("GPU hours", true), ("share", true), ("means", false)],
        rows.collect(),
        "no GPU was seen in this window",
    )
}

fn share(part: f64, whole: f64) -> Cell {
    told(
        (whole > 0.0).then(|| part / whole),
        "1",
        "Share of GPU time.",
        "GPU seconds in the state / all GPU seconds",
    )
}

fn holders(ledger: &Ledger) -> Table {
    let mut lines = ledger.by_two(Dimension::Namespace, Dimension::Model);
    let size = |line: &Line| line.amount().unwrap_or(line.gpu_s());
    lines.sort_by(|(_, a), (_, b)| size(b).total_cmp(&size(a)));
    let rows = lines.into_iter().map(|((namespace, model), line)| {
        let of = |states: &[State]| {
            share(states.iter().map(|state| line.seconds_in(*state)).sum(), line.gpu_s())
        };
        vec![
            text(namespace),
            text(model),
            money(ledger, line.amount()),
            hours(line.gpu_s()),
            of(&[State::BusyUseful]),
            of(&[State::BusyWaste]),
            of(&[State::HeldIdle, State::HeldCold]),
        ]
    });
    table(
        "Who holds it",
        &[
            ("namespace", false),
            ("model", false),
            ("cost", true),
            ("GPU hours", true),
            ("useful", true),
            ("waste", true),
            ("idle", true),
        ],
        rows.collect(),
        "nothing names who holds a GPU",
    )
}

fn tokens(ledger: &Ledger, units: &[Units]) -> Table {
    let per_token = format!("{}/{{token}}", ledger.options.currency);
    let level = ledger.options.level;
    let rows = units.iter().map(|one| {
        let class = |name: &str, what: &str| {
            let found = one.classes.iter().find(|cost| cost.class.name() == name);
            told(found.map(|cost| cost.full), &per_token, what, "busy cost by class, idle shared")
        };
        let useful = one.per_useful_token.get(level.place()).copied().flatten();
        let method = one.methods.first();
        let fit = method.and_then(|(_, quality)| quality.as_ref());
        let method = match (method, fit) {
            (Some((method, _)), Some(fit)) if fit.r_squared > 0.0 => {
                format!("{} (R2 {:.2})", method.name().replace('_', " "), fit.r_squared)
            }
            (Some((method, _)), _) => method.name().replace('_', " "),
            (None, _) => "nothing was counted".to_owned(),
        };
        vec![
            text(one.model.clone()),
            told(
                useful.map(|cost| cost.cost),
                &per_token,
                "Cost of a useful token. All money of the model, idle and wasted included.",
                "cost / tokens of the useful level",
            ),
            class("uncached_prompt", "Cost of a prompt token that was computed."),
            class("cached_prompt", "Cost of a prompt token found in the cache."),
            class("generated", "Cost of a generated token."),
            told(
                one.at_saturation,
                &per_token,
                "Cost of a generated token in the busiest steps.",
                "price / 99th percentile of tokens per GPU second",
            ),
            told(
                one.energy.and_then(|energy| energy.tokens_per_joule),
                "{token}/J",
                "Generated tokens for a joule at the GPUs.",
                "generated tokens / joules",
            ),
            text(method),
        ]
    });
    table(
        "By model",
        &[
            ("model", false),
            ("useful token", true),
            ("prompt", true),
            ("generated", true),
            ("cached", true),
            ("at saturation", true),
            ("tokens per joule", true),
            ("split by", false),
        ],
        rows.map(|mut cells: Vec<Cell>| {
            cells.swap(3, 4);
            cells
        })
        .collect(),
        "no engine counts its tokens",
    )
}

fn wasted(ledger: &Ledger) -> Table {
    let rows = waste(ledger, Dimension::Namespace).into_iter().map(|line| {
        let priced = (line.unpriced_s <= 0.0).then_some(line.money);
        vec![
            text(line.cause.name().replace('_', " ")),
            text(line.owner),
            money(ledger, priced),
            hours(line.gpu_s),
        ]
    });
    table(
        "By cause and holder",
        &[("cause", false), ("namespace", false), ("cost", true), ("GPU hours", true)],
        rows.collect(),
        "nothing was wasted, as far as it is known",
    )
}

fn changed(books: &Books) -> Block {
    let change = match &books.change {
        Ok(change) => change,
        Err(why) => return Block::Text { text: why.clone() },
    };
    let currency = &books.ledger.options.currency;
    let mut terms = change.terms.clone();
    terms.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    let row = |name: &str, value: f64| {
        let definition = "Part of the difference that this factor makes, whatever the order.";
        let formula = "Shapley value over all orders of moving the factors";
        vec![text(name), told(Some(value), currency, definition, formula)]
    };
    let rows = [("before", change.before), ("now", change.after)];
    let rows = rows.into_iter().map(|(name, value)| row(name, value));
    let terms = terms.iter().map(|(factor, value)| row(factor.name(), *value));
    Block::Table(table(
        "Terms",
        &[("factor", false), ("amount", true)],
        rows.chain(terms).collect(),
        "",
    ))
}

fn budgets(books: &Books) -> Table {
    let currency = &books.ledger.options.currency;
    let rows = books.budgets.iter().map(|budget| {
        let standing = budget.standing.as_ref();
        let used = standing.map(|one| one.used);
        let status = match standing {
            None => Status::Blind,
            Some(one) if one.used >= 1.0 => Status::Broken,
            Some(one) if one.exhausted_ms.is_some() || !one.burning.is_empty() => Status::Watch,
            Some(one) if one.unknown > 0.0 => Status::Blind,
            Some(_) => Status::Ok,
        };
        let unknown = standing.map(|one| one.unknown).filter(|share| *share > 0.0);
        let unknown = unknown.map_or_else(String::new, |share| {
            format!("; of {} of the hours nobody knows the price", words::text(Some(share), "1"))
        });
        let lasts = match standing.map(|one| one.exhausted_ms) {
            None => "not known yet".to_owned(),
            Some(None) => "it lasts".to_owned(),
            Some(Some(at_ms)) => format!("used up on {}", rfc3339(at_ms)),
        };
        let spent = "Spent so far. Whole hours that the ledger has counted.";
        vec![
            text(budget.name.clone()),
            told(
                Some(budget.amount),
                currency,
                "Budget. Money for the whole period.",
                "as configured",
            ),
            text(budget.period.clone()),
            told(standing.map(|one| one.spent), currency, spent, "sum of cost.amount"),
            told(used, "1", "Share of the budget that is spent.", "spent / budget"),
            told(
                standing.and_then(|one| one.forecast),
                currency,
                "Money at the end of the period. If it goes on like the last week.",
                "spent + rate of each hour of the week x time left",
            ),
            Cell::Status { status, text: lasts + &unknown },
        ]
    });
    table(
        "What may be spent",
        &[
            ("budget", false),
            ("amount", true),
            ("period", false),
            ("spent", true),
            ("used", true),
            ("forecast", true),
            ("lasts", false),
        ],
        rows.collect(),
        "no budget is set: [[cost.budget]] in the configuration",
    )
}

fn prices(books: &Books) -> Table {
    let rows = books.ledger.rates.iter().flat_map(|rate| {
        let gpu = rate.wanted.gpu.clone().unwrap_or_else(|| "of an unknown model".to_owned());
        rate.timeline.iter().map(move |(from_ms, quote)| match quote {
            Ok(quote) => vec![
                text(gpu.clone()),
                told(
                    Some(quote.per_gpu_hour / 3600.0),
                    &format!("{}/s", quote.currency),
                    "Price of one GPU. The most specific row of the price book.",
                    "price per hour as the source says",
                ),
                text(format!("{} of {}", quote.source, day(quote.date_ms))),
                told(
                    Some(quote.age_days(books.now_ms) * 86_400.0),
                    "s",
                    "Age of the price.",
                    "now - date of the source",
                ),
                text(format!(
                    "{}{}",
                    quote.confidence.name(),
                    if quote.assumed.is_empty() {
                        String::new()
                    } else {
                        format!(", assumed: {}", quote.assumed.join(", "))
                    }
                )),
                text(rfc3339(*from_ms)),
            ],
            Err(why) => vec![
                text(gpu.clone()),
                told(None, "USD/s", "Price of one GPU.", ""),
                text(why.to_string()),
                text(""),
                text("enter it in the file that [cost] prices names"),
                text(rfc3339(*from_ms)),
            ],
        })
    });
    table(
        "Price book, as far as it is used",
        &[
            ("GPU", false),
            ("price", true),
            ("source", false),
            ("age", true),
            ("confidence", false),
            ("from", false),
        ],
        rows.collect(),
        "no GPU was seen",
    )
}
