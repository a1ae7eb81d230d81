//! Lines of styled text with places in them that can be opened: what every block is drawn as.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use strata_view::{Explanation, Link, Number};

/// What opening a place does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Another page.
    Open(Link),
    /// How a number was made: its words and its explanation.
    Explain { title: String, explain: Box<Explanation>, link: Option<Link> },
    /// What is folded, or folding it again.
    Unfold,
}

impl Action {
    /// What a number opens.
    pub(crate) fn of(number: &Number) -> Self {
        Self::Explain {
            title: format!("{}: {}", number.label, number.text),
            explain: Box::new(number.explain.clone()),
            link: number.link.clone(),
        }
    }
}

/// A place that can be opened: columns `start..end` of a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    pub(crate) line: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) action: Action,
}

/// Lines and the places in them, growing downwards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flow {
    pub(crate) lines: Vec<Line<'static>>,
    pub(crate) targets: Vec<Target>,
}

impl Flow {
    pub(crate) fn push(&mut self, row: Row) {
        let line = self.lines.len();
        self.targets.extend(row.targets.into_iter().map(|mut target| {
            target.line = line;
            target
        }));
        self.lines.push(Line::from(row.spans));
    }

    pub(crate) fn text(&mut self, text: impl Into<String>, style: Style) {
        self.lines.push(Line::from(Span::styled(text.into(), style)));
    }

    pub(crate) fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// Append `other` below.
    pub(crate) fn below(&mut self, other: Self) {
        let offset = self.lines.len();
        self.lines.extend(other.lines);
        self.targets.extend(other.targets.into_iter().map(|mut target| {
            target.line += offset;
            target
        }));
    }

    /// Put flows side by side, each `width` columns wide with `gap` between.
    pub(crate) fn beside(flows: Vec<Self>, width: usize, gap: usize) -> Self {
        let height = flows.iter().map(|flow| flow.lines.len()).max().unwrap_or(0);
        let mut joined = Self { lines: vec![Line::default(); height], targets: Vec::new() };
        for (column, flow) in flows.into_iter().enumerate() {
            let left = column * (width + gap);
            for (index, line) in flow.lines.into_iter().enumerate() {
                let into = &mut joined.lines[index];
                let used: usize = into.width();
                if used < left {
                    into.spans.push(Span::raw(" ".repeat(left - used)));
                }
                into.spans.extend(cut(line, width).spans);
            }
            joined.targets.extend(flow.targets.into_iter().filter(|t| t.start < width).map(
                |mut target| {
                    target.start += left;
                    target.end = target.end.min(width) + left;
                    target
                },
            ));
        }
        joined
    }
}

/// One line in the making.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    spans: Vec<Span<'static>>,
    targets: Vec<Target>,
    width: usize,
}

impl Row {
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn put(&mut self, text: impl Into<String>, style: Style) {
        let span = Span::styled(text.into(), style);
        self.width += span.width();
        self.spans.push(span);
    }

    pub(crate) fn space(&mut self, columns: usize) {
        self.put(" ".repeat(columns), Style::new());
    }

    /// Fill with blanks up to a column.
    pub(crate) fn to(&mut self, column: usize) {
        if self.width < column {
            self.space(column - self.width);
        }
    }

    /// Put text that opens something.
    pub(crate) fn target(&mut self, text: impl Into<String>, style: Style, action: Action) {
        let start = self.width;
        self.put(text, style);
        self.targets.push(Target { line: 0, start, end: self.width, action });
    }
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A text cut to so many columns, with a mark where something is missing.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        let more = width(character.encode_utf8(&mut [0; 4]));
        if used + more >= columns {
            break;
        }
        used += more;
        kept.push(character);
    }
    if columns > 0 {
        kept.push('~');
    }
    kept
}

/// A line cut to so many columns.
fn cut(line: Line<'static>, columns: usize) -> Line<'static> {
    let mut left = columns;
    let mut spans = Vec::with_capacity(line.spans.len());
    for span in line.spans {
        let taken = span.width();
        if taken <= left {
            left -= taken;
            spans.push(span);
        } else {
            spans.push(Span::styled(fit(&span.content, left), span.style));
            break;
        }
    }
    Line::from(spans)
}

/// Words in lines of at most so many columns.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && width(&line) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&fit(word, columns));
        }
        lines.push(line);
    }
    lines
}
