//! A kind of object, kept up to date by a watch: listed in pages, then followed, listed anew when the
//! server has forgotten where we were (410).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use strata_model::{Fault, FaultCode, SourceState};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connect::{is_credentials, refusal};
use super::lean::Lean;
use crate::collector::CollectError;
use crate::l4_sched::gather::failed;

/// Objects kept of one kind. A kept pod is about 1 kB, one with GPUs 2 kB.
const OBJECTS_MAX: usize = 50_000;
/// Objects of one page. kubectl and client-go ask for 500; a page is held as a whole.
const PAGE: u32 = 100;
/// The watcher tries again after 30 s at most; a failure that is older has not come back.
const TRIED_AGAIN: Duration = Duration::from_secs(90);
/// What was listed stands for so long while the server cannot be reached.
const STALE_AFTER: Duration = Duration::from_mins(5);

/// Namespace (empty for kinds without one) and name.
pub(super) type Key = (String, String);

/// What is kept. Who looks takes what it needs without a copy of its content.
pub(super) type Kept<T> = BTreeMap<Key, Arc<T>>;

/// Makes what is worth keeping out of an object.
pub(super) type Keep<T> = Arc<dyn Fn(&DynamicObject) -> Option<T> + Send + Sync>;

/// What is watched.
pub(super) struct Wanted<T> {
    pub(super) resource: ApiResource,
    pub(super) field_selector: Option<String>,
    pub(super) keep: Keep<T>,
}

struct Failure {
    first: Instant,
    last: Instant,
    error: CollectError,
}

/// The objects of one kind.
pub(super) struct Watched<T> {
    state: Arc<Shared<T>>,
    task: JoinHandle<()>,
}

struct Shared<T> {
    objects: Mutex<Objects<T>>,
    /// Told when the first list is whole, or something failed.
    news: Notify,
}

struct Objects<T> {
    kept: Kept<T>,
    /// What a list in progress has brought so far.
    coming: Kept<T>,
    listed: bool,
    failure: Option<Failure>,
    /// The server did not take our credentials.
    unauthorized: bool,
    refused: u64,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Begin to watch, across all namespaces.
    pub(super) fn start(client: Client, wanted: &Wanted<T>) -> Self {
        let objects = Objects {
            kept: BTreeMap::new(),
            coming: BTreeMap::new(),
            listed: false,
            failure: None,
            unauthorized: false,
            refused: 0,
        };
        let state = Arc::new(Shared { objects: Mutex::new(objects), news: Notify::new() });
        let api = Api::<Lean>::all_with(client, &wanted.resource);
        let mut config = watcher::Config::default().page_size(PAGE);
        config.field_selector.clone_from(&wanted.field_selector);
        let (shared, keep) = (Arc::clone(&state), Arc::clone(&wanted.keep));
        let plural = wanted.resource.plural.clone();
        let task = tokio::spawn(async move {
            let mut events = Box::pin(watcher::watcher(api, config).default_backoff());
            while let Some(event) = events.next().await {
                shared.take(event, &keep, &plural);
            }
        });
        Self { state, task }
    }

    /// Wait until everything was listed once or something failed, at most as long as `patience`.
    pub(super) async fn first_news(&self, patience: Duration) {
        let news = self.state.news.notified();
        let settled = {
            let objects = self.state.objects();
            objects.listed || objects.failure.is_some()
        };
        if !settled {
            // When time is over, what is there is looked at all the same.
            drop(tokio::time::timeout(patience, news).await);
        }
    }

    /// Look at the objects. What was listed stands for a while after the watch has failed, with the
    /// fault beside it.
    ///
    /// # Errors
    /// When they were never listed whole, or the watch has failed for too long.
    pub(super) fn look<R>(
        &self,
        look: impl FnOnce(&Kept<T>) -> R,
    ) -> Result<(R, Option<Fault>), CollectError> {
        let objects = self.state.objects();
        let failure = objects.failure.as_ref();
        let failure = failure.filter(|one| !objects.listed || one.last.elapsed() < TRIED_AGAIN);
        match failure {
            None if objects.listed => Ok((look(&objects.kept), None)),
            Some(one) if objects.listed && one.first.elapsed() < STALE_AFTER => {
                Ok((look(&objects.kept), Some(one.error.fault.clone())))
            }
            Some(one) => Err(one.error.clone()),
            None => Err(failed(
                SourceState::Failing,
                FaultCode::Timeout,
                "the API server has not listed everything yet",
                "",
            )),
        }
    }

    /// Whether the server did not take our credentials.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.state.objects().unauthorized
    }

    /// Objects that were left out because there are too many.
    pub(super) fn refused(&self) -> u64 {
        self.state.objects().refused
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T> Shared<T> {
    fn objects(&self) -> MutexGuard<'_, Objects<T>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: watcher::Result<Event<Lean>>, keep: &Keep<T>, plural: &str) {
        let mut objects = self.objects();
        match event {
            Ok(event) => objects.apply(event, keep),
            Err(error) => objects.fail(&error, plural),
        }
        if objects.listed || objects.failure.is_some() {
            self.news.notify_waiters();
        }
    }
}

impl<T> Objects<T> {
    fn apply(&mut self, event: Event<Lean>, keep: &Keep<T>) {
        match event {
            Event::Init => {
                self.coming.clear();
                self.refused = 0;
            }
            Event::InitApply(object) => {
                if self.coming.len() >= OBJECTS_MAX {
                    self.refused += 1;
                } else if let Some(kept) = keep(&object.0) {
                    self.coming.insert(key(&object), Arc::new(kept));
                }
            }
            Event::InitDone => {
                self.kept = std::mem::take(&mut self.coming);
                self.listed = true;
                self.recover();
            }
            Event::Apply(object) => {
                let key = key(&object);
                let room = self.kept.len() < OBJECTS_MAX || self.kept.contains_key(&key);
                match keep(&object.0) {
                    Some(kept) if room => drop(self.kept.insert(key, Arc::new(kept))),
                    Some(_) => self.refused += 1,
                    None => drop(self.kept.remove(&key)),
                }
                self.recover();
            }
            Event::Delete(object) => {
                self.kept.remove(&key(&object));
                self.recover();
            }
        }
    }

    fn recover(&mut self) {
        self.failure = None;
        self.unauthorized = false;
    }

    fn fail(&mut self, error: &watcher::Error, plural: &str) {
        let refused = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => {
                let code = if let kube::Error::Api(status) = error { status.code } else { 0 };
                self.unauthorized = is_credentials(error);
                // A server that ends a watch early, and one that has forgotten where we were, are
                // everyday life: the watcher goes on by itself, and what was listed still stands.
                let ended = self.listed && matches!(error, kube::Error::ReadEvents(_));
                if ended || code == 410 {
                    return;
                }
                refusal(error, plural)
            }
            watcher::Error::WatchError(status) if status.code == 410 => return,
            other => {
                let message = format!("the watch of {plural} failed: {other}");
                failed(SourceState::Failing, FaultCode::Io, message, "")
            }
        };
        let last = Instant::now();
        let earlier = self.failure.as_ref().filter(|one| one.last.elapsed() < TRIED_AGAIN);
        let first = earlier.map_or(last, |one| one.first);
        self.failure = Some(Failure { first, last, error: refused });
    }
}

fn key(object: &Lean) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
