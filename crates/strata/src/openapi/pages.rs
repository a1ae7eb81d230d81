//! The pages, and what can be found by name.

use serde_json::{Value as Json, json};
use strata_serve::bounds::{EVERY, STREAMS_MAX, SUGGEST_CHARS_MAX, SUGGESTIONS, SUGGESTIONS_MAX};
use strata_view::{
    Language, Page, PageError, PageErrorCode, PageId, PageRequest, Suggestion, View,
};

use super::Document;
use super::operation::{JSON, Operation, in_path, query};
use super::schema::{list, short, text, word};

pub(super) const TAG: &str = "pages";

const LIVE: &str = "The page again and again, as server-sent events: `page` with the page as data, \
    and `refused` with the reason.";

pub(super) fn describe(document: &mut Document) {
    let page = document.of::<Page>();
    let refused = document.of::<PageError>();
    let suggestion = document.of::<Suggestion>();
    let one = Operation::new("page", TAG, "A page of a range of time.").asks(parameters()).answers(
        200,
        "The page.",
        &[(JSON, page)],
    );
    document.get("/api/v1/pages/{page}", refusing(one, &refused, &ALL));
    let (seconds, most) = (EVERY.as_secs(), STREAMS_MAX);
    let what = format!("Events, one every {seconds} s; at most {most} streams at once.");
    let live = Operation::new("page_live", TAG, LIVE).asks(parameters()).answers(
        200,
        &what,
        &[("text/event-stream", text())],
    );
    let codes = [PageErrorCode::BadRequest, PageErrorCode::NotFound, PageErrorCode::Busy];
    document.get("/api/v1/pages/{page}/live", refusing(live, &refused, &codes));
    let what = format!(
        "Entities at most, not above {SUGGESTIONS_MAX}; {SUGGESTIONS} where it is no number."
    );
    let typed = format!(
        "What was typed; all entities when empty, and the first {SUGGEST_CHARS_MAX} characters \
         when longer."
    );
    let suggest = Operation::new("suggest", TAG, "Entities whose name or id holds a text.")
        .asks([query("q", &typed, &text()), query("limit", &what, &text())])
        .answers(200, "The entities, best first.", &[(JSON, list(suggestion))]);
    document.get("/api/v1/suggest", refusing(suggest, &refused, &ALL));
}

const ALL: [PageErrorCode; 7] = [
    PageErrorCode::BadRequest,
    PageErrorCode::NotFound,
    PageErrorCode::TooMuch,
    PageErrorCode::Busy,
    PageErrorCode::Internal,
    PageErrorCode::Unreachable,
    PageErrorCode::Timeout,
];

/// An operation that is refused in the words of a page.
pub(super) fn refusing(operation: Operation, refused: &Json, codes: &[PageErrorCode]) -> Operation {
    codes.iter().fold(operation, |operation, code| {
        let what = match code {
            PageErrorCode::BadRequest => "A parameter is wrong.",
            PageErrorCode::NotFound => "There is no such page or thing, or not on this server.",
            PageErrorCode::TooMuch => "More is asked for than can be answered.",
            PageErrorCode::Busy => "As much is asked at once as is answered at once.",
            // Also what a handler that broke is answered with.
            PageErrorCode::Internal => return operation.shares(500, "Broken"),
            PageErrorCode::Unreachable => "The metrics engine cannot be reached.",
            PageErrorCode::Timeout => "It took too long.",
        };
        let status = strata_serve::page_status(*code).as_u16();
        operation.answers(status, what, &[(JSON, refused.clone())])
    })
}

fn parameters() -> Vec<Json> {
    let pages = PageId::ALL.iter().map(|page| page.name());
    let languages = Language::ALL.map(Language::name);
    let text = short(PageRequest::TEXT_BYTES_MAX);
    let moment = json!({ "type": "string", "pattern": "^[0-9]*$" });
    vec![
        in_path("page", "Name of the page.", &word(pages)),
        query(
            "since",
            "Length of the range that ends now, from 1m to 400d. An hour when nothing is given.",
            &text,
        ),
        query(
            "start",
            "Begin of the range in milliseconds since 1970; together with end.",
            &moment,
        ),
        query("end", "End of the range in milliseconds since 1970; together with start.", &moment),
        query("entity", "The thing that the page shall be about, as kind:key.", &text),
        query("against", "What the thing is compared with, as kind:key.", &text),
        query("group", "What cells are grouped by.", &text),
        query("color", "The signal that cells are colored by.", &text),
        query(
            "query",
            "The reader's own question, on the Explore page.",
            &short(PageRequest::QUERY_BYTES_MAX),
        ),
        query("lang", "Language of the question; PromQL when nothing is given.", &word(languages)),
        query(
            "view",
            "Side of the page, where it has several; what is going on when nothing is given.",
            &word(View::ALL.map(View::name)),
        ),
        query("state", "State of GPU seconds that the bill is taken apart for; cost page.", &text),
        query("model", "Model that the bill is taken apart for; cost page.", &text),
        query("tenant", "Tenant that the bill is taken apart for; cost page.", &text),
        query("by", "Whom charges are for; cost page.", &text),
        query("basis", "What is charged directly; cost page.", &text),
        query("idle", "Who bears the rest; cost page.", &text),
    ]
}
