//! The shapes of `OpenCost`'s answers.

use serde_json::{Value as Json, json};
use strata_view::{PageError, PageErrorCode};

use super::{BY_MAX, DIMENSIONS, OPENCOST, period};
use crate::openapi::Document;
use crate::openapi::operation::{JSON, Operation, query};
use crate::openapi::pages::refusing;
use crate::openapi::schema::{list, map, maybe, number, object, said, text, with, word};

const WINDOW: &str = "Length until now, or `today`, `yesterday`, `week`, `lastweek`, `month`, `lastmonth`, \
                      or two times with a comma between: RFC 3339 or seconds since 1970.";

pub(super) fn describe(document: &mut Document) {
    let allocation = allocation(document);
    for (path, id) in [("/allocation", "allocation"), ("/allocation/compute", "allocation_compute")]
    {
        let summary = "Money of a period by a dimension, in one window.";
        add(document, path, Operation::new(id, OPENCOST, summary), allocation.clone());
    }
    let basis = || {
        let about = "All held time, or busy time only, which does not add up to the bill.";
        query("costBasis", about, &word(["allocation", "usage"]))
    };
    let set = inference_set(document);
    let total = object([("code", json!({ "const": 200 })), ("data", set.clone())]);
    let operation = Operation::new("inference_total", OPENCOST, "Money of a period by model.");
    add(document, "/inferenceCost/total", operation.asks([basis()]), total);
    let sets = object([("inferenceCostSets", list(set)), ("window", object(period()))]);
    let series = object([("code", json!({ "const": 200 })), ("data", sets)]);
    let summary = "Money by model, in parts of a period.";
    let operation = Operation::new("inference_timeseries", OPENCOST, summary);
    let about = "Length of the parts; there may be 62.";
    let mut step = query("accumulate", about, &word(["hour", "day", "week", "month"]));
    step["required"] = json!(true);
    add(document, "/inferenceCost/timeseries", operation.asks([basis(), step]), series);
}

fn add(document: &mut Document, path: &str, operation: Operation, schema: Json) {
    let names = DIMENSIONS.map(|(name, _)| name);
    let by = json!({ "type": "array", "items": word(names), "maxItems": BY_MAX });
    let about = "The first counts; OpenCost's words `model_name`, `tenant_id` and `label:team` are \
                 understood. Where nothing is given: namespace, or of inference the model, its only \
                 property.";
    let mut by = query("aggregate", about, &by);
    (by["style"], by["explode"]) = (json!("form"), json!(false));
    let operation = operation
        .asks([query("window", WINDOW, &text()), query("end", super::END, &text()), by])
        .answers(200, "The document. Other parameters are passed over.", &[(JSON, schema)]);
    let refused = document.of::<PageError>();
    let codes = [PageErrorCode::BadRequest, PageErrorCode::NotFound];
    document.get(path, refusing(operation, &refused, &codes));
}

fn allocation(document: &mut Document) -> Json {
    let [start, end] = period();
    let row = object([
        (
            "name",
            said(text(), "`__idle__` is held by nobody, `__unallocated__` belongs to nothing."),
        ),
        ("window", object(period())),
        start,
        end,
        ("minutes", number()),
        ("gpuCount", number()),
        ("gpuHours", number()),
        ("gpuUsageAverage", number()),
        ("gpuEfficiency", number()),
    ]);
    // Left out where a part has no price.
    let money = [("gpuCost", number()), ("gpuCostIdle", number()), ("totalCost", number())];
    let row = document.name("Allocation", with(row, money));
    object([
        ("code", json!({ "const": 200 })),
        ("status", json!({ "const": "success" })),
        ("data", list(map(row))),
    ])
}

fn inference_set(document: &mut Document) -> Json {
    let row = object([
        ("properties", object([("modelName", text())])),
        ("window", object(period())),
        ("costBasis", word(["allocation", "usage"])),
        ("totalCost", number()),
        ("promptTokens", number()),
        ("generationTokens", number()),
        ("totalTokens", number()),
        ("costPerMillionTokens", maybe(number())),
        ("inputCost", number()),
        ("outputCost", number()),
        ("inputCostPerMillionTokens", maybe(number())),
        ("outputCostPerMillionTokens", maybe(number())),
        ("allocationMethod", text()),
    ]);
    let row = document.name("InferenceCost", row);
    object([("inferenceCosts", map(row)), ("window", object(period()))])
}
