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
        (now_ms - self.date_ms).max(0) as f64 / crate::time::DAY_MS as f64
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
    let label = |(key, value): &(String, String)| label_matches(wanted, key, value);
    let same = |row: Option<&String>, known: Option<&String>| match (row, known) {
        (Some(row), Some(known)) => row.eq_ignore_ascii_case(known),
        _ => true,
    };
    // A type of node or a label is never assumed: thousands of rows would fit a node of no type.
    price.gpu.as_ref().is_none_or(|gpu| wanted.gpu.as_ref() == Some(gpu))
        && (price.node.is_none() || wanted.node.is_some() || price.reference)
        && same(price.node.as_ref(), wanted.node.as_ref())
        && price.selector.as_ref().is_none_or(label)
        && same(price.provider.as_ref(), wanted.provider.as_ref())
        && same(price.region.as_ref(), wanted.region.as_ref())
        && (price.term.is_none() || wanted.term.is_none() || price.term == wanted.term)
}

/// Cloud price files write the path of a field: `metadata.labels.<label>`.
fn label_matches(wanted: &Wanted, key: &str, value: &str) -> bool {
    let short = key
        .strip_prefix("metadata.labels.")
        .or_else(|| key.strip_prefix("metadata.annotations."))
        .unwrap_or(key);
    let found = wanted.labels.get(key).or_else(|| wanted.labels.get(short));
    found.is_some_and(|found| found.eq_ignore_ascii_case(value))
}

pub(super) fn quote(
    candidates: &[&Price],
    wanted: &Wanted,
    currency: &str,
    at_ms: i64,
) -> Result<Quote, Unpriced> {
    let name = || wanted.gpu.clone().or_else(|| wanted.node.clone()).unwrap_or_else(unnamed);
    // Published figures stand in only where they were chosen to, or name the very provider.
    let serious = |price: &&Price| {
        price.origin != Origin::Embedded
            || price.reference
            || (price.provider.is_some() && wanted.provider.is_some())
    };
    let fitting: Vec<&Price> = candidates.iter().copied().filter(serious).collect();
    if fitting.is_empty() {
        return Err(Unpriced::NoRow(name()));
    }
    let timely: Vec<&Price> = fitting.into_iter().filter(|price| price.holds_at(at_ms)).collect();
    let Some(foreign) = timely.first() else { return Err(Unpriced::NoPeriod(name())) };
    let found = foreign.currency.clone();
    let known: Vec<&Price> =
        timely.into_iter().filter(|price| price.currency == currency).collect();
    let Some(best) =
        known.iter().copied().max_by(|one, other| rank(one, wanted).cmp(&rank(other, wanted)))
    else {
        return Err(Unpriced::OtherCurrency { gpu: name(), found, wanted: currency.to_owned() });
    };
    let rival = known
        .iter()
        .find(|other| rank(other, wanted) == rank(best, wanted) && other.per_hour != best.per_hour);
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

/// Who says it, how exactly it fits, how little is assumed, how sure and how new it is.
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
    (price.origin, exact, guesses, price.confidence, price.date_ms)
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
