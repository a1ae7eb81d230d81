//! One request: chosen an upstream for, sent there, and answered with what comes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderValue,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response};

use crate::answer::Refusal;
use crate::api::Api;
use crate::body::{BodyError, Held, Outgoing, Parcel, Passing, Reading, Returning, Room};
use crate::call::{EngineTimes, Gaps, GenAiCall, Outcome, Timings, Tokens};
use crate::capture::Copies;
use crate::headers;
use crate::observe::Observer;
use crate::observe::request::RequestSeen;
use crate::progress::{End, Progress, Told};
use crate::rewrite::{self, Strip};
use crate::settings::{ProxySettings, RouteSettings, UsageMode};
use crate::stall::Flushed;
use crate::tenant::{Tenants, hex};
use crate::upstream::{HttpClient, Lease, Upstream, pick};

/// Upstreams tried for one request, when connections fail.
const ATTEMPTS_MAX: usize = 3;
/// A request that is to be changed is held whole up to this size; a longer one passes unchanged.
const HELD_MAX: usize = 16 << 20;
/// What a part that is held weighs beside its bytes.
const PART_BYTES: usize = 128;
/// Bytes held of all requests together; one that does not fit passes unchanged.
const ALL_HELD_MAX: usize = 256 << 20;
/// Bytes of an id from outside that are kept.
const ID_MAX: usize = 128;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) settings: ProxySettings,
    pub(crate) client: HttpClient,
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    pub(crate) tenants: Tenants,
    pub(crate) told: Told,
    /// Counts requests: ids, and whose turn it is.
    pub(crate) turn: AtomicUsize,
    /// Requests that wait to be whole.
    pub(crate) held: Arc<Held>,
    /// Room of the copies of content.
    pub(crate) copied: Arc<Held>,
    /// Random part of the ids of this run.
    pub(crate) run: [u8; 8],
}

/// A request on its way.
struct Sending {
    head: Parts,
    parcel: Arc<Mutex<Option<Parcel>>>,
    path_and_query: String,
    turn: usize,
}

/// Answer one request.
pub(crate) async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
    flushed: Arc<Flushed>,
) -> Response<Returning> {
    let started = shared.told.clock.monotonic();
    let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
    let (mut head, body) = request.into_parts();
    if head.method == Method::CONNECT {
        return Refusal::Method.answer();
    }
    let path = head.uri.path();
    let Some(route) = shared.settings.route(path) else { return Refusal::NoRoute.answer() };
    let api = Api::of(&head.method, path);
    let seen = Arc::new(Mutex::new(request_seen(&shared, route, api, &head.headers, turn)));
    let mut progress = api.map(|api| {
        let call = new_call(&shared, route, api, &head.headers, turn);
        Progress::new(call, shared.told.clone(), started, Arc::clone(&seen))
    });
    let mut parcel = Parcel { rest: Some(body), ..Parcel::default() };
    if let Some(progress) = &progress {
        let tenant = progress.tenant();
        let (told, route) = (shared.told.clone(), Arc::clone(&route.name));
        let reading = Reading { seen: Arc::clone(&seen), told, tenant, route };
        parcel.reading = Some(Box::new(reading));
    }
    let mut injected = false;
    if route.usage != UsageMode::Observe && api.is_some_and(Api::takes_stream_options) {
        let held = hold(&shared, parcel, &seen);
        match tokio::time::timeout(shared.settings.response_timeout, held).await {
            Ok(Ok((held, changed))) => (parcel, injected) = (held, changed),
            Ok(Err(_)) => return refuse(progress, Refusal::Body),
            Err(_) => return refuse(progress, Refusal::SlowBody),
        }
    }
    let strip = injected && route.usage == UsageMode::InjectStrip;
    let path_and_query = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    outgoing_headers(&mut head.headers, injected, strip);
    if let Some(progress) = &mut progress {
        progress.update(|call| call.usage_injected = injected);
        progress.sent();
    }
    let parcel = Arc::new(Mutex::new(Some(parcel)));
    let sending = Sending { head, parcel, path_and_query, turn };
    match send(&shared, route, &sending, progress.as_mut()).await {
        Ok((answer, lease)) => {
            let strip = strip.then(Strip::default);
            pass_back(&shared, answer, (lease, flushed), progress, (api, &seen, strip, injected))
        }
        Err(refusal) => refuse(progress, refusal),
    }
}

/// What is to be read off a request; with a copy of it where its route says so.
fn request_seen(
    shared: &Shared,
    route: &RouteSettings,
    api: Option<Api>,
    headers: &HeaderMap,
    turn: usize,
) -> RequestSeen {
    let unread = headers.contains_key(CONTENT_ENCODING);
    let capture = route.capture.as_ref().filter(|_| api.is_some_and(Api::generates));
    // Half of it: the other half is for reading and cleaning.
    let room = (&shared.copied, shared.settings.content_memory / 2);
    let copies = capture.and_then(|how| Copies::begin(how, turn, room, unread));
    RequestSeen { unread, copies: copies.map(Box::new), ..RequestSeen::default() }
}

/// Answer for the upstream, and say so in the record.
fn refuse(progress: Option<Progress>, refusal: Refusal) -> Response<Returning> {
    if let Some(mut progress) = progress {
        progress.update(|call| {
            call.status = Some(refusal.status().as_u16());
            call.error_type = Some(refusal.code().to_owned());
        });
        progress.end(End::Whole);
    }
    refusal.answer()
}

fn new_call(
    shared: &Shared,
    route: &RouteSettings,
    api: Api,
    headers: &HeaderMap,
    turn: usize,
) -> GenAiCall {
    let (tenant, key_hash) = shared.tenants.of(headers);
    let belonging = &shared.settings.belonging;
    let of = |header: &Option<String>| headers::short(headers, header.as_deref()?, ID_MAX);
    GenAiCall {
        id: format!("{}{turn:016x}", hex(&shared.run)),
        started_ms: shared.told.clock.now_ms(),
        api,
        route: Arc::clone(&route.name),
        upstream: None,
        tenant,
        team: of(&belonging.team),
        app: of(&belonging.app),
        session: of(&belonging.session),
        key_hash,
        model_asked: None,
        model_served: None,
        streamed: false,
        status: None,
        outcome: Outcome::ClientCancelled,
        error_type: None,
        response_id: None,
        request_id: headers::short(headers, "x-request-id", ID_MAX),
        previous_response_id: None,
        conversation: None,
        traceparent: headers::short(headers, "traceparent", ID_MAX),
        finish_reason: None,
        timings: Timings::default(),
        engine: EngineTimes::default(),
        gaps: Gaps::default(),
        token_events: 0,
        tokens: Tokens::default(),
        inputs: None,
        request_bytes: 0,
        response_bytes: 0,
        usage_injected: false,
        unread: false,
    }
}

/// Hold a request until it is whole, and have usage asked for. One that is too long goes on as it is.
async fn hold(
    shared: &Shared,
    mut parcel: Parcel,
    seen: &Arc<Mutex<RequestSeen>>,
) -> Result<(Parcel, bool), hyper::Error> {
    let Some(mut body) = parcel.rest.take() else { return Ok((parcel, false)) };
    let mut size = 0;
    let mut room = Room::new(&shared.held);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        // A part costs something beside its bytes.
        let part = data.len() + PART_BYTES;
        size += part;
        seen.lock().unwrap_or_else(PoisonError::into_inner).feed(&data);
        let all = room.grow(part);
        parcel.at_hand.push_back(data);
        if size > HELD_MAX || all > ALL_HELD_MAX {
            parcel.rest = Some(body);
            parcel.room = Some(room);
            return Ok((parcel, false));
        }
    }
    if let Some(reading) = &parcel.reading {
        reading.received();
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let whole: Vec<u8> = parcel.at_hand.iter().flatten().copied().collect();
    let changed = rewrite::inject(&whole, &seen);
    let injected = changed.is_some();
    parcel.room = Some(room);
    parcel.at_hand = [changed.unwrap_or_else(|| Bytes::from(whole))].into();
    Ok((parcel, injected))
}

fn outgoing_headers(headers: &mut HeaderMap, injected: bool, strip: bool) {
    headers::strip_hop(headers);
    // The upstream's own name goes there; and the proxy has told the client to go on itself.
    headers.remove(HOST);
    headers.remove(EXPECT);
    if injected {
        headers.remove(CONTENT_LENGTH);
    }
    if strip {
        // What is encoded cannot be taken out of.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
}

/// Send to the best upstream, and to the next when it cannot be connected to.
async fn send(
    shared: &Shared,
    route: &RouteSettings,
    sending: &Sending,
    mut progress: Option<&mut Progress>,
) -> Result<(Response<Incoming>, Lease), Refusal> {
    let mut tried = Vec::new();
    while tried.len() < ATTEMPTS_MAX {
        let now = shared.told.clock.monotonic();
        let place = pick(&shared.upstreams, &route.upstreams, &tried, sending.turn, now);
        let Some((index, lease)) = place else { break };
        tried.push(index);
        let upstream = lease.upstream();
        let request = attempt(sending, upstream).ok_or(Refusal::NoRoute)?;
        if let Some(progress) = &mut progress {
            progress.update(|call| call.upstream = Some(Arc::clone(&upstream.settings.name)));
        }
        let asked = shared.client.request(request);
        match tokio::time::timeout(shared.settings.response_timeout, asked).await {
            Ok(Ok(answer)) => return Ok((answer, lease)),
            Ok(Err(error)) if error.is_connect() => {
                tracing::debug!(upstream = %upstream.settings.name, ?error, "cannot connect");
                upstream.failed(shared.told.clock.monotonic());
            }
            Ok(Err(error)) => {
                tracing::debug!(upstream = %upstream.settings.name, ?error, "broke off");
                return Err(if is_of_client(&error) { Refusal::Body } else { Refusal::Broken });
            }
            Err(_) => return Err(Refusal::Timeout),
        }
    }
    Err(Refusal::Unreachable)
}

/// Whether what failed was the client's body.
fn is_of_client(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<BodyError>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn attempt(sending: &Sending, upstream: &Upstream) -> Option<Request<Outgoing>> {
    let mut request = Request::new(Outgoing::new(&sending.parcel));
    *request.method_mut() = sending.head.method.clone();
    *request.uri_mut() = upstream.uri(&sending.path_and_query)?;
    request.headers_mut().clone_from(&sending.head.headers);
    // Holds the case of the names, among others.
    request.extensions_mut().clone_from(&sending.head.extensions);
    Some(request)
}

type Watched<'a> = (Option<Api>, &'a Arc<Mutex<RequestSeen>>, Option<Strip>, bool);

fn pass_back(
    shared: &Shared,
    answer: Response<Incoming>,
    (lease, flushed): (Lease, Arc<Flushed>),
    mut progress: Option<Progress>,
    (api, seen, strip, injected): Watched<'_>,
) -> Response<Returning> {
    let (mut head, inner) = answer.into_parts();
    let kind = headers::text(&head.headers, CONTENT_TYPE.as_str());
    let encoding = headers::text(&head.headers, CONTENT_ENCODING.as_str());
    // Only what is a plain stream has something to take out.
    let is_events = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    let strip = strip.filter(|_| is_events && matches!(encoding, None | Some("identity")));
    if let (Some(progress), Some(api)) = (&mut progress, api) {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let echo = seen.echo;
        if let Some(copies) = &mut seen.copies {
            copies.head(kind, encoding);
        }
        drop(seen);
        progress.head(head.status.as_u16(), Observer::new(api, kind, encoding, echo));
    }
    headers::strip_hop(&mut head.headers);
    if strip.is_some() {
        head.headers.remove(CONTENT_LENGTH);
    }
    if injected {
        let value = if strip.is_some() { "injected, stripped" } else { "injected" };
        head.headers.insert("x-strata-usage", HeaderValue::from_static(value));
    }
    let idle_timeout: Duration = shared.settings.idle_timeout;
    let lease = Some(lease);
    let (idle, broken) = (None, None);
    let passing = Passing { inner, progress, strip, lease, idle_timeout, idle, broken, flushed };
    Response::from_parts(head, Returning::Passing(Box::new(passing)))
}
