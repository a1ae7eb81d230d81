//! Closed statements on disk: a folder for each customer, in it `0001.json`, and beside it
//! `0001.json.sha256` as `sha256sum -c` reads it. A file that is there is never written again.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use strata_cost::tariff::Closed;

/// Statements of one customer at most: a day each for a human life.
const STATEMENTS_MAX: u64 = 30_000;
/// Customers at most.
const CUSTOMERS_MAX: usize = 10_000;
/// A statement has a line for each model and class.
const BODY_BYTES_MAX: u64 = 16 << 20;
/// Text of statements that one list reads: some thousand of the usual size.
const LIST_BYTES_MAX: usize = 64 << 20;
/// Bytes of a customer's name: three times as many are still the name of a folder.
pub(crate) const NAME_BYTES_MAX: usize = 80;

/// Who is charged: `tenant` and its name, `team` or `namespace`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Customer {
    pub(super) of: String,
    pub(super) name: String,
}

/// One statement of a list.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) customer: Customer,
    pub(super) number: u64,
    /// Else what is wrong with it, in words.
    pub(super) closed: Result<Closed, String>,
}

/// A list that somebody reads.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// By customer, the newest of each first.
    pub(super) found: Vec<Listing>,
    /// Whether there are more.
    pub(super) is_cut: bool,
}

/// Where closed statements are.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// A shelf in a directory, which is made when the first statement is closed.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn folder(&self, customer: &Customer) -> Result<PathBuf> {
        if customer.name.is_empty() || customer.name.len() > NAME_BYTES_MAX {
            bail!("a customer has a name of 1 to {NAME_BYTES_MAX} bytes");
        }
        Ok(self.dir.join(format!("{}-{}", customer.of, encoded(&customer.name))))
    }

    /// Everyone of whom a statement was closed, in order.
    pub(super) fn customers(&self) -> Result<Vec<Customer>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).context("cannot list the closed statements"),
        };
        let mut found = Vec::new();
        for entry in entries.take(CUSTOMERS_MAX) {
            let name = entry.context("cannot list the closed statements")?.file_name();
            let customer = name.to_str().and_then(|name| name.split_once('-'));
            let customer = customer
                .and_then(|(of, name)| Some(Customer { of: of.to_owned(), name: decoded(name)? }));
            found.extend(customer);
        }
        found.sort();
        Ok(found)
    }

    /// Number of the last statement of a customer; 0 where there is none.
    pub(super) fn last(&self, customer: &Customer) -> Result<u64> {
        let folder = self.folder(customer)?;
        // They are numbered without a gap.
        let (mut below, mut above) = (0, STATEMENTS_MAX + 1);
        while above - below > 1 {
            let middle = u64::midpoint(below, above);
            if body_of(&folder, middle).exists() { below = middle } else { above = middle }
        }
        Ok(below)
    }

    /// A statement whose text is what was closed.
    pub(super) fn get(&self, customer: &Customer, number: u64) -> Result<Closed> {
        let path = body_of(&self.folder(customer)?, number);
        // Where the data lies is nobody's business who asks for what is not there.
        if !path.exists() {
            let of = format!("of {} {}", customer.of, customer.name);
            anyhow::ensure!(number > 0, "no statement {of} is closed");
            anyhow::bail!("there is no statement {number} {of}");
        }
        let body = read(&path).with_context(|| {
            format!("there is no statement {number} of {} {}", customer.of, customer.name)
        })?;
        let sum = read(&sum_of(&path))
            .with_context(|| format!("the hash of statement {number} is missing"))?;
        let hash = sum.split_whitespace().next().unwrap_or_default();
        Ok(Closed::read(&body, hash)?)
    }

    /// The newest statements, `each` of a customer at most and `most` together, all customers or those of
    /// one name, and no more than [`LIST_BYTES_MAX`] of text.
    pub(super) fn list(&self, only: Option<&str>, each: usize, most: usize) -> Result<Listed> {
        let mut listed = Listed::default();
        let mut bytes = 0;
        for customer in self.customers()? {
            if only.is_some_and(|name| name != customer.name) {
                continue;
            }
            let last = self.last(&customer)?;
            for number in (1..=last).rev().take(each) {
                if listed.found.len() >= most || bytes >= LIST_BYTES_MAX {
                    listed.is_cut = true;
                    return Ok(listed);
                }
                let closed = self.get(&customer, number).map_err(|error| format!("{error:#}"));
                bytes += closed.as_ref().map_or(0, |closed| closed.body().len());
                listed.found.push(Listing { customer: customer.clone(), number, closed });
            }
            listed.is_cut |= last > each as u64;
        }
        Ok(listed)
    }

    /// Keep a statement for good.
    pub(super) fn put(&self, customer: &Customer, closed: &Closed) -> Result<()> {
        if closed.number() > STATEMENTS_MAX {
            bail!("a customer has at most {STATEMENTS_MAX} statements");
        }
        let folder = self.folder(customer)?;
        fs::create_dir_all(&folder).context("cannot make a folder for statements")?;
        let path = body_of(&folder, closed.number());
        if path.exists() {
            bail!("statement {} is closed already", closed.number());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let draft = folder.join("draft");
        // The hash first: a statement without one cannot be trusted, a hash without a statement is of
        // a closing that did not happen.
        write(&draft, &format!("{}  {name}\n", closed.hash()))?;
        fs::rename(&draft, sum_of(&path)).context("cannot keep the hash of the statement")?;
        write(&draft, closed.body())?;
        // Fails where there is one: what is closed is never replaced.
        fs::hard_link(&draft, &path).context("cannot keep the statement")?;
        fs::remove_file(&draft).context("cannot remove the draft of the statement")?;
        let synced = File::open(&folder).and_then(|folder| folder.sync_all());
        synced.context("cannot make the statement last")
    }
}

fn body_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:04}.json"))
}

fn sum_of(body: &Path) -> PathBuf {
    body.with_extension("json.sha256")
}

fn read(path: &Path) -> Result<String> {
    let shown = || format!("cannot read {}", path.display());
    if fs::metadata(path).with_context(shown)?.len() > BODY_BYTES_MAX {
        bail!("{} is larger than {BODY_BYTES_MAX} bytes", path.display());
    }
    fs::read_to_string(path).with_context(shown)
}

/// A file that nobody changes, on disk when this returns.
fn write(path: &Path, text: &str) -> Result<()> {
    let shown = || format!("cannot write {}", path.display());
    // What is left of a closing that broke off.
    if path.exists() {
        fs::remove_file(path).with_context(shown)?;
    }
    let mut file = File::create_new(path).with_context(shown)?;
    file.write_all(text.as_bytes()).with_context(shown)?;
    let mut rights = file.metadata().with_context(shown)?.permissions();
    rights.set_readonly(true);
    file.set_permissions(rights).with_context(shown)?;
    file.sync_all().with_context(shown)
}

/// A name as a folder can have it, on any file system.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let letter = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }
    };
    name.bytes().map(letter).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use strata_cost::tariff::{Assumed, Draft};

    use super::*;

    fn customer(name: &str) -> Customer {
        Customer { of: "tenant".to_owned(), name: name.to_owned() }
    }

    fn draft(number: u64) -> Draft {
        let start_ms = i64::try_from(number).unwrap() * 1000;
        Draft {
            number,
            customer: "a".to_owned(),
            tariff: "t".to_owned(),
            currency: "USD".to_owned(),
            start_ms,
            end_ms: start_ms + 1000,
            step_ms: 1000,
            assumed: Assumed::default(),
            lines: Vec::new(),
        }
    }

    #[test]
    fn what_is_closed_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().join("statements"));
        let who = customer("../A c.me");
        assert_eq!((shelf.customers().unwrap(), shelf.last(&who).unwrap()), (Vec::new(), 0));
        let first = draft(1).close(None, 10_000).unwrap();
        shelf.put(&who, &first).unwrap();
        let second = draft(2).close(Some(&first), 10_000).unwrap();
        shelf.put(&who, &second).unwrap();
        assert_eq!(shelf.customers().unwrap(), std::slice::from_ref(&who));
        assert_eq!(shelf.last(&who).unwrap(), 2);
        assert_eq!(shelf.get(&who, 1).unwrap(), first);
        let numbers = |each, most| {
            let listed = shelf.list(None, each, most).unwrap();
            let numbers: Vec<_> = listed.found.iter().map(|one| one.number).collect();
            (numbers, listed.is_cut)
        };
        assert_eq!(numbers(9, 9), (vec![2, 1], false));
        assert_eq!((numbers(1, 9), numbers(9, 1)), ((vec![2], true), (vec![2], true)));
        assert!(shelf.list(Some("nobody"), 9, 9).unwrap().found.is_empty());
        let other = Draft { currency: "EUR".to_owned(), ..draft(1) };
        let refused = shelf.put(&who, &other.close(None, 10_000).unwrap());
        assert!(refused.unwrap_err().to_string().contains("closed already"));
        assert_eq!(shelf.get(&who, 1).unwrap(), first);
        // Whoever changes the file is found out.
        let path = body_of(&shelf.folder(&who).unwrap(), 2);
        fs::remove_file(&path).unwrap();
        fs::write(&path, second.body().replace("USD", "EUR")).unwrap();
        let forged = shelf.get(&who, 2).unwrap_err();
        assert!(forged.to_string().contains("another hash"), "{forged}");
        assert!(shelf.get(&who, 3).is_err() && shelf.last(&customer("")).is_err());
    }
}
