//! What a reader asks for: a page, a range of time, and the page's own parameters. The same in a
//! URL, on the command line and between terminal and server.

mod params;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The pages there are. The name is the one in URLs, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PageId {
    /// Eight layers at a glance.
    Overview,
    /// The fleet of GPUs as a heatmap; with `entity` one GPU.
    Gpus,
    /// Collectives and kernels.
    Communication,
    /// Hosts; with `entity` one host.
    Hosts,
    /// Who owns what, and the queues.
    Scheduling,
    /// Training runs.
    Training,
    /// Engines; with `entity` one replica.
    Engines,
    /// What users get.
    Requests,
    /// Money.
    Cost,
    /// Every signal of every layer: seen or not, why, and how to mend it.
    Doctor,
    /// PromQL and SQL of the reader's own.
    Explore,
    /// Nodes, GPUs, links, replicas, models.
    Topology,
}

impl PageId {
    /// All pages in the order of the navigation.
    pub const ALL: [Self; 12] = [
        Self::Overview,
        Self::Gpus,
        Self::Communication,
        Self::Hosts,
        Self::Scheduling,
        Self::Training,
        Self::Engines,
        Self::Requests,
        Self::Cost,
        Self::Doctor,
        Self::Explore,
        Self::Topology,
    ];

    /// The name in URLs: `overview`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Gpus => "gpus",
            Self::Communication => "communication",
            Self::Hosts => "hosts",
            Self::Scheduling => "scheduling",
            Self::Training => "training",
            Self::Engines => "engines",
            Self::Requests => "requests",
            Self::Cost => "cost",
            Self::Doctor => "doctor",
            Self::Explore => "explore",
            Self::Topology => "topology",
        }
    }

    /// The name in a row of tabs where there is little room, at most six letters.
    pub fn short(self) -> &'static str {
        match self {
            Self::Overview => "All",
            Self::Gpus => "GPU",
            Self::Communication => "NCCL",
            Self::Hosts => "Host",
            Self::Scheduling => "Sched",
            Self::Training => "Train",
            Self::Engines => "Eng",
            Self::Requests => "API",
            Self::Cost => "Cost",
            Self::Doctor => "Doc",
            Self::Explore => "Expl",
            Self::Topology => "Topo",
        }
    }

    /// The key that opens it: 0 for the overview, 1 to 8 for the layers, then letters.
    pub fn key(self) -> char {
        match self {
            Self::Overview => '0',
            Self::Gpus => '1',
            Self::Communication => '2',
            Self::Hosts => '3',
            Self::Scheduling => '4',
            Self::Training => '5',
            Self::Engines => '6',
            Self::Requests => '7',
            Self::Cost => '8',
            Self::Doctor => 'd',
            Self::Explore => 'e',
            Self::Topology => 't',
        }
    }

    /// The page with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| page.name() == name)
    }
}

/// A range of time as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Span {
    /// The last `seconds` up to now, moving on.
    Live { seconds: u32 },
    /// From one moment to another, milliseconds since the Unix epoch.
    Fixed { start_ms: i64, end_ms: i64 },
}

impl Default for Span {
    /// The last hour, live.
    fn default() -> Self {
        Self::Live { seconds: 3600 }
    }
}

/// The language of a reader's own question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Of metrics.
    #[default]
    Promql,
    /// Of records: requests, spans, feedback. Only reads.
    Sql,
}

impl Language {
    /// All of them, in the order of the switch.
    pub const ALL: [Self; 2] = [Self::Promql, Self::Sql];

    /// The name in URLs: `sql`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Promql => "promql",
            Self::Sql => "sql",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Promql => "PromQL",
            Self::Sql => "SQL",
        }
    }

    /// The language with this name in URLs.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it is the one that need not be named.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What of a page is shown, where it has more than one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What is going on.
    #[default]
    Now,
    /// Of the page of requests: single ones, the slowest first, and what their time is made of.
    Slowest,
    /// Of the page of requests: how long inputs and outputs are, and what follows for engines.
    Lengths,
    /// Of the page of requests: two models side by side, those of `entity` and `against`.
    Compare,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Now, Self::Slowest, Self::Lengths, Self::Compare];

    /// The name in URLs: `compare`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Slowest => "slowest",
            Self::Lengths => "lengths",
            Self::Compare => "compare",
        }
    }

    /// The view with this name in URLs.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it is the one that need not be named.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A page as asked for. In a URL: `/engines?entity=...&since=1h` or `&start=...&end=...`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PageRequest {
    pub page: PageId,
    pub span: Span,
    /// The one thing the page is about, by its id `kind:key` (`gpu:GPU-123`, `host:node-1`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// What `entity` is compared with, by its id, where the page offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// How to group, where the page offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What to color by, where the page offers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// The reader's own question on the Explore page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The language of `query`.
    #[serde(default, skip_serializing_if = "Language::is_default")]
    pub lang: Language,
    #[serde(default, skip_serializing_if = "View::is_default")]
    pub view: View,
    #[serde(default, skip_serializing_if = "CostView::is_default")]
    pub cost: CostView,
}

/// What the cost page is asked for besides: a path into the bill, and how charges are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostView {
    /// State of GPU seconds: `held_idle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whom charges are for: `team`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What is charged directly: `held`, `requested` or `used`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Who bears the rest: `owner`, `proportional` or `platform`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}

impl CostView {
    /// The parameters of URLs with what they hold, in their order.
    pub fn fields(&self) -> [(&'static str, &Option<String>); 6] {
        [
            ("state", &self.state),
            ("model", &self.model),
            ("tenant", &self.tenant),
            ("by", &self.by),
            ("basis", &self.basis),
            ("idle", &self.idle),
        ]
    }

    /// What a parameter of URLs is kept in; None for one of another name.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "state" => Some(&mut self.state),
            "model" => Some(&mut self.model),
            "tenant" => Some(&mut self.tenant),
            "by" => Some(&mut self.by),
            "basis" => Some(&mut self.basis),
            "idle" => Some(&mut self.idle),
            _ => None,
        }
    }

    /// Whether nothing is asked for.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl PageRequest {
    /// The page without parameters, the last hour, live.
    pub fn new(page: PageId) -> Self {
        Self {
            page,
            span: Span::default(),
            entity: None,
            against: None,
            group: None,
            color: None,
            query: None,
            lang: Language::default(),
            view: View::default(),
            cost: CostView::default(),
        }
    }

    /// Whether the page answers a question that is asked once and not again and again: one in SQL
    /// may read days of records, and so may statistics over them.
    pub fn is_asked_once(&self) -> bool {
        (self.page == PageId::Explore && self.lang == Language::Sql) || self.is_about_records()
    }

    /// Whether the page is about single requests, and not about metrics of them.
    pub fn is_about_records(&self) -> bool {
        self.page == PageId::Requests && (self.view != View::Now || self.one_request().is_some())
    }

    /// The number of the one request that the page is about: `entity=request:20261122-5`.
    pub fn one_request(&self) -> Option<&str> {
        let entity = self.entity.as_deref().filter(|_| self.page == PageId::Requests)?;
        entity.strip_prefix("request:")
    }
}
