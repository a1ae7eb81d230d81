//! The description against the router: everything that is served and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use strata_serve::{Listener, paths};

use super::described;

const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// Every operation: path, method, and what is said of it.
fn operations(document: &Json) -> Vec<(&str, &str, &Json)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, entry)| {
        let entry = entry.as_object().unwrap();
        let methods = entry.iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = described();
    let told: BTreeSet<(String, String)> = operations(&document)
        .into_iter()
        .map(|(path, method, _)| (path.to_owned(), method.to_owned()))
        .collect();
    let served: BTreeSet<(String, String)> = paths()
        .into_iter()
        .flat_map(|one| one.methods.iter().map(move |m| (one.path.clone(), (*m).to_owned())))
        .collect();
    let missing: Vec<_> = served.difference(&told).collect();
    let invented: Vec<_> = told.difference(&served).collect();
    assert!(missing.is_empty(), "served and not described: {missing:?}");
    assert!(invented.is_empty(), "described and not served: {invented:?}");
}

#[test]
fn a_path_names_the_ports_it_is_served_at() {
    let document = described();
    let mut ports: BTreeMap<String, BTreeSet<Listener>> = BTreeMap::new();
    for one in paths() {
        ports.entry(one.path).or_default().insert(one.listener);
    }
    for (path, listeners) in ports {
        let mut expected = Vec::new();
        for listener in &listeners {
            expected.push(match listener {
                Listener::Main => ":4808",
                Listener::OtlpHttp => ":4318",
                Listener::OtlpGrpc => ":4317",
            });
        }
        let own = &document["paths"][&path]["servers"];
        let servers = if own.is_null() { &document["servers"] } else { own };
        let servers = servers.as_array().unwrap();
        assert_eq!(servers.len(), expected.len(), "{path}: {servers:?}");
        for (server, port) in servers.iter().zip(expected) {
            assert!(server["url"].as_str().unwrap().ends_with(port), "{path}: {server}");
        }
    }
}

/// Every `$ref` below a value.
fn references<'a>(value: &'a Json, found: &mut Vec<&'a str>) {
    match value {
        Json::Object(map) => {
            found.extend(map.get("$ref").and_then(Json::as_str));
            map.values().for_each(|value| references(value, found));
        }
        Json::Array(all) => all.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = described();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let own = format!("#/components/{kind}/{name}");
            assert!(found.contains(&own.as_str()), "{own} is used nowhere");
        }
    }
}

#[test]
fn operations_have_their_own_names_and_all_parameters_of_their_path() {
    let document = described();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} is the name of two operations");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{id}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let mut names = BTreeSet::new();
        for parameter in &parameters {
            let name = parameter["name"].as_str().unwrap();
            assert!(names.insert(name), "{id}: {name} twice");
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{id}: {name}");
        }
        let own: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let told = parameters.iter().filter(|one| one["in"] == "path");
        let told: BTreeSet<&str> = told.map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(own, told, "{method} {path}");
    }
}

#[test]
fn every_operation_has_a_success_and_a_known_tag() {
    let document = described();
    let tags = document["tags"].as_array().unwrap().iter();
    let tags: BTreeSet<&str> = tags.map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut used = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(tags.contains(tag), "{method} {path}: {tag}");
        used.insert(tag);
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
        assert!(answers.contains_key("421"), "{method} {path}");
    }
    assert_eq!(tags, used);
}
