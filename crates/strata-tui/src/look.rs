//! What the terminal can show: colors and characters, and the words, shapes and colors of a status.

use ratatui::style::{Color, Modifier, Style};
use strata_view::Status;

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Box drawing, blocks and braille; ASCII alone otherwise.
    pub unicode: bool,
    /// Colors; words and shapes say the same without.
    pub color: bool,
    /// What is folded is shown too.
    pub open: bool,
}

impl Look {
    /// ASCII without colors: what a file or a pipe gets.
    pub const PLAIN: Self = Self { unicode: false, color: false, open: false };

    /// The mark of a status: one column, a different shape for each.
    pub(crate) fn shape(self, status: Status) -> &'static str {
        match (status, self.unicode) {
            (Status::Ok, true) => "\u{25cf}",
            (Status::Ok, false) => "o",
            (Status::Watch, true) => "\u{25b2}",
            (Status::Watch, false) => "^",
            (Status::Broken, true) => "\u{25a0}",
            (Status::Broken, false) => "#",
            (Status::Blind, true) => "\u{25cc}",
            (Status::Blind, false) => "?",
            (Status::Absent, true) => "\u{00b7}",
            (Status::Absent, false) => "-",
        }
    }

    /// Shape and word: `# BROKEN`.
    pub(crate) fn verdict(self, status: Status) -> String {
        format!("{} {}", self.shape(status), status.word())
    }

    /// The 16 colors every terminal has, so that its own theme keeps them readable.
    pub(crate) fn status(self, status: Status) -> Style {
        self.tint(match status {
            Status::Ok => Color::Green,
            Status::Watch => Color::Yellow,
            Status::Broken => Color::Red,
            Status::Blind | Status::Absent => Color::DarkGray,
        })
    }

    /// What matters less.
    pub(crate) fn dim(self) -> Style {
        self.tint(Color::DarkGray)
    }

    /// What matters more.
    pub(crate) fn strong() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Names of things that can be opened.
    pub(crate) fn link(self) -> Style {
        self.tint(Color::Cyan)
    }

    /// The north star and the plumb line.
    pub(crate) fn gold(self) -> Style {
        self.tint(Color::LightYellow).add_modifier(Modifier::BOLD)
    }

    /// One of the colors of lines and segments, told apart by order as well (names are listed).
    pub(crate) fn series(self, index: usize) -> Style {
        const COLORS: [Color; 6] = [
            Color::Cyan,
            Color::Yellow,
            Color::Magenta,
            Color::Green,
            Color::Blue,
            Color::LightRed,
        ];
        self.tint(COLORS[index % COLORS.len()])
    }

    fn tint(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    /// A color between cold and hot for a share of 0..1: blue over gray to yellow, which people who
    /// do not tell red from green tell apart as well.
    pub(crate) fn heat(self, share: f64) -> Style {
        const STEPS: [u8; 9] = [17, 18, 24, 60, 102, 144, 179, 221, 226];
        let last = STEPS.len() - 1;
        let index = ((share.clamp(0.0, 1.0) * last as f64).round() as usize).min(last);
        self.tint(Color::Indexed(STEPS[index]))
    }

    /// A character that fills more of its cell the higher the share of 0..1.
    pub(crate) fn level(self, share: f64) -> char {
        const BLOCKS: [char; 8] = [
            '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}',
            '\u{2588}',
        ];
        const ASCII: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];
        let steps = if self.unicode { BLOCKS } else { ASCII };
        steps[((share.clamp(0.0, 1.0) * 7.0).round() as usize).min(7)]
    }

    /// What stands where nothing is known.
    pub(crate) fn hatch(self) -> char {
        if self.unicode { '\u{2571}' } else { '/' }
    }

    /// A full cell of a bar.
    pub(crate) fn full(self) -> char {
        if self.unicode { '\u{2588}' } else { '#' }
    }

    /// A horizontal rule.
    pub(crate) fn rule(self) -> char {
        if self.unicode { '\u{2500}' } else { '-' }
    }
}
