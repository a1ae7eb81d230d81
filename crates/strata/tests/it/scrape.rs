//! Pages of inference engines, scraped and asked for under both names: those of the engine and the
//! canonical ones.

use crate::fake::Page;
use crate::fixture;
use crate::http::eventually;
use crate::program::{House, Server};

const VLLM: &str = "metrics/vllm-0.32.0.prom";
const SGLANG: &str = "metrics/sglang-0.5.23.prom";
const LLAMA: &str = "metrics/llama-server-0.7.0-b11669.prom";

/// A job that asks one page every second. llama-server does not name its model, so the job does.
fn job(name: &str, page: &Page, labels: &str) -> String {
    format!(
        "[[scrape]]\njob = \"{name}\"\ntargets = [\"{}\"]\ninterval = \"1s\"\n\
         timeout = \"900ms\"\nlabels = {{ {labels} }}\n",
        page.address
    )
}

/// The sum of a family's samples on a page.
fn sum_on_page(page: &str, family: &str) -> f64 {
    let page = String::from_utf8(fixture(page)).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix(family));
    let lines = lines.filter(|rest| rest.starts_with(['{', ' ']));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

fn wait_for(server: &Server, query: &str) -> f64 {
    eventually(query, || server.value(query, None).ok_or("no series".to_owned()))
}

#[test]
fn every_engine_answers_to_canonical_names_and_to_its_own() {
    let pages = [VLLM, SGLANG, LLAMA].map(|name| Page::serve(fixture(name)));
    let [vllm, sglang, llama] = &pages;
    let jobs = [
        job("vllm", vllm, ""),
        job("sglang", sglang, ""),
        job("llama", llama, "model = \"tiny-gguf\""),
    ];
    let house = House::new(&jobs.concat());
    let server = house.start();
    for (name, page, own, model) in [
        ("vllm", VLLM, "vllm:generation_tokens_total", "tiny-llama"),
        ("sglang", SGLANG, "sglang:generation_tokens_total", "tiny-llama"),
        ("llama", LLAMA, "llamacpp:tokens_predicted_total", "tiny-gguf"),
    ] {
        let expected = sum_on_page(page, own);
        assert!(expected > 0.0, "{name}: the page counts nothing");
        let native = wait_for(&server, &format!("sum({own}{{job=\"{name}\"}})"));
        assert_eq!(native, expected, "{own}");
        let query = format!("sum by (model) (inference_generation_tokens_total{{job=\"{name}\"}})");
        let result = server.query(&query, None);
        assert_eq!(result.len(), 1, "{name}: {result:?}");
        assert_eq!(result[0]["metric"]["model"], model, "{name}");
        assert_eq!(result[0]["value"][1], expected.to_string(), "{name}");
    }
    let by_model = "sum by (model) (inference_generation_tokens_total)";
    assert_eq!(server.query(by_model, None).len(), 2, "the same model in two engines is one row");
}

#[test]
fn quantiles_and_look_ups_know_canonical_names() {
    let page = Page::serve(fixture(VLLM));
    let house = House::new(&job("vllm", &page, ""));
    let server = house.start();
    let bucket = "sum by (le) (inference_ttft_seconds_bucket)";
    let own = "sum by (le) (vllm:time_to_first_token_seconds_bucket)";
    let quantile = wait_for(&server, &format!("histogram_quantile(0.5, {bucket})"));
    assert!(quantile > 0.0 && quantile < 10.0, "{quantile}");
    let native = server.value(&format!("histogram_quantile(0.5, {own})"), None);
    assert_eq!(Some(quantile), native, "the same buckets under both names");
    let names = server.api("/api/v1/label/__name__/values", &[]);
    let names: Vec<&str> = names.as_array().unwrap().iter().filter_map(|n| n.as_str()).collect();
    for name in ["inference_generation_tokens_total", "inference_ttft_seconds_bucket"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(names.contains(&"vllm:generation_tokens_total"));
    let family = "inference_generation_tokens_total";
    let metadata = server.api("/api/v1/metadata", &[("metric", family)]);
    assert_eq!(metadata[family][0]["type"], "counter", "{metadata}");
    let models = [("match[]", family)];
    assert_eq!(server.api("/api/v1/label/model/values", &models)[0], "tiny-llama");
}

#[test]
fn a_page_that_goes_away_ends_its_series() {
    let page = Page::serve(fixture(VLLM));
    let house = House::new(&job("vllm", &page, ""));
    let server = house.start();
    assert_eq!(wait_for(&server, "up{job=\"vllm\"}"), 1.0);
    wait_for(&server, "sum(vllm:generation_tokens_total)");
    page.go_away();
    eventually("up is 0", || match server.value("up{job=\"vllm\"}", None) {
        Some(0.0) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    eventually("the series end", || {
        match server.query("inference_generation_tokens_total", None) {
            rows if rows.is_empty() => Ok(()),
            rows => Err(format!("{rows:?}")),
        }
    });
    assert!(server.query("{__name__=~\"vllm:.+\"}", None).is_empty());
    let row = server.source(&format!("scrape/vllm/{}", page.address)).unwrap();
    assert_eq!(row["state"], "failing", "{row}");
    assert!(!row["hint"].as_str().unwrap().is_empty(), "{row}");
}
