//! The state of the screen: which page, where in it, what lies over it. Knows no terminal and no
//! runtime; what must happen outside is returned as an [`Effect`].

mod draw;
mod input;

use strata_view::{Language, Link, Page, PageError, PageId, PageRequest, Suggestion};

use crate::flow::{Action, Flow};
use crate::look::Look;

/// Pages one can go back to.
const HISTORY_MAX: usize = 64;

/// What the loop must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Load the page of the current request.
    Load,
    /// Look for entities.
    Suggest(String),
    Quit,
}

/// What lies over the page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Popup {
    Explain(Action),
    Keys,
    Ranges,
    /// `answered` is what `found` was found for.
    Palette {
        typed: String,
        answered: Option<String>,
        found: Vec<Suggestion>,
        chosen: usize,
    },
    Query {
        lang: Language,
        typed: String,
    },
}

/// Where things were drawn last, for the mouse.
#[derive(Debug, Clone, Default)]
struct Drawn {
    /// (first column, column after the last, page) of the tabs in the first line.
    tabs: Vec<(u16, u16, PageId)>,
    /// First line of the body, and how many lines of it are seen.
    body_top: u16,
    body_lines: u16,
    header: Flow,
    body: Flow,
    /// Where the popup's inside begins (column, line), and its lines.
    popup: Option<(u16, u16, Flow)>,
}

/// The state of the screen.
pub(crate) struct App {
    pub(crate) request: PageRequest,
    pub(crate) page: Option<Page>,
    /// Why the newest try gave no page, and for how many seconds there was none.
    pub(crate) failure: Option<(PageError, u64)>,
    pub(crate) loading: bool,
    pub(crate) popup: Option<Popup>,
    look: Look,
    history: Vec<PageRequest>,
    scroll: usize,
    /// Index into the targets of the body.
    selected: Option<usize>,
    drawn: Drawn,
}

impl App {
    pub(crate) fn new(request: PageRequest, look: Look) -> Self {
        Self {
            request,
            page: None,
            failure: None,
            loading: true,
            popup: None,
            look,
            history: Vec::new(),
            scroll: 0,
            selected: None,
            drawn: Drawn::default(),
        }
    }

    /// A page came. One that was asked for before the reader went on is not shown.
    pub(crate) fn arrived(
        &mut self,
        request: &PageRequest,
        result: Result<Page, PageError>,
        dark_seconds: u64,
    ) {
        if *request != self.request {
            return;
        }
        self.loading = false;
        match result {
            Ok(page) => {
                self.page = Some(page);
                self.failure = None;
            }
            Err(error) => self.failure = Some((error, dark_seconds)),
        }
    }

    /// Entities came for what was typed.
    pub(crate) fn suggested(&mut self, text: &str, suggestions: Vec<Suggestion>) {
        if let Some(Popup::Palette { typed, answered, found, chosen }) = &mut self.popup
            && typed == text
        {
            *answered = Some(text.to_owned());
            *found = suggestions;
            *chosen = 0;
        }
    }

    /// Go to a page, keeping the range of time.
    fn go(&mut self, request: PageRequest) -> Option<Effect> {
        self.popup = None;
        if request == self.request {
            return None;
        }
        if self.history.len() == HISTORY_MAX {
            self.history.remove(0);
        }
        self.history.push(std::mem::replace(&mut self.request, request));
        self.fresh();
        Some(Effect::Load)
    }

    fn back(&mut self) -> Option<Effect> {
        self.request = self.history.pop()?;
        self.fresh();
        Some(Effect::Load)
    }

    fn fresh(&mut self) {
        self.scroll = 0;
        self.selected = None;
        self.loading = true;
        self.failure = None;
    }

    /// Do what a place stands for.
    fn act(&mut self, action: Action) -> Option<Effect> {
        match action {
            Action::Open(link) => self.go(self.follow(&link)?),
            explain @ Action::Explain { .. } => {
                self.popup = Some(Popup::Explain(explain));
                None
            }
            Action::Unfold => {
                self.look.open = !self.look.open;
                None
            }
        }
    }

    /// The request a link stands for; the range of time stays.
    fn follow(&self, link: &Link) -> Option<PageRequest> {
        let params = link.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut request = PageRequest::from_params(PageId::from_name(&link.page)?, params).ok()?;
        request.span = self.request.span;
        Some(request)
    }

    /// Select the next or the previous place and bring it into view.
    fn select(&mut self, forward: bool) {
        let count = self.drawn.body.targets.len();
        if count == 0 {
            return;
        }
        let next = match (self.selected, forward) {
            (None, true) => 0,
            (None, false) => count - 1,
            (Some(index), true) => (index + 1) % count,
            (Some(index), false) => (index + count - 1) % count,
        };
        self.selected = Some(next);
        let line = self.drawn.body.targets[next].line;
        let seen = usize::from(self.drawn.body_lines).max(1);
        if line < self.scroll {
            self.scroll = line;
        } else if line >= self.scroll + seen {
            self.scroll = line + 1 - seen;
        }
    }

    /// Move by lines, within the page.
    fn scroll_by(&mut self, lines: isize) {
        let seen = usize::from(self.drawn.body_lines);
        let last = self.drawn.body.lines.len().saturating_sub(seen);
        self.scroll = self.scroll.saturating_add_signed(lines).min(last);
    }
}
