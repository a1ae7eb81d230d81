//! Which row prices a GPU: the most specific one, of the one who knows best.

use std::collections::BTreeMap;

use super::{Confidence, Origin, Price, PriceKind, Term};

/// What is known of a GPU whose price is wanted. What is None is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Normalised name, as [`super::sku`] gives it.
    pub gpu: Option<String>,
    /// Instance type of its node.
    pub node: Option<String>,
    /// Who rents it out.
    pub provider: Option<String>,
    /// The provider's region.
    pub region: Option<String>,
    /// How it is paid for.
    pub term: Option<Term>,
    /// GPUs in its node.
    pub gpus_in_node: Option<u32>,
    /// Labels of its node, with `metadata.name` and `spec.providerID` among them where known.
    pub labels: BTreeMap<String, String>,
}

/// A price with all that must be shown beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// Money for one GPU and hour.
    pub per_gpu_hour: f64,
    /// ISO 4217 code.
    pub currency: String,
    /// Which of FOCUS's prices this is.
    pub kind: PriceKind,
    /// Who said so.
    pub source: String,
    /// When it was said, ms since 1970.
    pub date_ms: i64,
    /// How far it can be trusted; low where something was assumed.
    pub confidence: Confidence,
    /// Where the row came from.
    pub origin: Origin,
    /// Fields of the row that the GPU's own facts do not tell.
    pub assumed: Vec<&'static str>,
}

impl Quote {
    /// Days between the price's date and `now_ms`.
    pub fn age_days(&self, now_ms: i64) -> f64 {
        now_ms.saturating_sub(self.date_ms).max(0) as f64 / crate::time::DAY_MS as f64
    }
}

/// Why something has no price. Its cost is then unknown, never zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// No row fits.
    #[error("no price for {0}")]
    NoRow(String),
    /// Rows fit but none holds at the time.
    #[error("prices for {0} exist, but none for this time")]
    NoPeriod(String),
    /// Rows fit in another currency only.
    #[error("{gpu} is priced in {found}, not in {wanted}")]
    OtherCurrency {
        /// What is priced.
        gpu: String,
        /// The currency of its row.
        found: String,
        /// The currency that was asked for.
        wanted: String,
    },
    /// Two rows fit as well and disagree.
    #[error("two prices fit {gpu} equally: {one} and {other}; say its region, term or provider")]
    Ambiguous {
        /// What is priced.
        gpu: String,
        /// One source.
        one: String,
        /// The other.
        other: String,
    },
    /// A row prices the node, and the number of its GPUs is not known.
    #[error("{0} is priced by the node, and the number of its GPUs is not known")]
    NodeSize(String),
}

/// Whether a row can price what is wanted at all, whatever the time and currency.
pub(super) fn may_fit(price: &Price, wanted: &Wanted) -> bool {
    let labelled = |(key, value): &(String, String)| has_label(wanted, key, value);
    let same = |row: Option<&String>, known: Option<&String>| match (row, known) {
        (Some(row), Some(known)) => row.eq_ignore_ascii_case(known),
        _ => true,
    };
    // A type of node or a label is never assumed: thousands of rows would fit a node of no type.
    price.gpu.as_ref().is_none_or(|gpu| wanted.gpu.as_ref() == Some(gpu))
        && (price.node.is_none() || wanted.node.is_some() || price.reference)
        && same(price.node.as_ref(), wanted.node.as_ref())
        && price.selector.as_ref().is_none_or(labelled)
        && same(price.provider.as_ref(), wanted.provider.as_ref())
        && same(price.region.as_ref(), wanted.region.as_ref())
        && (price.term.is_none() || wanted.term.is_none() || price.term == wanted.term)
}

/// A label as rows and nodes are matched by: cloud price files write the path of the field,
/// `metadata.labels.<label>`, and compare values without regard to case.
pub(super) fn label(key: &str, value: &str) -> (String, String) {
    let short = key
        .strip_prefix("metadata.labels.")
        .or_else(|| key.strip_prefix("metadata.annotations."))
        .unwrap_or(key);
    (short.to_owned(), value.to_lowercase())
}

fn has_label(wanted: &Wanted, key: &str, value: &str) -> bool {
    let asked = label(key, value);
    wanted.labels.iter().any(|(key, value)| label(key, value) == asked)
}

/// Whether a row that fits may be used. Published figures stand in only where they were chosen to, or
/// name the very provider; a price of energy alone is no price of a GPU.
pub(super) fn may_price(price: &Price, wanted: &Wanted) -> bool {
    price.kind != PriceKind::PowerOnly
        && (price.origin != Origin::Embedded
            || price.reference
            || (price.provider.is_some() && wanted.provider.is_some()))
}

/// Chooses among the rows that fit and hold at one time; `others` says whether there are some that
/// hold at another.
pub(super) fn choose(
    timely: &[&Price],
    others: bool,
    wanted: &Wanted,
    currency: &str,
) -> Result<Quote, Unpriced> {
    let name = || wanted.gpu.clone().or_else(|| wanted.node.clone()).unwrap_or_else(unnamed);
    let Some(foreign) = timely.first() else {
        return Err(if others { Unpriced::NoPeriod(name()) } else { Unpriced::NoRow(name()) });
    };
    let known = || timely.iter().copied().filter(|price| price.currency == currency);
    let order = |price: &Price| (rank(price, wanted), price.confidence, price.date_ms);
    let Some(best) = known().max_by(|one, other| order(one).cmp(&order(other))) else {
        let found = foreign.currency.clone();
        return Err(Unpriced::OtherCurrency { gpu: name(), found, wanted: currency.to_owned() });
    };
    // A later statement about the same thing replaces an earlier one; two about different things
    // that fit equally, two regions for one, do not.
    let rival = known().find(|other| {
        rank(other, wanted) == rank(best, wanted)
            && scope(other) != scope(best)
            && other.per_hour != best.per_hour
    });
    if let Some(rival) = rival {
        let (one, other) = (best.source.clone(), rival.source.clone());
        return Err(Unpriced::Ambiguous { gpu: name(), one, other });
    }
    let gpus = wanted.gpus_in_node.map(f64::from);
    let per_gpu_hour = best.per_gpu_hour(gpus).ok_or_else(|| Unpriced::NodeSize(name()))?;
    let assumed = assumed(best, wanted);
    Ok(Quote {
        per_gpu_hour,
        currency: best.currency.clone(),
        kind: best.kind,
        source: best.source.clone(),
        date_ms: best.date_ms,
        confidence: if assumed.is_empty() { best.confidence } else { Confidence::Low },
        origin: best.origin,
        assumed,
    })
}

fn unnamed() -> String {
    "a GPU without a name".to_owned()
}

/// What a row is about.
fn scope(price: &Price) -> impl PartialEq + use<'_> {
    let place = (&price.provider, &price.region, price.term);
    (&price.gpu, &price.node, &price.selector, place)
}

/// Who says it, how exactly it fits, how little is assumed, and how near it is to what is paid.
fn rank(price: &Price, wanted: &Wanted) -> impl Ord + use<> {
    let exact = [
        price.selector.is_some(),
        price.node.is_some() && wanted.node.is_some(),
        price.region.is_some() && wanted.region.is_some(),
        price.provider.is_some() && wanted.provider.is_some(),
        price.term.is_some() && wanted.term.is_some(),
        price.gpu.is_some(),
    ];
    let guesses = std::cmp::Reverse(assumed(price, wanted).len());
    (price.origin, exact, guesses, price.kind)
}

fn assumed(price: &Price, wanted: &Wanted) -> Vec<&'static str> {
    let fields = [
        ("node", price.node.is_some() && wanted.node.is_none()),
        ("provider", price.provider.is_some() && wanted.provider.is_none()),
        ("region", price.region.is_some() && wanted.region.is_none()),
        ("term", price.term.is_some() && wanted.term.is_none()),
    ];
    fields.into_iter().filter(|(_, guessed)| *guessed).map(|(name, _)| name).collect()
}
