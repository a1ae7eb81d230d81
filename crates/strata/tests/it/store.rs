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
