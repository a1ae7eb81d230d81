//! Finding what listens here, and leaving alone what nobody knows.

use crate::fake::Page;
use crate::fixture;
use crate::http::eventually;
use crate::program::House;

/// A configuration that looks at these pages. Well-known ports are asked too: whatever else runs
/// here may be found beside them.
fn looking_at(pages: &[&Page]) -> String {
    let ports: Vec<u16> = pages.iter().map(|page| page.address.port()).collect();
    format!(
        "[server]\notlp_grpc_listen = \"\"\notlp_http_listen = \"\"\n[host]\nenabled = false\n\
         [discover]\ninterval = \"1s\"\nscrape_interval = \"1s\"\nscrape_timeout = \"900ms\"\n\
         ports = {ports:?}\n"
    )
}

#[test]
fn a_known_page_is_found_and_scraped_an_unknown_one_only_reported() {
    let known = Page::serve(fixture("metrics/llama-server-0.7.0-b11669.prom"));
    let unknown = Page::serve(b"# TYPE fridge_temperature gauge\nfridge_temperature 4\n".to_vec());
    let config = looking_at(&[&known, &unknown]);
    let house = House::with_config(&config);
    let server = house.start();
    let id = format!("scrape/llamacpp/{}", known.address);
    let found = server.greeting["found"].as_array().unwrap();
    let found = found.iter().find(|found| found["id"] == id.as_str());
    let found = found.unwrap_or_else(|| panic!("{id}: {}", server.greeting));
    assert_eq!(found["source"], "llamacpp");
    let place = unknown.address.to_string();
    let hints = server.greeting["hints"].as_array().unwrap();
    let hint = hints.iter().find(|hint| hint["place"] == place.as_str()).unwrap();
    let words = hint["hint"].as_str().unwrap();
    assert!(words.contains("fridge_temperature") && words.contains("[[scrape]]"), "{words}");
    let query = format!("sum(inference_generation_tokens_total{{instance=\"{}\"}})", known.address);
    eventually("the page is scraped", || {
        server.value(&query, None).ok_or_else(|| "no series".to_owned())
    });
    let asked = known.asked();
    eventually("it is scraped again", || {
        if known.asked() > asked { Ok(()) } else { Err(known.asked().to_string()) }
    });
    assert!(server.query("fridge_temperature", None).is_empty());
    assert_eq!(unknown.asked(), 1, "it was asked what it is, and never again so soon");
}

#[test]
fn a_page_that_is_named_is_not_collected_a_second_time() {
    let page = Page::serve(fixture("metrics/llama-server-0.7.0-b11669.prom"));
    let port = page.address.port();
    let config = format!(
        "{}[[scrape]]\njob = \"by-name\"\ntargets = [\"localhost:{port}\"]\n",
        looking_at(&[&page])
    );
    let house = House::with_config(&config);
    let server = house.start();
    let query = format!("inference_generation_tokens_total{{instance=~\".*:{port}\"}}");
    let rows = eventually("the page is scraped", || match server.query(&query, None) {
        rows if rows.is_empty() => Err("no series".to_owned()),
        rows => Ok(rows),
    });
    let found = server.greeting["found"].to_string();
    assert!(!found.contains(&format!(":{port}")), "{found}");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["metric"]["job"], "by-name");
}
