//! The description of the interface against a running server: what it answers is what is written.

mod answers;
mod golden;
mod ledger;
mod pages;
mod records;
mod schema;
mod token;
mod without;

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::http::{self, Answer};
use crate::program::Server;

/// Where the description is served.
const PATH: &str = "/api/v1/openapi.json";

/// The description as a server gives it, and what of it was seen.
struct Described {
    document: Json,
    /// Method, path and status of answers that were as written.
    seen: RefCell<BTreeSet<(String, String, u16)>>,
}

/// Parameters of a request.
type Parameters<'a> = &'a [(&'a str, &'a str)];

impl Described {
    fn by(server: &Server) -> Self {
        let answer = server.get(PATH, &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        Self { document: answer.json(), seen: RefCell::default() }
    }

    fn operation(&self, method: &str, path: &str) -> &Json {
        let operation = &self.document["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not described");
        operation
    }

    /// What is written about an answer.
    fn answer(&self, method: &str, path: &str, status: u16) -> &Json {
        let answer = &self.operation(method, path)["responses"][status.to_string()];
        assert!(answer.is_object(), "{method} {path}: {status} is not described");
        match answer["$ref"].as_str().and_then(|text| text.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).unwrap(),
            None => answer,
        }
    }

    /// The schema of an answer of a type.
    fn schema(&self, method: &str, path: &str, status: u16, kind: &str) -> &Json {
        let written = &self.answer(method, path, status)["content"];
        let content = written.get(kind);
        let content = content.unwrap_or_else(|| panic!("{method} {path}: {kind} in {written}"));
        &content["schema"]
    }

    /// Compare an answer with what is written.
    fn check(&self, method: &str, path: &str, status: u16, answer: &Answer) {
        let told = format!("{method} {path} {status}");
        assert_eq!(answer.status, status, "{told}: {}", answer.text());
        let written = self.answer(method, path, status);
        match answer.header("content-type") {
            None => {
                assert!(written.get("content").is_none(), "{told}: no body but {written}");
                assert!(answer.body.is_empty(), "{told}: a body without a type");
            }
            Some("application/json") => {
                let schema = self.schema(method, path, status, "application/json");
                let value = answer.json();
                if let Err(reason) = schema::check(&self.document, schema, &value) {
                    panic!("{told}: {reason} in {}", start_of(&answer.text()));
                }
            }
            Some(kind) => {
                self.schema(method, path, status, kind);
            }
        }
        self.seen.borrow_mut().insert((method.to_owned(), path.to_owned(), status));
    }

    /// Ask by `GET`, and by `POST` with a form where that is described too. `path` is as in the
    /// description; its own parameters are taken out of `parameters`.
    fn ask(&self, server: &Server, path: &str, parameters: Parameters<'_>, status: u16) {
        let (address, rest) = filled(path, parameters);
        self.check("get", path, status, &server.get(&address, &rest));
        if self.document["paths"][path]["post"].is_object() {
            let form = server.address("/", &rest);
            let form = form.split_once('?').map_or("", |(_, form)| form);
            let headers = [("Content-Type", "application/x-www-form-urlencoded")];
            let url = server.address(&address, &[]);
            self.check("post", path, status, &http::post(&url, &headers, form.as_bytes()));
        }
    }

    /// Every operation: method, path, and what is written.
    fn operations(&self) -> impl Iterator<Item = (&str, &str, &Json)> {
        let paths = self.document["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, entry)| {
            let methods = ["get", "post"].into_iter().filter(|method| entry[method].is_object());
            methods.map(move |method| (method, path.as_str(), &entry[method]))
        })
    }
}

/// A path with its parameters filled in, and the parameters that are left.
fn filled<'a>(path: &str, parameters: Parameters<'a>) -> (String, Vec<(&'a str, &'a str)>) {
    let mut address = path.to_owned();
    let mut rest = Vec::new();
    for (name, value) in parameters {
        let brace = format!("{{{name}}}");
        if address.contains(&brace) {
            address = address.replace(&brace, value);
        } else {
            rest.push((*name, *value));
        }
    }
    assert!(!address.contains('{'), "{address}: a parameter is missing");
    (address, rest)
}

fn start_of(text: &str) -> String {
    text.chars().take(2_000).collect()
}
