//! A page as a stream of server-sent events: a new one every few seconds, as long as it is watched.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use strata_view::{PageError, PageErrorCode};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;

use super::{Refused, request, source};
use crate::state::App;

/// Time between two pages. Collection usually takes 10 to 15 s a round; five seconds show a change
/// soon and cost a tenth of what every second would.
pub const EVERY: Duration = Duration::from_secs(5);
/// Streams at once: a browser opens one a tab.
pub const STREAMS_MAX: usize = 64;
/// So often a proxy in between sees that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

static STREAMS: AtomicUsize = AtomicUsize::new(0);

/// One stream less when it ends, however it ends.
struct Counted;

impl Counted {
    fn begin() -> Option<Self> {
        let before = STREAMS.fetch_add(1, Ordering::Relaxed);
        let counted = Self;
        (before < STREAMS_MAX).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        STREAMS.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn live(
    State(app): State<Arc<App>>,
    Path(page): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = match request(&page, query.as_deref()) {
        Ok(wanted) => wanted,
        Err(error) => return Refused(error).into_response(),
    };
    let pages = match source(&app) {
        Ok(pages) => Arc::clone(pages),
        Err(error) => return Refused(error).into_response(),
    };
    let mut stopping = app.stopping.clone();
    let Some(counted) = Counted::begin() else {
        return Refused(PageError {
            code: PageErrorCode::Busy,
            message: format!("{STREAMS_MAX} live pages are watched already"),
            hint: "close some, or switch live off".to_owned(),
        })
        .into_response();
    };
    // One page waits at most: a reader that does not keep up gets the next one later.
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(1);
    tokio::spawn(async move {
        let _counted = counted;
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = sender.closed() => return,
                // A change, or a server that is gone: either way the stream ends.
                _ = stopping.changed() => return,
                _ = tick.tick() => {}
            }
            let event = match pages.page(wanted.clone()).await {
                Ok(page) => {
                    Event::default().event("page").id(page.made_at_ms.to_string()).json_data(&page)
                }
                Err(error) => Event::default().event("refused").json_data(&error),
            };
            let Ok(event) = event else { return };
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
    });
    Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response()
}
