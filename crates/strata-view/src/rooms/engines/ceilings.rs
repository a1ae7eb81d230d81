//! Which resource of a replica gives out first, and how many requests still fit.

use strata_world::capacity::{Capacity, Ceiling, Fit, LIMITS, Limit, Semantics};

use super::fact::{Made, cell, column, fact, text};
use crate::page::block::{Block, Card};
use crate::page::number::Number;
use crate::page::status::Status;
use crate::page::table::{Row, Table};
use crate::words;

/// Part of the first ceiling from which on it is worth watching.
const NEAR: f64 = 0.8;

const RATE: Made = Made {
    unit: "{request}/s",
    definition: "Requests that ended per second, over the readings.",
    formula: "rise of finished requests / seconds of the readings",
    inputs: &["inference.requests.finished"],
};

const HEADROOM: Made = Made {
    unit: "{request}/s",
    definition: "Requests per second of the kind that came, until the first resource gives out.",
    formula: "lowest known ceiling - requests per second",
    inputs: &["inference.requests.finished"],
};

/// The card: what binds, and how far it is.
pub(super) fn card(capacity: &Capacity) -> Block {
    let rate = capacity.load.requests;
    let (status, title) = match (capacity.binding(), rate) {
        (None, _) => (Status::Blind, "which resource gives out first is not known".to_owned()),
        (Some((limit, most)), rate) => {
            let status = match rate {
                Some(rate) if rate >= most => Status::Broken,
                Some(rate) if rate >= NEAR * most => Status::Watch,
                Some(_) => Status::Ok,
                None => Status::Blind,
            };
            let at = words::text(Some(most), "{request}/s");
            (status, format!("{} gives out first, at {at}", limit.name()))
        }
    };
    let unknown = capacity.ceilings.iter().filter(|one| one.requests.is_err()).count();
    let rest = match unknown {
        0 => String::new(),
        LIMITS => " None of them is known; the table says why.".to_owned(),
        some => {
            format!(" {some} of {LIMITS} are not known and may be lower; the table says why.")
        }
    };
    let fill = words::text(Some(capacity.targets.fill), "1");
    let text = format!(
        "Of requests of the kind that came, with each resource used to {fill}.{}{rest}",
        ranks(capacity)
    );
    let none = "no ceiling or no rate is known";
    Block::Card(Card {
        status,
        title,
        text,
        steps: Vec::new(),
        numbers: vec![
            fact("requests now", rate.ok_or("finished requests are not on its page"), RATE),
            fact("until it gives out", capacity.headroom().ok_or(none), HEADROOM),
        ],
        commands: Vec::new(),
        link: None,
    })
}

fn ranks(capacity: &Capacity) -> String {
    if capacity.ranks > 1 {
        let ranks = capacity.ranks;
        format!(" {ranks} data-parallel ranks are added together: one of them may be full before.")
    } else {
        String::new()
    }
}

/// Definition and inputs of a ceiling.
fn made(limit: Limit) -> Made {
    let (definition, inputs): (_, &'static [&'static str]) = match limit {
        Limit::KvCache => (
            "Requests per second at which the KV cache is used to the target. What a request holds \
             is measured: mean tokens held over requests that ended per second (Little's law), \
             stretched to longer steps where the model of steps is good.",
            &["inference.kv_cache.capacity", "inference.kv_cache.utilization"],
        ),
        Limit::Prefill => (
            "Requests per second at which prompts are prefilled for the target's part of the time. \
             Requests are prefilled side by side: of n at once on average somebody is for \
             1 - exp(-n) of the time.",
            &["inference.prefill_time", "inference.ttft"],
        ),
        Limit::Decode => (
            "Requests per second at which the gap between output tokens reaches its target, by the \
             model of steps.",
            &["inference.itl", "inference.requests.running", "inference.generation_tokens"],
        ),
        Limit::Sequences => (
            "Requests per second at which as many run as may (Little's law).",
            &["inference.requests.limit", "inference.requests.running"],
        ),
        Limit::FrontEnd => (
            "Requests per second at which the front end, which is one Python process and reads and \
             writes all text, uses its core to the target; at least, since threads of the tokenizer \
             are in its time too. By a line through processor time and generated tokens.",
            &["process.cpu.time", "inference.generation_tokens"],
        ),
    };
    Made { unit: "{request}/s", definition, formula: limit.formula(), inputs }
}

/// One row for each ceiling.
pub(super) fn table(capacity: &Capacity) -> Table {
    let first = capacity.binding().map(|(limit, _)| limit);
    let row = |one: &Ceiling| {
        let rate = one.requests.as_ref().copied().map_err(String::as_str);
        let says = match rate {
            Err(why) => why.to_owned(),
            Ok(_) if first == Some(one.limit) => "gives out first".to_owned(),
            Ok(_) => String::new(),
        };
        let cells = vec![
            text(one.limit.name()),
            cell(fact("requests", rate, made(one.limit))),
            text(says),
            text(one.limit.formula()),
        ];
        Row { cells, link: None }
    };
    Table {
        title: "Ceilings".to_owned(),
        columns: vec![
            column("resource", false, 0),
            column("requests", true, 0),
            column("", false, 1),
            column("formula", false, 3),
        ],
        rows: capacity.ceilings.iter().map(row).collect(),
        total_rows: None,
        empty: String::new(),
    }
}

const LENGTH: Made = Made {
    unit: "{token}",
    definition: "Tokens of the KV cache that a request of this shape holds in the end, at most: \
                 quantile of prompt and answer together, by the edges of the \
                 buckets and as if the two did not depend on each other.",
    formula: "Q_q(P + O)",
    inputs: &["inference.request.prompt_tokens", "inference.request.generation_tokens"],
};

const ALL: Made = Made {
    unit: "{request}",
    definition: "Requests of this shape that fit into the cache used to the target, at least.",
    formula: "floor(u C / Q_q(P + O))",
    inputs: &["inference.kv_cache.capacity"],
};

const MORE: Made = Made {
    unit: "{request}",
    definition: "Requests of this shape that still fit beside those that run, at least.",
    formula: "floor((u C - pinned) / Q_q(P + O))",
    inputs: &["inference.kv_cache.capacity", "inference.kv_cache.utilization"],
};

/// The numbers of one shape: its tokens, how many fit, how many more.
pub(super) fn shape(fit: Result<&Fit, &str>, semantics: Semantics) -> [Number; 3] {
    let resident = "this engine counts reusable prefixes as used: what runs cannot be told from it";
    let more = match (fit, semantics) {
        (Err(why), _) => Err(why),
        (Ok(_), Semantics::Resident) => Err(resident),
        (Ok(fit), _) => fit.more.ok_or("the held part of the cache is not on its page"),
    };
    [
        fact("tokens", fit.map(|fit| fit.tokens), LENGTH),
        fact("fit in all", fit.map(|fit| fit.all), ALL),
        fact("still fit", more, MORE),
    ]
}

/// `p50` of the shape that half of the requests stay within.
pub(super) fn shape_name(share: f64) -> String {
    // Shares come from percents: 0.999 is 99.9 but for the noise of binary fractions.
    format!("p{}", (share * 1e6).round() / 1e4)
}

/// One row for each shape of requests.
pub(super) fn shapes(capacity: &Capacity) -> Table {
    let fits = capacity.fits.as_ref();
    let row = |(at, share): (usize, f64)| {
        let fit = match fits {
            Err(why) => Err(why.as_str()),
            Ok(fits) => {
                let found = fits.get(at).and_then(Option::as_ref);
                found.ok_or("such a request is longer than the last edge of the buckets")
            }
        };
        let numbers = shape(fit, capacity.semantics).map(cell);
        let cells = std::iter::once(text(shape_name(share))).chain(numbers).collect();
        Row { cells, link: None }
    };
    Table {
        title: "Requests of your shape".to_owned(),
        columns: vec![
            column("shape", false, 0),
            column("tokens", true, 0),
            column("fit in all", true, 0),
            column("still fit", true, 0),
        ],
        rows: capacity.targets.shapes.into_iter().enumerate().map(row).collect(),
        total_rows: None,
        empty: String::new(),
    }
}
