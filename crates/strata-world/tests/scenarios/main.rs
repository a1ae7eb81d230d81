//! Worlds from text scenarios: series go through the real PromQL engine and the real catalog, and
//! the World must say what the scenario expects.
//!
//! A `.scn` file is prose (`#`), `load` blocks as in promqltest, what is asked, and expectations:
//!
//! ```text
//! at 10m            end of the window, counted from the first sample
//! window 5m         length of the window
//! step 30s
//! scope node:a      the fleet when left out
//! source host/pressure unsupported needs psi=1
//!
//! expect signal ID [ENTITY] = VALUE
//! expect unknown ID [ENTITY] REASON because TEXT
//! expect spread ID [ENTITY] = COUNT COUNT ...
//! expect entity ENTITY [FACT=VALUE ...]
//! expect edge FROM RELATION TO METHOD CONFIDENCE
//! expect no edge FROM RELATION TO
//! expect outliers ID = ENTITY ENTITY ...
//! expect coverage METRIC STATE because TEXT
//! expect covered ID STATE because TEXT
//! expect step ID because TEXT           a step of the Doctor opens it, and says this
//! expect no step ID, expect no step saying TEXT
//! expect no feed LAYER beyond COUNT
//! expect input ID METRIC from SOURCE FAMILY
//! expect age ID [ENTITY] = DURATION
//! expect fault DEVICE CODE = COUNT at TIME [by PROCESS] [on SWITCH]
//! expect faults COUNT
//! expect link KIND NUMBER up|down [ERROR=COUNT ...]
//! expect links KIND/NUMBER ...
//! expect waiting SAID_BY OF REASON = COUNT [for DURATION] [such as POD POD]
//! expect waits COUNT
//! expect holding GPU STATE EVIDENCE
//! expect path GPU GPU = WAY
//! expect paths COUNT
//! expect reach NODE WAY = PAIRS
//! expect nodes down NODE KIND = LINKS
//! expect condition STATE [because REASON, REASON]
//! expect note TEXT
//! ```

mod card;
mod expect;
mod scenario;
mod wiring;

use std::path::{Path, PathBuf};

use scenario::Scenario;
use strata_query::{Answer, QueryValue};
use strata_world::{Answers, assemble, assemble_on};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(folder).expect("the scenarios are there");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "scn"));
    files.sort();
    files
}

#[test]
fn worlds_are_as_their_scenarios_say() {
    let files = files();
    assert!(files.len() >= 8, "the scenarios are missing");
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let scenario = Scenario::read(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
        let world = assemble(&scenario.plan, &scenario.answers());
        assert!(scenario.expectations.len() >= 3, "{name} expects too little");
        for (line, expectation) in &scenario.expectations {
            if let Err(why) = expect::check(&world, expectation) {
                wrong.push(format!("{name}:{line}: {expectation}\n    {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_order_of_series_in_answers_does_not_matter() {
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::read(&text).unwrap();
        let asked = scenario.answers();
        let expected = format!("{:?}", assemble(&scenario.plan, &asked));
        for seed in 0..3 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut answers = copy(&asked);
            shuffle(&mut answers, &mut random);
            let found = format!("{:?}", assemble(&scenario.plan, &answers));
            assert!(found == expected, "{}: seed {seed} gives another World", path.display());
            let found = format!("{:?}", assemble_on(4, &scenario.plan, &answers));
            assert!(found == expected, "{}: four threads give another World", path.display());
        }
    }
}

fn copy(answers: &Answers) -> Answers {
    Answers {
        queries: answers.queries.clone(),
        names: answers.names.clone(),
        names_before: answers.names_before.clone(),
        newest: answers.newest.clone(),
        sources: answers.sources.clone(),
    }
}

fn shuffle(answers: &mut Answers, random: &mut fastrand::Rng) {
    for answer in answers.queries.values_mut() {
        if let Ok(Answer {
            value: QueryValue::Vector(series) | QueryValue::Matrix(series), ..
        }) = answer
        {
            random.shuffle(series);
        }
    }
}

#[test]
fn a_wrong_expectation_is_found_out() {
    let text = "load 15s\n  vllm:num_requests_running{instance=\"h:1\",model_name=\"m\"} 2x40\n\n";
    let scenario = Scenario::read(text).unwrap();
    let world = assemble(&scenario.plan, &scenario.answers());
    let check = |expectation: &str, holds: bool| {
        assert_eq!(expect::check(&world, expectation).is_ok(), holds, "{expectation}");
    };
    check("signal l6.running = 2", true);
    check("signal l6.running = 3", false);
    check("signal l6.running replica:h:2 = 2", false);
    check("unknown l6.waiting absent because waiting", true);
    check("unknown l6.waiting stale because waiting", false);
    check("unknown l6.running absent because waiting", false);
    check("edge replica:h:1 Serves model:m SourceLabel 1", true);
    check("edge replica:h:1 Serves model:m Address 1", false);
    check("no edge replica:h:1 Serves model:m", false);
    check("entity replica:h:1 engine=vllm", true);
    check("entity replica:h:1 engine=sglang", false);
    check("spread l6.prompt_lengths = 1", false);
    check("coverage inference.requests.running absent", false);
    check("outliers l6.running = replica:h:1", false);
    check("nonsense", false);
}
