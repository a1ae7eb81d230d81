//! Splits where least squares cannot be had.

use super::{CLASSES, Class, Method, Quantities, Split};

/// What a generated token costs against a prompt token where nothing is measured: the ratio that
/// the recommender of GKE uses.
pub const GENERATED_WEIGHT: f64 = 4.0;
/// What a cached prompt token costs against a computed one where nothing is measured: what API
/// providers ask for it.
pub const CACHED_WEIGHT: f64 = 0.1;

/// Totals of a period, for all that needs no spans.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Busy GPU seconds.
    pub busy_s: f64,
    /// What was worked on.
    pub quantities: Quantities,
    /// Busy GPU seconds of GPUs that only prefill and of those that only decode.
    pub pools: Option<(f64, f64)>,
    /// Seconds of requests in prefill and in decode, added up over requests.
    pub request_s: Option<(f64, f64)>,
}

impl Totals {
    fn amount(&self, class: Class) -> f64 {
        self.quantities.get(class.place()).copied().unwrap_or_default()
    }

    /// Prompt tokens, cached ones at their weight.
    fn weighed_prompt(&self) -> f64 {
        self.amount(Class::UncachedPrompt) + CACHED_WEIGHT * self.amount(Class::CachedPrompt)
    }
}

/// Each pool's busy time over its tokens.
pub(super) fn pools(totals: &Totals) -> Option<Split> {
    let (prefill, decode) = totals.pools?;
    parts(totals, Method::Pools, prefill, decode)
}

/// Busy time in the ratio of what requests spent in prefill and decode.
pub(super) fn request_time(totals: &Totals) -> Result<Split, String> {
    let (prefill, decode) =
        totals.request_s.ok_or("the engine does not tell time in prefill and decode")?;
    let whole = prefill + decode;
    if whole <= 0.0 {
        return Err("requests spent no time in prefill and decode".to_owned());
    }
    let prefill = totals.busy_s * prefill / whole;
    parts(totals, Method::RequestTime, prefill, totals.busy_s - prefill)
        .ok_or_else(|| "time was spent on tokens that were not counted".to_owned())
}

/// Busy time in fixed ratios.
pub(super) fn ratio(totals: &Totals) -> Option<Split> {
    let prompt = totals.weighed_prompt();
    let generated = GENERATED_WEIGHT * totals.amount(Class::Generated);
    let whole = prompt + generated;
    if whole <= 0.0 {
        return None;
    }
    let prefill = totals.busy_s * prompt / whole;
    parts(totals, Method::Ratio, prefill, totals.busy_s - prefill)
}

/// None where a part has time but no tokens to carry it: the split would not add up.
fn parts(totals: &Totals, method: Method, prefill_s: f64, decode_s: f64) -> Option<Split> {
    let prompt = totals.weighed_prompt();
    let generated = totals.amount(Class::Generated);
    if (prefill_s > 0.0 && prompt <= 0.0) || (decode_s > 0.0 && generated <= 0.0) {
        return None;
    }
    let per_prompt = (prompt > 0.0).then(|| prefill_s / prompt);
    let per_unit = Class::ALL.map(|class| {
        let price = match class {
            Class::UncachedPrompt => per_prompt,
            Class::CachedPrompt => per_prompt.map(|price| price * CACHED_WEIGHT),
            Class::Generated => (generated > 0.0).then(|| decode_s / generated),
            Class::Requests => None,
        };
        price.filter(|_| totals.amount(class) > 0.0)
    });
    Some(Split {
        method,
        per_unit,
        interval: [None; CLASSES],
        quality: None,
        instead_of: Vec::new(),
        quantities: totals.quantities,
        busy_s: prefill_s + decode_s,
    })
}
