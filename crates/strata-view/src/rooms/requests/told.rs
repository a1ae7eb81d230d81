//! What records tell a page, and why they tell nothing.

use strata_diagnose::compare::Comparison;
use strata_model::record::{RequestSightings, StoredRequest};
use strata_world::EntityId;
use strata_world::requests::breakdown::SegmentLine;
use strata_world::requests::lengths::Lengths;
use strata_world::requests::split::Advised;

use crate::page::block::{Block, Card, Section};
use crate::page::status::Status;
use crate::rooms::pieces::section;

/// What was read from records for a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestsTold {
    /// Models of the range, the most asked first.
    pub models: Vec<ModelLine>,
    pub what: Told,
}

/// A model that requests name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLine {
    pub model: String,
    pub requests: i64,
}

/// The answer itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Told {
    /// Nothing was asked that needs more than the models.
    #[default]
    Nothing,
    /// This server has no records: why, and what to do about it.
    Shut { why: String, hint: String },
    /// The question was refused or failed.
    Refused { why: String, hint: String },
    /// The slowest requests, and what the time of all of them is made of.
    Slowest(Box<Slowest>),
    /// How long requests are.
    Lengths(Box<LengthsTold>),
    /// One request.
    One(Box<Story>),
    /// Two models, and the currency of their cost.
    Compared { comparison: Box<Comparison>, currency: String },
}

/// Single requests of a range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slowest {
    /// The slowest first.
    pub requests: Vec<StoredRequest>,
    pub segments: Vec<SegmentLine>,
    /// Requests there are, and how many of them went into `segments`.
    pub matching: u64,
    pub taken: u64,
}

/// How long requests are, and what follows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LengthsTold {
    pub all: Lengths,
    /// What `groups` are told apart by: `app`.
    pub by: String,
    /// The largest first; what is not named is the empty text.
    pub groups: Vec<(String, Lengths)>,
    /// Of each model for itself, the most asked first.
    pub advice: Vec<Advised>,
    /// Models beyond those.
    pub more_models: u64,
    /// Requests there are, and how many of them went in.
    pub matching: u64,
    pub taken: u64,
}

/// One request with what was around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    pub request: RequestSightings,
    /// Other requests that its replica had under way meanwhile; `None` where no replica is named.
    pub neighbors: Option<u64>,
    pub place: Place,
}

/// Where a request was served, as far as it can be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// The replica as metrics know it, with its name for people.
    pub replica: Option<(EntityId, String)>,
    /// GPUs it runs on: id, name, and how sure that is, 0 to 1.
    pub gpus: Vec<(EntityId, String, f64)>,
    /// Why the replica or its GPUs are not known; empty where they are.
    pub why: String,
}

impl RequestsTold {
    /// The section that says why there is nothing, where there is nothing.
    pub(super) fn nothing(&self) -> Option<Section> {
        let (status, title, why, hint) = match &self.what {
            Told::Shut { why, hint } => (Status::Blind, "no records of requests", why, hint),
            Told::Refused { why, hint } => (Status::Broken, "no answer", why, hint),
            _ => return None,
        };
        let card = Card {
            status,
            title: title.to_owned(),
            text: format!("{why}; {hint}"),
            steps: Vec::new(),
            numbers: Vec::new(),
            commands: Vec::new(),
            link: None,
        };
        Some(section("nothing", "", "", vec![Block::Card(card)]))
    }
}
