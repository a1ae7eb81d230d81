//! One operation of the interface: what is asked, what is answered, and the refusals that every
//! operation has in common.

use serde_json::{Map, Value as Json, json};

/// The type of a body that is JSON.
pub(super) const JSON: &str = "application/json";
/// The type of what senders write into their logs.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// The type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// A parameter in the query.
pub(super) fn query(name: &str, description: &str, schema: &Json) -> Json {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

/// A parameter that must be there.
pub(super) fn needed(mut parameter: Json) -> Json {
    parameter["required"] = json!(true);
    parameter
}

/// A parameter that may be given several times.
pub(super) fn repeated(name: &str, description: &str, most: usize) -> Json {
    let schema = json!({ "type": "array", "items": { "type": "string" }, "maxItems": most });
    let mut parameter = query(name, description, &schema);
    parameter["explode"] = json!(true);
    parameter
}

/// A parameter in the path.
pub(super) fn in_path(name: &str, description: &str, schema: &Json) -> Json {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": schema,
    })
}

/// What is asked and answered.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    id: String,
    tag: &'static str,
    summary: String,
    parameters: Vec<Json>,
    body: Option<Json>,
    answers: Map<String, Json>,
    /// Answered without a token, also where there is one.
    is_open: bool,
}

impl Operation {
    pub(super) fn new(id: impl Into<String>, tag: &'static str, summary: &str) -> Self {
        Self {
            id: id.into(),
            tag,
            summary: summary.to_owned(),
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
            is_open: false,
        }
    }

    pub(super) fn asks(mut self, parameters: impl IntoIterator<Item = Json>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// The body of the request, by type.
    pub(super) fn takes(mut self, description: &str, bodies: &[(&str, Json)]) -> Self {
        self.body = Some(json!({
            "required": true,
            "description": description,
            "content": content(bodies),
        }));
        self
    }

    /// An answer, by type; none where the answer has no body.
    pub(super) fn answers(mut self, status: u16, what: &str, bodies: &[(&str, Json)]) -> Self {
        let mut answer = json!({ "description": what });
        if !bodies.is_empty() {
            answer["content"] = content(bodies);
        }
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// A header of an answer that was told of before.
    pub(super) fn header(mut self, status: u16, name: &str, what: &str, schema: &Json) -> Self {
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            answer["headers"][name] = json!({ "description": what, "schema": schema });
        }
        self
    }

    /// An answer that several operations have, of the components.
    pub(super) fn shares(mut self, status: u16, name: &str) -> Self {
        let shared = json!({ "$ref": format!("#/components/responses/{name}") });
        self.answers.insert(status.to_string(), shared);
        self
    }

    /// For everyone, also where a token is configured.
    pub(super) fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// The same with its parameters in a form, as `POST` has it.
    pub(super) fn as_form(&self) -> Self {
        let mut properties = Map::new();
        for parameter in &self.parameters {
            let mut schema = parameter["schema"].clone();
            schema["description"] = parameter["description"].clone();
            let name = parameter["name"].as_str().unwrap_or_default();
            properties.insert(name.to_owned(), schema);
        }
        let form = json!({ "type": "object", "properties": properties });
        let mut other = self.clone();
        other.id.push_str("_form");
        let description = "The parameters, of which those in the address count as well.";
        other.body = Some(json!({
            "required": false,
            "description": description,
            "content": content(&[(FORM, form)]),
        }));
        for parameter in &mut other.parameters {
            // What must be there may be in either.
            parameter["required"] = json!(parameter["in"] == "path");
        }
        other.shares(408, "Slow").shares(413, "Large")
    }

    /// As it stands in the document.
    pub(super) fn value(mut self) -> Json {
        if !self.is_open {
            self = self.shares(401, "Unauthorized");
        }
        self = self.shares(414, "LongAddress");
        self = self.shares(421, "Misdirected");
        self = self.shares(431, "LargeHead");
        if !self.answers.contains_key("500") {
            self = self.shares(500, "Broken");
        }
        self.answers.sort_keys();
        let mut value = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
        });
        if !self.parameters.is_empty() {
            value["parameters"] = Json::Array(self.parameters);
        }
        if let Some(body) = self.body {
            value["requestBody"] = body;
        }
        value["responses"] = Json::Object(self.answers);
        if self.is_open {
            value["security"] = json!([]);
        }
        value
    }
}

fn content(bodies: &[(&str, Json)]) -> Json {
    let bodies = bodies.iter().map(|(kind, schema)| {
        let body = if schema.is_null() { json!({}) } else { json!({ "schema": schema }) };
        ((*kind).to_owned(), body)
    });
    Json::Object(bodies.collect())
}
