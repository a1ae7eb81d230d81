//! `[[owned]]` rows of a price book: what was paid for hardware, instead of a price for an hour.

use strata_model::Problem;
use toml::{Table, Value};

use super::{Origin, Price, Tco, TcoRate, parse, validate};

/// What a row may say beside the inputs of the rate; it means what it means in a `[[price]]` row.
const KEYS: [&str; 10] =
    ["gpu", "node", "label", "value", "provider", "region", "currency", "from", "until", "date"];
/// The inputs of the rate, with their fields.
type Input = (&'static str, fn(&mut Tco) -> &mut f64);
const INPUTS: [Input; 16] = [
    ("gpus", |tco| &mut tco.gpus),
    ("servers", |tco| &mut tco.servers),
    ("network", |tco| &mut tco.network),
    ("storage", |tco| &mut tco.storage),
    ("spares", |tco| &mut tco.spares),
    ("residual", |tco| &mut tco.residual),
    ("rate", |tco| &mut tco.rate),
    ("years", |tco| &mut tco.years),
    ("availability", |tco| &mut tco.availability),
    ("maintenance", |tco| &mut tco.maintenance),
    ("kw_per_gpu", |tco| &mut tco.kw_per_gpu),
    ("pue", |tco| &mut tco.pue),
    ("load_factor", |tco| &mut tco.load_factor),
    ("per_kwh", |tco| &mut tco.per_kwh),
    ("colo_per_kw_month", |tco| &mut tco.colo_per_kw_month),
    ("staff", |tco| &mut tco.staff),
];

/// The rows of a book, with their places in the file, as prices of a GPU and hour, and every problem of
/// every row.
pub(super) fn rows(found: &[Value], origin: Origin) -> (Vec<(usize, Price)>, Vec<Problem>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for (at, value) in found.iter().enumerate() {
        let told = match value.as_table() {
            Some(table) => price(table, origin),
            None => Err(vec![Problem::new("", "not a table")]),
        };
        match told {
            Ok(price) => rows.push((at, price)),
            Err(all) => {
                problems.extend(all.into_iter().map(|one| one.within(&format!("owned[{at}]"))));
            }
        }
    }
    problems.extend(validate::problems(&rows).into_iter().map(|one| {
        let renamed = |text: &str| text.replace("price[", "owned[");
        Problem::new(renamed(&one.path), renamed(&one.message))
    }));
    (rows, problems)
}

fn price(table: &Table, origin: Origin) -> Result<Price, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut row = Table::new();
    for (key, value) in table {
        if KEYS.contains(&key.as_str()) {
            row.insert(key.clone(), value.clone());
        } else if !INPUTS.iter().any(|(name, _)| name == key) && key != "source" {
            let inputs = INPUTS.map(|(name, _)| name).join(", ");
            let message = format!("unknown; a row has {}, source, {inputs}", KEYS.join(", "));
            problems.push(Problem::new(key, message));
        }
    }
    let tco = inputs(table, &mut problems);
    let rate = tco.rate();
    let rate = match (rate, problems.is_empty()) {
        (Ok(rate), true) => rate,
        (Err(more), true) => return Err(more),
        (_, false) => return Err(problems),
    };
    row.insert("per_hour".to_owned(), Value::Float(rate.full()));
    for (key, text) in [("per", "gpu"), ("term", "owned"), ("kind", "effective")] {
        row.insert(key.to_owned(), Value::String(text.to_owned()));
    }
    let by = table.get("source").and_then(Value::as_str).unwrap_or("owned hardware");
    row.insert("source".to_owned(), Value::String(format!("{by}: {}", parts(&rate))));
    parse::row(&row, origin)
}

/// The inputs; each that is missing is told, for each is an assumption that somebody must make.
fn inputs(table: &Table, problems: &mut Vec<Problem>) -> Tco {
    let mut tco = Tco::default();
    for (name, field) in INPUTS {
        let number = match table.get(name) {
            Some(Value::Integer(whole)) => Some(*whole as f64),
            Some(Value::Float(number)) => Some(*number),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
            None => {
                problems.push(Problem::new(name, "missing: write 0 if there is none of it"));
                continue;
            }
        };
        match number {
            Some(number) => *field(&mut tco) = number,
            None => problems.push(Problem::new(name, "not a number")),
        }
    }
    tco
}

/// What the rate is made of, as it stands beside the price.
fn parts(rate: &TcoRate) -> String {
    let all = [
        ("capital", rate.capital),
        ("maintenance", rate.maintenance),
        ("energy", rate.energy),
        ("colocation", rate.colo),
        ("staff", rate.staff),
    ];
    let told = all.into_iter().filter(|(_, part)| *part > 0.0);
    told.map(|(name, part)| format!("{name} {part:.3}")).collect::<Vec<_>>().join(", ")
}
