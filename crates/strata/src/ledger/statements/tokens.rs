//! Tokens of a tenant over a whole period, and whether they were counted all the time.
//!
//! A period is billed a stretch at a time, and a counter's increase within a stretch does not see the
//! sample before it: where nobody read the counter around an edge, what it counted meanwhile is in no
//! stretch. So the counters are asked once more from the beginning of the period to its end.

use std::collections::{BTreeMap, BTreeSet};

use strata_cost::time::rfc3339;
use strata_view::PageError;
use strata_world::bill::{BillTenant, BillWorld, Counting, Period, tenant_plan, tenant_totals};

use super::Span;
use crate::ask::ask_all;
use crate::ledger::asked::bad;
use crate::ledger::{ASKING, LedgerService, STEP_MS};

/// A stretch of fewer steps, as the last of a period may be, tells nothing by its silence: of a counter
/// that is read once a minute it may have one sample.
const TELLING_STEPS: usize = 10;

/// Stretches in which something was counted, by number.
#[derive(Debug, Clone, Copy)]
struct Spell {
    first: usize,
    last: usize,
}

/// When each counter of one model was there, and when there was work.
#[derive(Debug, Default)]
struct Spells {
    /// Prompt tokens, generated tokens, requests. Cached ones are not among them: such a counter
    /// begins with the first hit.
    counters: [Option<Spell>; 3],
    work: Option<Spell>,
}

/// What the stretches of a period show of a tenant's counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    models: BTreeMap<String, Spells>,
    /// Who counted tenants in any stretch.
    counting: BTreeSet<Counting>,
    /// When anybody's tokens were counted.
    counted: Option<Spell>,
    stretches: usize,
}

/// Note that something was there in a stretch.
fn stretch(spell: &mut Option<Spell>, at: usize) {
    spell.get_or_insert(Spell { first: at, last: at }).last = at;
}

impl Counters {
    /// The next stretch, of so many steps.
    pub(super) fn see(&mut self, world: &BillWorld, tenant: &str, steps: usize) {
        if world.counting.is_none() && steps < TELLING_STEPS {
            return;
        }
        let at = self.stretches;
        self.stretches += 1;
        self.counting.extend(world.counting);
        if world.counting.is_some() {
            stretch(&mut self.counted, at);
        }
        for one in world.tenants.iter().filter(|one| one.tenant == tenant) {
            let spells = self.models.entry(one.model.clone()).or_default();
            let amounts = [one.prompt, one.generated, one.requests];
            for (spell, _) in
                spells.counters.iter_mut().zip(amounts).filter(|(_, one)| one.is_some())
            {
                stretch(spell, at);
            }
            if [one.prompt, one.generated].into_iter().flatten().any(|amount| amount > 0.0) {
                stretch(&mut spells.work, at);
            }
        }
    }

    /// Models of which a class was not yet or no longer counted while others were, or all of them where
    /// at the beginning or the end nobody's tokens were: nothing tells whether there were none. What is
    /// missed in between, the counters make up for.
    pub(super) fn partly_counted(&self) -> BTreeSet<String> {
        let is_blind = |counted: Spell| counted.first > 0 || counted.last + 1 < self.stretches;
        let are_all = self.counting.len() > 1 || self.counted.is_some_and(is_blind);
        let partly = self.models.iter().filter(|(_, spells)| {
            let counters = spells.counters.iter().flatten();
            let mut edges = counters.zip(spells.work.iter().cycle());
            are_all || edges.any(|(one, work)| one.first > work.first || one.last < work.last)
        });
        partly.map(|(model, _)| model.clone()).collect()
    }

    /// What the tenant asked of each model in all of the period. Nothing where the tenants were counted
    /// now by their clients and now by a gateway: the counters of neither reach over all of it, and
    /// the stretches stay as they are.
    pub(super) fn whole(&self, whole: &Whole) -> Vec<BillTenant> {
        let mut counting = self.counting.iter();
        match (counting.next(), counting.next()) {
            (Some(Counting::Gateway), None) => whole.gateway.clone(),
            (Some(Counting::Clients), None) => whole.clients.clone(),
            _ => Vec::new(),
        }
    }
}

/// What a tenant's counters rose by over a whole period, by who counts them.
#[derive(Debug)]
pub(super) struct Whole {
    gateway: Vec<BillTenant>,
    clients: Vec<BillTenant>,
}

impl Whole {
    /// Asked before anything else: thousands of questions follow, in vain if this one fails.
    ///
    /// # Errors
    /// Where a question fails, with what to do about it.
    pub(super) async fn ask(
        service: &LedgerService,
        tenant: &str,
        span: Span,
    ) -> Result<Self, PageError> {
        let steps = usize::try_from((span.until_ms - span.from_ms) / STEP_MS).unwrap_or(0);
        let period = Period { start_ms: span.from_ms, step_ms: STEP_MS, steps };
        let plan = tenant_plan(&period, tenant);
        let window = period.window();
        let answers = ask_all(&service.engine, &plan, window, ASKING, &service.clock).await;
        let of = |counting| tenant_totals(&period, &answers, counting);
        let both = of(Counting::Gateway).and_then(|gateway| Ok((gateway, of(Counting::Clients)?)));
        let (gateway, clients) = both.map_err(|why| refused(tenant, span, &why))?;
        Ok(Self { gateway, clients })
    }
}

/// Why nothing was billed.
fn refused(tenant: &str, span: Span, why: &str) -> PageError {
    let told = format!(
        "how many tokens {tenant} had from {} until {} cannot be asked at once: {why}",
        rfc3339(span.from_ms),
        rfc3339(span.until_ms),
    );
    let half = (span.until_ms - span.from_ms) / 2 / STEP_MS * STEP_MS;
    let hint = if half > 0 {
        format!(
            "nothing was billed yet; ask again, allow more max_samples under [query], or close shorter \
             periods, one after the other: this one until {}",
            rfc3339(span.from_ms + half)
        )
    } else {
        "nothing was billed yet; ask again".to_owned()
    };
    bad(told, &hint)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use strata_model::Labels;
    use strata_query::promqltest::MemorySource;
    use strata_serve::ReportSource as _;

    use crate::config::CostOptions;
    use crate::ledger::LedgerReports;
    use crate::ledger::statements::tests::asked;
    use crate::ledger::tests::{DAY, HOUR, service, service_over};

    const MINUTE: i64 = 60_000;
    const TARIFF: &str = "name = \"t\"\ncurrency = \"USD\"\n[[sell]]\nmodel = \"m\"\n\
                          prompt = 1\ncached_prompt = 0.1\ngenerated = 2\n";

    /// A counter of the gateway that rises by `each` a minute, read in those minutes that are told.
    fn count(source: &mut MemorySource, what: &str, each: i64, is_read: impl Fn(i64) -> bool) {
        let name = format!("gateway_{what}_total");
        let labels = Labels::from_pairs([("__name__", &*name), ("tenant", "acme"), ("model", "m")]);
        for minute in (0..=13 * 60).filter(|minute| is_read(*minute)) {
            source.push_float(&labels, DAY + minute * MINUTE, (minute * each) as f64);
        }
    }

    /// The draft of thirteen hours, which are three stretches.
    async fn draft(source: MemorySource) -> Json {
        let dir = tempfile::tempdir().unwrap();
        let tariff = dir.path().join("tariff.toml");
        std::fs::write(&tariff, TARIFF).unwrap();
        let options = CostOptions { tariff: Some(tariff), ..CostOptions::default() };
        let service = service(source, &options, DAY + 13 * HOUR);
        let service = service.with_statements(dir.path().join("statements"));
        let reports = LedgerReports(std::sync::Arc::new(service));
        let asked = asked("acme", DAY, DAY + 13 * HOUR, &[("of", "tenant")]);
        let draft = reports.report("/cost/statement/draft", asked).await.unwrap();
        serde_json::from_str(&draft.body).unwrap()
    }

    /// Millions of an item.
    fn quantity(draft: &Json, item: &str) -> f64 {
        let lines = draft["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["item"] == item);
        line.map_or(0.0, |line| line["quantity"].as_f64().unwrap())
    }

    #[tokio::test]
    async fn what_cannot_be_asked_at_once_is_told_before_anything_is_billed() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        use strata_model::series::{SelectError, Selection, Series, SeriesSource};
        use strata_model::{Matcher, Metadata};

        /// Reads no counter of clients over more than half a day, and counts how often it is asked.
        struct Short(MemorySource, AtomicUsize);

        type Found<T> = Result<T, SelectError>;

        impl SeriesSource for Short {
            fn select(&self, asked: &Selection) -> Found<Vec<Series>> {
                self.1.fetch_add(1, Ordering::SeqCst);
                let clients = asked.matchers.iter().any(|one| one.value.contains("gen_ai_client"));
                if clients && asked.end_ms - asked.start_ms > 12 * HOUR {
                    return Err(SelectError::Storage("too much at once".to_owned()));
                }
                self.0.select(asked)
            }

            fn series(
                &self,
                sets: &[Vec<Matcher>],
                from: i64,
                to: i64,
                most: usize,
            ) -> Found<Vec<Labels>> {
                self.0.series(sets, from, to, most)
            }

            fn label_names(&self, sets: &[Vec<Matcher>], from: i64, to: i64) -> Found<Vec<String>> {
                self.0.label_names(sets, from, to)
            }

            fn label_values(
                &self,
                name: &str,
                sets: &[Vec<Matcher>],
                from: i64,
                to: i64,
            ) -> Found<Vec<String>> {
                self.0.label_values(name, sets, from, to)
            }

            fn metadata(&self) -> Found<Vec<Metadata>> {
                self.0.metadata()
            }
        }

        let dir = tempfile::tempdir().unwrap();
        let tariff = dir.path().join("tariff.toml");
        std::fs::write(&tariff, TARIFF).unwrap();
        let options = CostOptions { tariff: Some(tariff), ..CostOptions::default() };
        let source = Arc::new(Short(MemorySource::new(), AtomicUsize::new(0)));
        let shared = Arc::clone(&source) as Arc<dyn SeriesSource>;
        let service = service_over(shared, &options, DAY + 13 * HOUR);
        let service = service.with_statements(dir.path().join("statements"));
        let reports = LedgerReports(Arc::new(service));
        let asked = asked("acme", DAY, DAY + 13 * HOUR, &[("of", "tenant")]);
        let refused = reports.report("/cost/statement/draft", asked).await.unwrap_err();
        assert!(refused.message.contains("too much at once"), "{refused:?}");
        assert!(refused.hint.contains("this one until 2026-11-26T06:30:00Z"), "{refused:?}");
        let asked = source.1.load(Ordering::SeqCst);
        assert!(asked < 40, "one question after the other, in vain: {asked}");
    }

    #[tokio::test]
    async fn tokens_counted_while_nobody_read_are_billed_once() {
        let mut source = MemorySource::new();
        // Nobody reads around the end of the first stretch, at 360 minutes.
        let is_read = |minute: i64| !(340..380).contains(&minute);
        count(&mut source, "input_tokens", 1000, is_read);
        count(&mut source, "cached_input_tokens", 400, is_read);
        count(&mut source, "output_tokens", 100, is_read);
        count(&mut source, "requests", 2, is_read);
        let draft = draft(source).await;
        for (item, millions) in
            [("uncached_prompt", 0.468), ("cached_prompt", 0.312), ("generated", 0.078)]
        {
            let found = quantity(&draft, item);
            assert!((found - millions).abs() < 1e-9, "{item}: {found}, {draft}");
        }
        assert_eq!(draft["assumed"]["uncounted_models"], json!([]));
    }

    #[tokio::test]
    async fn prompts_before_the_first_cached_token_are_billed() {
        let mut source = MemorySource::new();
        count(&mut source, "input_tokens", 1000, |_| true);
        count(&mut source, "output_tokens", 100, |_| true);
        // The counter begins in the second stretch, at 400 minutes.
        count(&mut source, "cached_input_tokens", 1, |minute| minute >= 400);
        let draft = draft(source).await;
        let prompt = quantity(&draft, "uncached_prompt") + quantity(&draft, "cached_prompt");
        assert!((prompt - 0.78).abs() < 1e-9, "{draft}");
        assert_eq!(draft["assumed"]["uncounted_models"], json!([]));
    }

    #[tokio::test]
    async fn what_was_counted_in_a_part_of_the_period_must_be_accepted() {
        let check = async |is_read: fn(i64) -> bool, models: Json| {
            let mut source = MemorySource::new();
            count(&mut source, "input_tokens", 1000, |_| true);
            count(&mut source, "cached_input_tokens", 0, |_| true);
            count(&mut source, "output_tokens", 100, is_read);
            let draft = draft(source).await;
            assert_eq!(draft["assumed"]["uncounted_models"], models, "{draft}");
        };
        check(|minute| minute <= 300, json!(["m"])).await;
        check(|minute| minute >= 400, json!(["m"])).await;
        check(|_| true, json!([])).await;
        // Its counter tells what came in between.
        check(|minute| !(355..725).contains(&minute), json!([])).await;
    }

    #[tokio::test]
    async fn a_gateway_that_nobody_read_to_the_end_must_be_accepted() {
        let mut source = MemorySource::new();
        for (what, each) in
            [("input_tokens", 1000), ("cached_input_tokens", 0), ("output_tokens", 100)]
        {
            count(&mut source, what, each, |minute| minute <= 700);
        }
        let draft = draft(source).await;
        assert_eq!(draft["assumed"]["uncounted_models"], json!(["m"]), "{draft}");
    }

    #[tokio::test]
    async fn counts_of_two_doors_are_never_one() {
        let mut source = MemorySource::new();
        for (kind, each) in [("input", 1000), ("output", 100), ("cached_input", 0)] {
            let labels = Labels::from_pairs([
                ("__name__", "gen_ai_client_token_usage_sum"),
                ("tenant", "acme"),
                ("gen_ai_request_model", "m"),
                ("gen_ai_token_type", kind),
            ]);
            for minute in 0..=13 * 60 {
                source.push_float(&labels, DAY + minute * MINUTE, (minute * each) as f64);
            }
        }
        for (what, each) in [("input_tokens", 1000), ("output_tokens", 100)] {
            count(&mut source, what, each, |minute| minute >= 720);
        }
        count(&mut source, "cached_input_tokens", 0, |minute| minute >= 720);
        let draft = draft(source).await;
        assert_eq!(draft["assumed"]["uncounted_models"], json!(["m"]));
        let found = quantity(&draft, "generated");
        // Each stretch by the one that counted in it; together all thirteen hours.
        assert!((found - 0.078).abs() < 1e-3, "{draft}");
    }
}
