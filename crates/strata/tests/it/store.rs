//! `strata store verify`, and a store that finds a file damaged.

use std::fs;
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::program::{House, now_ms, stderr, stdout};
use crate::wire::{Row, body};

const DAY_MS: i64 = 86_400_000;

/// A stopped store with one sample of today and one of yesterday; returns yesterday's file.
fn two_days(house: &House) -> PathBuf {
    let server = house.start();
    let now = now_ms();
    let old = Row::new("kept", ("day", "old"), [(now - DAY_MS, 1.0)]);
    let new = Row::new("kept", ("day", "new"), [(now, 2.0)]);
    assert_eq!(server.write(&body(&[old])).status, 204);
    assert_eq!(server.write(&body(&[new])).status, 204);
    assert!(server.stop().0.success());
    let files = fs::read_dir(&house.data).unwrap().map(|entry| entry.unwrap().path());
    let mut days: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "db")).collect();
    days.sort();
    assert!(days.len() >= 2, "{days:?}");
    days.remove(0)
}

fn verify(house: &House, json: bool) -> (Option<i32>, String, String) {
    let mut arguments = vec!["store", "verify", "data"];
    arguments.extend(json.then_some("--json"));
    let output = house.run(&arguments);
    (output.status.code(), stdout(&output), stderr(&output))
}

#[test]
fn verify_tells_a_sound_store_from_a_damaged_one() {
    let house = House::new("");
    let yesterday = two_days(&house);
    let (code, told, _) = verify(&house, false);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.ends_with("sound\n"), "{told}");
    let (code, told, _) = verify(&house, true);
    let told: Json = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["damage"]), (Some(0), &Json::Array(Vec::new())));
    assert!(told["samples"].as_u64().unwrap() >= 2, "{told}");
    let bytes = fs::read(&yesterday).unwrap();
    fs::write(&yesterday, &bytes[..bytes.len() / 2]).unwrap();
    let (code, told, why) = verify(&house, false);
    assert_eq!(code, Some(1), "{told}");
    let name = yesterday.file_name().unwrap().to_str().unwrap();
    assert!(told.contains(&format!("{name}: ")) && !told.contains("sound"), "{told}");
    assert!(why.contains("damaged"), "{why}");
    let (code, told, _) = verify(&house, true);
    let told: Json = serde_json::from_str(&told).unwrap();
    assert_eq!((code, told["damage"].as_array().unwrap().len()), (Some(1), 1), "{told}");
    let missing = house.run(&["store", "verify", "nowhere"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("nowhere"), "{}", stderr(&missing));
}

#[test]
fn a_damaged_day_is_told_and_the_rest_can_be_read() {
    let house = House::new("");
    let yesterday = two_days(&house);
    fs::write(&yesterday, b"this was a day of samples and is one no more, says the test").unwrap();
    // A tier that was written already would stand in for the day.
    for entry in fs::read_dir(&house.data).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("tier") {
            fs::remove_file(path).unwrap();
        }
    }
    let server = house.start();
    let days = server.query("kept[2d]", None);
    let labels: Vec<_> = days.iter().map(|row| &row["metric"]["day"]).collect();
    assert_eq!(labels, ["new"], "{days:?}");
    let row = Row::new("kept", ("day", "new"), [(now_ms(), 3.0)]);
    assert_eq!(server.write(&body(&[row])).status, 204, "and written");
    let status = server.get("/api/v1/strata/status", &[]).json();
    assert_eq!(status["store"]["damaged"], 1, "{status}");
    let log = server.stop().1;
    let name = yesterday.file_name().unwrap().to_str().unwrap();
    assert!(log.contains("ERROR") && log.contains(name), "{log}");
    assert!(!yesterday.exists(), "it is set aside, not removed");
    let (code, told, _) = verify(&house, false);
    assert!(code == Some(1) && told.contains(".damaged"), "{told}");
}

#[test]
fn a_backup_of_a_running_or_stopped_store_is_a_sound_store() {
    let house = House::new("");
    drop(two_days(&house));
    let stopped = house.run(&["store", "backup", "stopped", "--data-dir", "data"]);
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    assert!(stdout(&stopped).ends_with("sound\n"), "{}", stdout(&stopped));
    let server = house.start();
    let row = Row::new("kept", ("day", "now"), [(now_ms(), 3.0)]);
    assert_eq!(server.write(&body(&[row])).status, 204);
    let running = house.run(&["store", "backup", "running", "--data-dir", "data", "--json"]);
    let told: Json = serde_json::from_slice(&running.stdout).unwrap();
    assert_eq!((running.status.code(), &told["damage"]), (Some(0), &Json::Array(Vec::new())));
    assert!(told["log_samples"].as_u64().unwrap() >= 1, "what was acknowledged is there: {told}");
    server.kill();
    let copy = house.path().join("running");
    fs::remove_dir_all(&house.data).unwrap();
    fs::rename(copy, &house.data).unwrap();
    let server = house.start();
    assert_eq!(server.query("kept[2d]", None).len(), 3, "a copy is a store");
    for (arguments, words) in [
        (&["store", "backup", "stopped", "--data-dir", "data"][..], "exists"),
        (&["store", "backup", "none", "--data-dir", "nowhere"], "nowhere"),
        (&["store", "backup", "none", "--data-dir", "."], "no file of a store"),
    ] {
        let output = house.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
    assert!(!house.path().join("none").exists(), "nothing is left that looks like a backup");
}
