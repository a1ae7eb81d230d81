//! The ledger on the cost page: the bill by state and by holder, what tokens cost, what was wasted,
//! which prices that rests on, and why it changed.

mod bill;
mod budgets;
mod calls;
mod cells;
mod change;
mod charges;
mod explore;
mod market;
mod parties;
mod prices;
mod tariff;
mod tokens;
mod training;

pub use calls::{CallBooks, CallModel};
pub use market::Comparison;
pub use parties::StatementRow;
use strata_cost::advice::Advised;
use strata_cost::budget::Standing;
use strata_cost::change::Change;
use strata_cost::ledger::{Basis, IdlePolicy, Ledger, State};
use strata_cost::tariff::Tariff;
use strata_cost::unit::{CacheLoss, Energy, NodePrice, Units, models};

use super::pieces::section;
use crate::page::Link;
use crate::page::block::{Block, Section};
use crate::request::{CostView, PageRequest};
use crate::source::{PageError, PageErrorCode};

/// A ledger of the page's window and what it is compared with.
#[derive(Debug, Clone)]
pub struct Books {
    pub ledger: Ledger,
    /// What the operator knows of the way from the meter to the GPU.
    pub energy: Energy,
    /// Why this window cost more or less than the one before it, or why nobody can say.
    pub change: Result<Change, String>,
    /// What worse hit rates of prefix caches cost, against the window before.
    pub cache: Vec<CacheLoss>,
    /// What nodes cost for an hour, by kind.
    pub nodes: Vec<NodePrice>,
    /// What is sold.
    pub tariff: Option<Tariff>,
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
    /// The one namespace and model that it is for; everything where both are None.
    pub namespace: Option<String>,
    pub model: Option<String>,
    /// Its period, and the end of the last whole hour in it, milliseconds since the Unix epoch.
    pub start_ms: i64,
    pub end_ms: i64,
    pub counted_ms: i64,
    /// How it stands, or in words why that is not known.
    pub standing: Result<Standing, String>,
}

/// The sections of the cost page that the ledger fills.
pub(super) fn sections(request: &PageRequest, books: &Books) -> Vec<Section> {
    let units = models(&books.ledger, &books.energy);
    let mut sections = spending(request, books, &units);
    sections.extend(reasons(books));
    sections.extend(dealings(books, &units));
    sections
}

/// What it cost, and whom.
fn spending(request: &PageRequest, books: &Books, units: &[Units]) -> Vec<Section> {
    let ledger = &books.ledger;
    vec![
        section(
            "bill",
            "The bill",
            &bill::balance(ledger),
            vec![Block::Table(bill::states(ledger)), Block::Table(bill::holders(ledger))],
        ),
        section(
            "path",
            "Into the bill",
            "State, model, tenant, token class: the parts of each step add up to the step before.",
            explore::blocks(request, &books.ledger),
        ),
        section(
            "charges",
            "Who is charged",
            "The same bill by another rule; whatever is chosen, it adds up.",
            charges::blocks(request, &books.ledger),
        ),
        section(
            "tokens",
            "What tokens cost",
            "Busy time is split between prompt and answer; idle time is shared out over both.",
            vec![Block::Table(tokens::costs(ledger, units)), Block::Table(tokens::fits(units))],
        ),
        section(
            "energy",
            "Energy",
            "Joules at the GPUs, the nodes and the building's meter differ by a factor of two.",
            vec![Block::Table(tokens::used(ledger, units, &books.energy))],
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
    ]
}

/// What bought nothing, why it changed and what would save money.
fn reasons(books: &Books) -> Vec<Section> {
    vec![
        section(
            "waste",
            "What bought nothing",
            "No second is in two lines; what a cache lost stands beside, for that work was useful.",
            vec![Block::Table(bill::wasted(&books.ledger)), Block::Table(tokens::cache(books))],
        ),
        section(
            "change",
            "Why it changed",
            "Against the window before: each bar begins where the one above ends, the last is this window. \
             The ends of the line stand above it.",
            vec![change::waterfall(books)],
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
    ]
}

/// Budgets, what is sold, and the prices that all of it rests on.
fn dealings(books: &Books, units: &[Units]) -> Vec<Section> {
    vec![
        section("budgets", "Budgets", "", vec![Block::Table(budgets::budgets(books))]),
        section(
            "tariff",
            "Tariff",
            "What a GPU hour is in tokens, and what is sold beside what it costs.",
            vec![
                Block::Table(tariff::exchange_rates(books)),
                Block::Table(tariff::selling(books, units)),
            ],
        ),
        section(
            "statements",
            "Statements",
            "Closed once, bound to the one before, never changed.",
            vec![Block::Table(parties::statements(books))],
        ),
        section(
            "prices",
            "Prices",
            "Most specific first: your rows, a cloud's file, published figures.",
            vec![Block::Table(prices::prices(books)), Block::Table(prices::nodes(books))],
        ),
    ]
}

/// This page with something else asked for of the ledger.
fn asking(request: &PageRequest, change: impl FnOnce(&mut CostView)) -> Link {
    let mut request = request.clone();
    change(&mut request.cost);
    let params = request.params().into_iter();
    // The renderer keeps the range of time.
    let params = params.filter(|(name, _)| !["since", "start", "end"].contains(name));
    let params = params.map(|(name, value)| (name.to_owned(), value)).collect();
    Link { page: request.page.name().to_owned(), params }
}

/// Whether what is asked of the ledger is among the choices of the page.
///
/// # Errors
/// With the choices, where it is not.
pub(super) fn check(request: &PageRequest) -> Result<(), PageError> {
    let cost = &request.cost;
    let choices = [
        ("state", &cost.state, State::ALL.map(State::name).to_vec()),
        ("by", &cost.by, charges::BY.map(|(name, _)| name).to_vec()),
        ("basis", &cost.basis, Basis::ALL.map(|(name, _)| name).to_vec()),
        ("idle", &cost.idle, IdlePolicy::ALL.map(|(name, _)| name).to_vec()),
    ];
    for (name, given, choices) in choices {
        if let Some(given) = given.as_deref().filter(|given| !choices.contains(given)) {
            return Err(PageError {
                code: PageErrorCode::BadRequest,
                message: format!("parameter {name}={given:?} is no choice of this page"),
                hint: format!("{name} is one of {}", choices.join(", ")),
            });
        }
    }
    Ok(())
}
