//! What a scenario expects of a World.

use crate::{card, wiring};
use strata_query::promql::syntax::{parse_duration_ms, parse_number};
use strata_world::{EntityId, Reading, Signal, World};

/// Whether the World is as expected; what it is otherwise.
pub(crate) fn check(world: &World, text: &str) -> Result<(), String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "signal" => signal(world, rest),
        "unknown" => unknown(world, rest),
        "spread" => spread(world, rest),
        "entity" => entity(world, rest),
        "edge" => edge(world, rest),
        "capacity" => card::known(world, rest),
        "no" => match rest.strip_prefix("capacity ") {
            Some(rest) => card::unknown(world, rest),
            None if rest.starts_with("step ") => no_step(world, rest),
            None if rest.starts_with("feed ") => no_feed(world, rest),
            None => no_edge(world, rest),
        },
        "outliers" => outliers(world, rest),
        "coverage" => coverage(world, rest),
        "covered" => covered(world, rest),
        "step" => step(world, rest),
        "input" => input(world, rest),
        "age" => age(world, rest),
        "fault" => fault(world, rest),
        "faults" => faults(world, rest),
        "waiting" => waiting(world, rest),
        "waits" => waits(world, rest),
        "holding" => holding(world, rest),
        "link" => link(world, rest),
        "links" => links(world, rest),
        "wire" => wiring::wire(world, rest),
        "wires" => wiring::count(world, rest),
        "fabric" => wiring::fabric(world, rest),
        "down" => wiring::down(world, rest),
        "nodes" => wiring::nodes_down(world, rest),
        "path" => wiring::path(world, rest),
        "paths" => wiring::paths(world, rest),
        "reach" => wiring::reach(world, rest),
        "condition" => wiring::condition(world, rest),
        "note" => note(world, rest),
        _ => Err(format!("unknown expectation {word:?}")),
    }
}

/// `ID [ENTITY]`
fn find<'w>(world: &'w World, text: &str) -> Result<&'w Signal, String> {
    let (id, entity) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let entity = if entity.is_empty() { None } else { Some(identity(entity)?) };
    let found = world.signal(id, entity.as_ref());
    found.ok_or_else(|| {
        let known: Vec<_> = world.each(id).filter_map(|signal| signal.entity.as_ref()).collect();
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        format!("there is none; known: {known:?}; notes: {:?}", world.notes)
    })
}

pub(crate) fn identity(text: &str) -> Result<EntityId, String> {
    EntityId::parse(text).ok_or_else(|| format!("{text:?} is no identity"))
}

pub(crate) fn two<'t>(text: &'t str, by: &str) -> Result<(&'t str, &'t str), String> {
    text.split_once(by).ok_or_else(|| format!("{by:?} is missing"))
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-9 + expected.abs() * 1e-6
}

fn signal(world: &World, text: &str) -> Result<(), String> {
    let (what, expected) = two(text, " = ")?;
    let (at_most, expected) = match expected.strip_prefix("at most ") {
        Some(rest) => (true, rest),
        None => (false, expected),
    };
    let expected = parse_number(expected).ok_or("the value is no number")?;
    let signal = find(world, what)?;
    if signal.at_most != at_most {
        return Err(format!("it is known to be at most that: {}", signal.at_most));
    }
    match &signal.now {
        Reading::Known(value) if near(*value, expected) => {}
        found => return Err(format!("{found:?} from {}", signal.query)),
    }
    // Every signal is asked with its track, whose end is now.
    match signal.track.last() {
        Some(Some(last)) if near(*last, expected) => {}
        last => return Err(format!("the track ends in {last:?}")),
    }
    if signal.inputs.iter().all(|input| input.sources.is_empty()) {
        return Err("no input says where it is from".to_owned());
    }
    match signal.newest_ms {
        Some(_) => Ok(()),
        None => Err("its age is not known".to_owned()),
    }
}

fn unknown(world: &World, text: &str) -> Result<(), String> {
    let (what, because) = two(text, " because ")?;
    let (what, reason) = what.rsplit_once(' ').ok_or("the reason is missing")?;
    match &find(world, what)?.now {
        Reading::Known(value) => Err(format!("it is {value}")),
        Reading::Unknown(unknown) => {
            let found = format!("{:?}", unknown.reason).to_lowercase();
            if found == reason && unknown.text.contains(because) {
                Ok(())
            } else {
                Err(format!("{found} because {}", unknown.text))
            }
        }
    }
}

fn spread(world: &World, text: &str) -> Result<(), String> {
    let (what, expected) = two(text, " = ")?;
    let (id, entity) = what.split_once(' ').unwrap_or((what, ""));
    let entity = if entity.is_empty() { None } else { Some(identity(entity)?) };
    let spread = world.spread(id, entity.as_ref()).ok_or("there is none")?;
    let expected: Option<Vec<f64>> = expected.split(' ').map(parse_number).collect();
    let expected = expected.ok_or("a count is no number")?;
    let counts = spread.counts.as_ref().map_err(|unknown| format!("{unknown:?}"))?;
    let same = counts.len() == expected.len() && spread.edges.len() == expected.len();
    let same = same && counts.iter().zip(&expected).all(|(a, b)| near(*a, *b));
    if !same {
        return Err(format!("{counts:?} at {:?}", spread.edges));
    }
    match spread.columns.last() {
        Some(Some(column)) if column.len() == expected.len() => Ok(()),
        other => Err(format!("the last column is {other:?}")),
    }
}

fn entity(world: &World, text: &str) -> Result<(), String> {
    let (id, facts) = text.split_once(' ').unwrap_or((text, ""));
    let entity = world.entity(&identity(id)?).ok_or_else(|| {
        let known: Vec<String> = world.entities.iter().map(|e| e.id.to_string()).collect();
        format!("there is none; known: {known:?}")
    })?;
    for fact in facts.split(' ').filter(|fact| !fact.is_empty()) {
        let (name, value) = two(fact, "=")?;
        let known = entity.facts.iter().any(|(n, v)| n == name && v.replace(' ', "_") == value);
        if !known {
            return Err(format!("its facts are {:?}", entity.facts));
        }
    }
    Ok(())
}

fn edge(world: &World, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [from, relation, to, method, confidence] = words[..] else {
        return Err("five words are needed".to_owned());
    };
    let (from, to) = (identity(from)?, identity(to)?);
    let confidence = parse_number(confidence).ok_or("the confidence is no number")?;
    let found = world.edges.iter().find(|edge| {
        edge.from == from && edge.to == to && format!("{:?}", edge.relation) == relation
    });
    match found {
        Some(edge)
            if format!("{:?}", edge.method) == method && near(edge.confidence, confidence) =>
        {
            Ok(())
        }
        Some(edge) => Err(format!("{edge:?}")),
        None => {
            let known = world.edges.iter().filter(|edge| edge.from == from);
            let known: Vec<String> =
                known.map(|edge| format!("{:?} {}", edge.relation, edge.to)).collect();
            Err(format!("there is none; from there: {known:?}"))
        }
    }
}

fn no_edge(world: &World, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split(' ').collect();
    let ["edge", from, relation, to] = words[..] else {
        return Err("four words are needed".to_owned());
    };
    let (from, to) = (identity(from)?, identity(to)?);
    let found = world.edges.iter().find(|edge| {
        edge.from == from && edge.to == to && format!("{:?}", edge.relation) == relation
    });
    found.map_or(Ok(()), |edge| Err(format!("{edge:?}")))
}

fn outliers(world: &World, text: &str) -> Result<(), String> {
    let (id, expected) = two(text, " =")?;
    let found = world.each(id).filter(|signal| signal.outlier);
    let found: Vec<String> =
        found.filter_map(|signal| Some(signal.entity.as_ref()?.to_string())).collect();
    let expected: Vec<&str> = expected.split_whitespace().collect();
    if found == expected { Ok(()) } else { Err(format!("they are {found:?}")) }
}

fn coverage(world: &World, text: &str) -> Result<(), String> {
    let (what, because) = text.split_once(" because ").unwrap_or((text, ""));
    let (metric, state) = two(what, " ")?;
    let found = world.coverage.metrics.iter().find(|row| row.metric == metric);
    let found = found.ok_or("the metric is not covered")?;
    let words = format!(
        "{} {}",
        found.reason.as_deref().unwrap_or_default(),
        found.mend.as_deref().unwrap_or_default()
    );
    let same = format!("{:?}", found.state).to_lowercase() == state && words.contains(because);
    if same { Ok(()) } else { Err(format!("{found:?}")) }
}

/// `SIGNAL STATE because TEXT`, of the reason and the remedy.
fn covered(world: &World, text: &str) -> Result<(), String> {
    let (what, because) = text.split_once(" because ").unwrap_or((text, ""));
    let (signal, state) = two(what, " ")?;
    let found = world.coverage.signals.iter().find(|one| one.signal == signal);
    let found = found.ok_or("the signal is not covered")?;
    let texts = [&found.reason, &found.mend].map(|text| text.as_deref().unwrap_or_default());
    let is_told = texts.join(" ").contains(because);
    let same = format!("{:?}", found.state).to_lowercase() == state && is_told;
    if same { Ok(()) } else { Err(format!("{found:?}")) }
}

/// `SIGNAL because TEXT`: a step opens it, and says this.
fn step(world: &World, text: &str) -> Result<(), String> {
    let (signal, because) = text.split_once(" because ").unwrap_or((text, ""));
    let mut steps = world.coverage.layers.iter().flat_map(|layer| &layer.steps);
    let found = steps.find(|step| step.opens.contains(&signal)).ok_or("no step opens it")?;
    if found.mend.contains(because) { Ok(()) } else { Err(format!("{found:?}")) }
}

/// `step SIGNAL`, `step saying TEXT`: there is none.
fn no_step(world: &World, text: &str) -> Result<(), String> {
    let what = text.trim_start_matches("step ");
    let mut steps = world.coverage.layers.iter().flat_map(|layer| &layer.steps);
    let found = match what.strip_prefix("saying ") {
        Some(text) => steps.find(|step| step.mend.contains(text)),
        None => steps.find(|step| step.opens.contains(&what)),
    };
    found.map_or(Ok(()), |step| Err(format!("{step:?}")))
}

/// `feed LAYER SIGNALS`: so many of its signals and no more have an input.
fn no_feed(world: &World, text: &str) -> Result<(), String> {
    let (name, count) = two(text.trim_start_matches("feed "), " beyond ")?;
    let layer = world.coverage.layers.iter().find(|one| one.layer.name() == name);
    let found = layer.ok_or("there is no such layer")?.fed;
    if found.to_string() == count { Ok(()) } else { Err(format!("it has {found}")) }
}

/// `ID METRIC from SOURCE FAMILY`
fn input(world: &World, text: &str) -> Result<(), String> {
    let (what, source) = two(text, " from ")?;
    let (id, metric) = two(what, " ")?;
    let signal = find(world, id)?;
    let input = signal.inputs.iter().find(|input| input.metric == metric);
    let input = input.ok_or("it has no such input")?;
    let found: Vec<String> =
        input.sources.iter().map(|(title, family)| format!("{title} {family}")).collect();
    if found == [source] { Ok(()) } else { Err(format!("it is from {found:?}")) }
}

fn age(world: &World, text: &str) -> Result<(), String> {
    let (what, expected) = two(text, " = ")?;
    let expected = parse_duration_ms(expected).map_err(|why| why.clone())?;
    let found = find(world, what)?.newest_ms.map(|newest| world.window.end_ms - newest);
    if found == Some(expected) { Ok(()) } else { Err(format!("{found:?} ms")) }
}

fn note(world: &World, text: &str) -> Result<(), String> {
    let found = world.notes.iter().any(|note| note.contains(text));
    if found { Ok(()) } else { Err(format!("{:?}", world.notes)) }
}

/// `DEVICE CODE = COUNT at TIME [by PROCESS] [on SWITCH]`
fn fault(world: &World, text: &str) -> Result<(), String> {
    let (what, rest) = two(text, " = ")?;
    let (device, code) = two(what, " ")?;
    let (count, rest) = two(rest, " at ")?;
    let (rest, switch) = rest.split_once(" on ").map_or((rest, None), |(at, on)| (at, Some(on)));
    let (at, culprit) = rest.split_once(" by ").map_or((rest, None), |(at, by)| (at, Some(by)));
    let at_ms = parse_duration_ms(at)?;
    let device = identity(device)?;
    let is_it = |fault: &&strata_world::Fault| {
        fault.device == device
            && fault.code == code
            && fault.at_ms == at_ms
            && fault.count == parse_number(count)
            && fault.culprit.as_deref() == culprit
            && fault.switch.as_deref() == switch
    };
    match world.faults.iter().find(is_it) {
        Some(_) => Ok(()),
        None => Err(format!("there are {:?}", world.faults)),
    }
}

fn faults(world: &World, text: &str) -> Result<(), String> {
    let found = world.faults.len().to_string();
    if found == text { Ok(()) } else { Err(format!("there are {:?}", world.faults)) }
}

/// `KIND NUMBER up|down [to END] [ERROR=COUNT ...]`
fn link(world: &World, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [kind, number, state, errors @ ..] = &words[..] else {
        return Err("three words are needed".to_owned());
    };
    let found = world.links.iter().find(|link| link.kind == *kind && link.number == *number);
    let found = found.ok_or_else(|| format!("there are {:?}", world.links))?;
    let (errors, end) = match errors {
        ["to", end, errors @ ..] => (errors, Some(*end)),
        errors => (errors, None),
    };
    if found.end.as_ref().map(wiring::written).as_deref() != end {
        return Err(format!("{found:?}"));
    }
    let expected: Option<Vec<(String, f64)>> = errors
        .iter()
        .map(|error| {
            error.split_once('=').and_then(|(k, n)| Some((k.to_owned(), parse_number(n)?)))
        })
        .collect();
    let expected = expected.ok_or("an error has no count")?;
    let same = found.errors.len() == expected.len()
        && found.errors.iter().zip(&expected).all(|(a, b)| a.0 == b.0 && near(a.1, b.1));
    if found.up == Some(*state == "up") && same { Ok(()) } else { Err(format!("{found:?}")) }
}

/// `KIND/NUMBER ...`, in order
fn links(world: &World, text: &str) -> Result<(), String> {
    let found = world.links.iter().map(|link| format!("{}/{}", link.kind, link.number));
    let found = found.collect::<Vec<_>>().join(" ");
    if found == text { Ok(()) } else { Err(format!("there are {found}")) }
}

/// `SAID_BY OF REASON = COUNT [for DURATION] [such as POD POD]`, the reason `-` where nobody says it
fn waiting(world: &World, text: &str) -> Result<(), String> {
    let (what, rest) = two(text, " = ")?;
    let words: Vec<&str> = what.split(' ').collect();
    let [said_by, of, reason] = words[..] else { return Err("three words are needed".to_owned()) };
    let said_by = said_by.replace('_', " ");
    let reason = if reason == "-" { "" } else { reason };
    let (rest, names) = rest.split_once(" such as ").unwrap_or((rest, ""));
    let (count, longest) = rest.split_once(" for ").unwrap_or((rest, ""));
    let longest = if longest.is_empty() { None } else { Some(parse_duration_ms(longest)?) };
    let is_it = |waiting: &&strata_world::Waiting| {
        (&*waiting.said_by, &*waiting.of, &*waiting.reason) == (&*said_by, of, reason)
            && Some(waiting.count) == parse_number(count)
            && waiting.names.join(" ") == names
            && waiting.longest.map(|time| (time * 1000.0).round() as i64) == longest
    };
    match world.waiting.iter().find(is_it) {
        Some(_) => Ok(()),
        None => Err(format!("there are {:?}", world.waiting)),
    }
}

fn waits(world: &World, text: &str) -> Result<(), String> {
    let found = world.waiting.len().to_string();
    if found == text { Ok(()) } else { Err(format!("there are {:?}", world.waiting)) }
}

/// `GPU STATE EVIDENCE`, the state in its words with `_` for blanks
fn holding(world: &World, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split(' ').collect();
    let [gpu, state, evidence] = words[..] else { return Err("three words are needed".to_owned()) };
    let found = world.holdings.iter().find(|one| one.gpu_uuid == gpu);
    let found = found.ok_or_else(|| format!("there are {:?}", world.holdings))?;
    let same = found.state.word().replace(' ', "_") == state && found.evidence == evidence;
    if same { Ok(()) } else { Err(format!("{found:?}")) }
}
