//! A disk that fills up in the middle of a write: nothing that was there is harmed, nothing half is read.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use strata_model::content::Redactor;

use super::*;

const START_MS: i64 = 1_795_848_122_000;

struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        START_MS
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A disk with so much space left, of which a file that ends may not even be cut.
struct Small {
    left: AtomicU64,
    cuts: AtomicBool,
}

impl Disk for Small {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let left = self.left.load(Ordering::SeqCst);
        let fits = usize::try_from(left).unwrap().min(bytes.len());
        file.write_all(&bytes[..fits])?;
        self.left.fetch_sub(fits as u64, Ordering::SeqCst);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn cut(&self, file: &File, end: u64) -> io::Result<()> {
        if !self.cuts.load(Ordering::SeqCst) {
            return Err(io::Error::other("no"));
        }
        file.set_len(end)
    }
}

struct Shelf {
    _dir: tempfile::TempDir,
    disk: Arc<Small>,
    store: ContentStore,
}

fn shelf() -> Shelf {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Small { left: AtomicU64::new(u64::MAX), cuts: AtomicBool::new(true) });
    let own = Arc::clone(&disk);
    let store = ContentStore::on(&dir.path().join("content"), Arc::new(Still), own);
    Shelf { _dir: dir, disk, store }
}

impl Shelf {
    fn keep(&self, id: &str) -> Result<Appended, ContentError> {
        let exchange = Exchange {
            id: id.to_owned(),
            start_us: START_MS * 1_000,
            route: "r".to_owned(),
            request: json!({ "prompt": format!("what is {id}?") }),
            ..Exchange::default()
        };
        let retention = Duration::from_hours(48);
        let plan = RoutePlan { route: "r".to_owned(), retention, disk_bytes: 1 << 30 };
        let call = Redacted::of(exchange, &Redactor::default());
        self.store.append(&plan, vec![call], Vec::new())
    }

    fn space(&self, bytes: u64) {
        self.disk.left.store(bytes, Ordering::SeqCst);
    }

    /// Ids of what can be read, and segments with bytes that cannot.
    fn read(&self) -> (Vec<String>, u64) {
        let mut ids = Vec::new();
        let mut take = |found| {
            if let Found::Exchange(one) = found {
                ids.push(one.id);
            }
        };
        let seen = self.store.visit(&(0..i64::MAX), None, &mut take).unwrap();
        (ids, seen.torn)
    }

    fn files(&self) -> usize {
        let dir = std::fs::read_dir(self.store.dir().join("r"));
        dir.map_or(0, Iterator::count)
    }
}

fn told(error: &ContentError) -> String {
    strata_model::told::causes(error)
}

#[test]
fn a_disk_that_is_full_at_any_byte_leaves_the_segment_as_it_was() {
    let shelf = shelf();
    shelf.keep("one").unwrap();
    let frame = shelf.keep("two").unwrap().bytes;
    for left in 0..frame {
        shelf.space(left);
        let error = shelf.keep("lost").unwrap_err();
        assert!(told(&error).contains("cannot write"), "{}", told(&error));
        assert_eq!(shelf.read(), (vec!["one".to_owned(), "two".to_owned()], 0), "{left}");
    }
    shelf.space(u64::MAX);
    shelf.keep("three").unwrap();
    assert_eq!(shelf.read().0, ["one", "two", "three"]);
    assert_eq!(shelf.files(), 1, "one segment, gone on with");
}

#[test]
fn what_cannot_even_be_cut_is_cut_by_the_next_who_writes() {
    let shelf = shelf();
    shelf.keep("one").unwrap();
    shelf.disk.cuts.store(false, Ordering::SeqCst);
    shelf.space(20);
    shelf.keep("lost").unwrap_err();
    assert_eq!(shelf.read(), (vec!["one".to_owned()], 1), "half a frame is no call");
    shelf.space(u64::MAX);
    let error = shelf.keep("nor this").unwrap_err();
    assert!(told(&error).contains("cannot cut"), "{}", told(&error));
    shelf.disk.cuts.store(true, Ordering::SeqCst);
    shelf.keep("two").unwrap();
    assert_eq!(shelf.read(), (vec!["one".to_owned(), "two".to_owned()], 0));
}

#[test]
fn a_segment_that_cannot_be_begun_is_not_there() {
    let shelf = shelf();
    shelf.space(30);
    shelf.keep("lost").unwrap_err();
    assert_eq!((shelf.files(), shelf.read()), (0, (Vec::new(), 0)));
    shelf.space(u64::MAX);
    shelf.keep("one").unwrap();
    assert_eq!(shelf.read().0, ["one"]);
}

#[test]
fn what_is_to_be_forgotten_stays_whole_until_there_is_space_for_the_rest() {
    let shelf = shelf();
    for id in ["one", "two", "three"] {
        shelf.keep(id).unwrap();
    }
    let which = |one: &Exchange| one.id == "two";
    for left in [0, 10, 150] {
        shelf.space(left);
        shelf.store.forget(&which).unwrap_err();
        assert_eq!(shelf.read().0, ["one", "two", "three"], "{left}");
        assert_eq!(shelf.files(), 1, "no draft is in the way");
    }
    shelf.space(u64::MAX);
    assert_eq!(shelf.store.forget(&which).unwrap().calls, 1);
    assert_eq!(shelf.read(), (vec!["one".to_owned(), "three".to_owned()], 0));
}
