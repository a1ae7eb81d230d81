//! From text to tokens. What a character may be depends on being inside braces or brackets.

use super::token::{Keyword, Kind, Token, WORDS};

/// The tokens of `text`, the last one [`Kind::Eof`] or [`Kind::Error`].
pub(super) fn lex(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        pos: 0,
        start: 0,
        parens: 0,
        mode: Mode::Plain,
        bracket: false,
        colon: false,
        tokens: Vec::new(),
    };
    let last = match lexer.run() {
        Ok(()) => Kind::Eof,
        Err(message) => Kind::Error(message),
    };
    let start = lexer.start;
    lexer.tokens.push(Token { kind: last, start, end: lexer.pos });
    lexer.tokens
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Braces,
    /// After `[` until the first number.
    DurationStart,
}

struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    start: usize,
    parens: usize,
    mode: Mode,
    bracket: bool,
    colon: bool,
    tokens: Vec<Token>,
}

type Step = Result<(), String>;

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.pos..).and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, wanted: &str) -> bool {
        let hit = self.peek().is_some_and(|c| wanted.contains(c));
        if hit {
            self.pos += 1;
        }
        hit
    }

    fn is(&self, wanted: &str) -> bool {
        self.peek().is_some_and(|c| wanted.contains(c))
    }

    fn word(&self) -> &str {
        self.text.get(self.start..self.pos).unwrap_or("")
    }

    fn emit(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, start: self.start, end: self.pos });
        self.start = self.pos;
    }

    fn run(&mut self) -> Step {
        loop {
            self.start = self.pos;
            let in_duration = self.mode == Mode::DurationStart;
            if self.peek() == Some('#') && !in_duration {
                while self.peek().is_some_and(|c| c != '\n' && c != '\r') {
                    self.next();
                }
                continue;
            }
            let Some(c) = self.next() else { return self.at_end() };
            if is_space(c) {
                continue;
            }
            match self.mode {
                Mode::Plain => self.plain(c)?,
                Mode::Braces => self.braces(c)?,
                Mode::DurationStart => self.duration_start(c)?,
            }
        }
    }

    fn at_end(&self) -> Step {
        match self.mode {
            Mode::Braces => Err("unexpected end of input inside braces".to_owned()),
            Mode::DurationStart => Err("unexpected end of input in duration expression".to_owned()),
            Mode::Plain if self.parens != 0 => Err("unclosed left parenthesis".to_owned()),
            Mode::Plain if self.bracket => Err("unclosed left bracket".to_owned()),
            Mode::Plain => Ok(()),
        }
    }

    fn plain(&mut self, c: char) -> Step {
        match c {
            ',' => self.emit(Kind::Comma),
            '=' => match self.peek() {
                Some('=') => {
                    self.next();
                    self.operator();
                }
                Some('~') => return Err("unexpected character after '=': '~'".to_owned()),
                _ => self.emit(Kind::Assign),
            },
            '!' => match self.next() {
                Some('=') => self.operator(),
                other => return Err(format!("unexpected character after '!': {}", quoted(other))),
            },
            '<' | '>' => {
                self.accept("=/");
                self.operator();
            }
            '*' | '/' | '%' | '+' | '-' | '^' => self.operator(),
            '"' | '\'' => return self.string(c),
            '`' => return self.raw_string(),
            '(' | ')' => return self.paren(c),
            '{' => {
                self.emit(Kind::LeftBrace);
                self.mode = Mode::Braces;
            }
            '[' => {
                if self.bracket {
                    return Err("unexpected left bracket '['".to_owned());
                }
                self.colon = false;
                self.bracket = true;
                self.mode = Mode::DurationStart;
                self.emit(Kind::LeftBracket);
            }
            ']' => {
                if !self.bracket {
                    return Err("unexpected right bracket ']'".to_owned());
                }
                self.bracket = false;
                self.emit(Kind::RightBracket);
            }
            '@' => self.emit(Kind::At),
            _ if c.is_ascii_digit() || (c == '.' && self.digit_follows()) => {
                self.pos = self.start;
                return self.number_or_duration();
            }
            _ if is_alpha(c) || c == ':' => return self.word_or_colon(c),
            _ => return Err(format!("unexpected character: {}", quoted(Some(c)))),
        }
        Ok(())
    }

    fn digit_follows(&self) -> bool {
        self.peek().is_some_and(|c| c.is_ascii_digit())
    }

    fn operator(&mut self) {
        use super::token::BinaryOp as Op;
        let op = match self.word() {
            "==" => Op::Equal,
            "!=" => Op::NotEqual,
            "<" => Op::Less,
            "<=" => Op::LessEqual,
            "</" => Op::TrimUpper,
            ">" => Op::Greater,
            ">=" => Op::GreaterEqual,
            ">/" => Op::TrimLower,
            "*" => Op::Mul,
            "/" => Op::Div,
            "%" => Op::Mod,
            "-" => Op::Sub,
            "^" => Op::Pow,
            _ => Op::Add,
        };
        self.emit(Kind::Op(op));
    }

    fn paren(&mut self, c: char) -> Step {
        if c == '(' {
            self.parens += 1;
            self.emit(Kind::LeftParen);
            return Ok(());
        }
        let Some(open) = self.parens.checked_sub(1) else {
            self.start = self.pos;
            return Err("unexpected right parenthesis ')'".to_owned());
        };
        self.parens = open;
        self.emit(Kind::RightParen);
        Ok(())
    }

    fn word_or_colon(&mut self, c: char) -> Step {
        if !self.bracket {
            self.keyword_or_identifier();
            return Ok(());
        }
        if c == ':' {
            if self.colon {
                return Err("unexpected colon ':'".to_owned());
            }
            self.colon = true;
            self.emit(Kind::Colon);
            return Ok(());
        }
        if self.duration_keyword(c) {
            return Ok(());
        }
        Err(format!("unexpected character: {}, expected ':'", quoted(Some(c))))
    }

    fn duration_keyword(&mut self, c: char) -> bool {
        if !matches!(c.to_ascii_lowercase(), 's' | 'r' | 'm') {
            return false;
        }
        while self.peek().is_some_and(is_alpha) {
            self.next();
        }
        let keyword = match self.word().to_ascii_lowercase().as_str() {
            "step" => Keyword::Step,
            "range" => Keyword::Range,
            "max_of" => Keyword::MaxOf,
            "min_of" => Keyword::MinOf,
            _ => return false,
        };
        self.emit(Kind::Keyword(keyword));
        true
    }

    fn duration_start(&mut self, c: char) -> Step {
        match c {
            ']' => {
                self.bracket = false;
                self.colon = false;
                self.mode = Mode::Plain;
                self.emit(Kind::RightBracket);
            }
            ':' => {
                return Err("unexpected colon before duration in duration expression".to_owned());
            }
            '(' | ')' => return self.paren(c),
            '+' | '-' | '*' | '/' | '%' | '^' => self.operator(),
            ',' => self.emit(Kind::Comma),
            _ if c.is_ascii_digit() || (c == '.' && self.digit_follows()) => {
                self.pos = self.start;
                self.mode = Mode::Plain;
                return self.number_or_duration();
            }
            _ => {
                if !self.duration_keyword(c) {
                    return Err(format!(
                        "unexpected character in duration expression: {}",
                        quoted(Some(c))
                    ));
                }
            }
        }
        Ok(())
    }

    fn braces(&mut self, c: char) -> Step {
        match c {
            ',' => self.emit(Kind::Comma),
            '"' | '\'' => return self.string(c),
            '`' => return self.raw_string(),
            '=' => {
                let kind = if self.accept("~") { Kind::RegexMatch } else { Kind::Assign };
                self.emit(kind);
            }
            '!' => match self.next() {
                Some('~') => self.emit(Kind::RegexNoMatch),
                Some('=') => self.operator(),
                other => {
                    return Err(format!(
                        "unexpected character after '!' inside braces: {}",
                        quoted(other)
                    ));
                }
            },
            '{' => return Err("unexpected left brace '{'".to_owned()),
            '}' => {
                self.mode = Mode::Plain;
                self.emit(Kind::RightBrace);
            }
            _ if is_alpha(c) => {
                while self.peek().is_some_and(is_alphanumeric) {
                    self.next();
                }
                self.emit(Kind::Identifier);
            }
            _ => return Err(format!("unexpected character inside braces: {}", quoted(Some(c)))),
        }
        Ok(())
    }

    fn keyword_or_identifier(&mut self) {
        while self.peek().is_some_and(|c| is_alphanumeric(c) || c == ':') {
            self.next();
        }
        let word = self.word();
        let lower = word.to_ascii_lowercase();
        let kind = match WORDS.iter().find(|(name, _)| *name == lower) {
            Some((_, Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)))
                if !self.paren_follows() =>
            {
                Kind::Identifier
            }
            Some((_, kind)) => kind.clone(),
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        };
        self.emit(kind);
    }

    fn paren_follows(&self) -> bool {
        let rest = self.text.get(self.pos..).unwrap_or("");
        rest.trim_start_matches(is_space).starts_with('(')
    }

    fn string(&mut self, mark: char) -> Step {
        loop {
            match self.next() {
                Some('\\') => self.escape(mark)?,
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some(c) if c == mark => break,
                Some(_) => {}
            }
        }
        self.emit(Kind::String);
        Ok(())
    }

    fn escape(&mut self, mark: char) -> Step {
        let c = self.next().ok_or("escape sequence not terminated")?;
        let (digits, radix, limit, mut value) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            _ if c == mark => return Ok(()),
            '0'..='7' => (2, 8, 255, c.to_digit(8).unwrap_or(0)),
            'x' => (2, 16, 255, 0),
            'u' => (4, 16, 0x10_ffff, 0),
            'U' => (8, 16, 0x10_ffff, 0),
            _ => return Err(format!("unknown escape sequence {}", unicode(c))),
        };
        for _ in 0..digits {
            let c = self.next().ok_or("escape sequence not terminated")?;
            let digit = c
                .to_digit(radix)
                .ok_or_else(|| format!("illegal character {} in escape sequence", unicode(c)))?;
            value = value.wrapping_mul(radix).wrapping_add(digit);
        }
        if value > limit || (0xd800..0xe000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn raw_string(&mut self) -> Step {
        loop {
            match self.next() {
                None => return Err("unterminated raw string".to_owned()),
                Some('`') => break,
                Some(_) => {}
            }
        }
        self.emit(Kind::String);
        Ok(())
    }

    fn number_or_duration(&mut self) -> Step {
        if self.scan_number() {
            self.emit(Kind::Number);
            return Ok(());
        }
        if self.scan_duration_units() {
            self.emit(Kind::Duration);
            return Ok(());
        }
        Err(format!("bad number or duration syntax: {}", super::literal::quote(self.word())))
    }

    fn scan_duration_units(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept("0123456789") {
            while self.accept("0123456789") {}
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }

    fn scan_number(&mut self) -> bool {
        let begin = self.pos;
        let mut digits = "0123456789";
        if self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = "0123456789abcdefABCDEF";
        }
        let hex = digits.len() > 10;
        self.accept(".");
        self.accept(digits);
        let mut dot = false;
        let mut exponent = false;
        while self.is(digits) || self.is("._eE") {
            if (dot && self.is(".")) || (exponent && self.is("eE")) {
                self.next();
                return false;
            }
            if self.accept(".") {
                dot = true;
                if self.accept("_.") || hex {
                    return false;
                }
            } else if !hex && self.accept("eE") {
                exponent = true;
                self.accept("+-");
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else if self.accept("_") {
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else {
                while self.accept(digits) {}
            }
        }
        self.pos != begin && !self.peek().is_some_and(is_alphanumeric)
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    is_alpha(c) || c.is_ascii_digit()
}

/// A character in single quotes, as Go's `%q` writes it; the end of input is U+FFFD there.
fn quoted(c: Option<char>) -> String {
    let text = super::literal::quote(&c.unwrap_or('\u{fffd}').to_string());
    let inner = text.trim_start_matches('"').strip_suffix('"').unwrap_or("");
    match c {
        Some('"') => "'\"'".to_owned(),
        Some('\'') => "'\\''".to_owned(),
        _ => format!("'{inner}'"),
    }
}

/// A character as `U+0041 'A'`.
fn unicode(c: char) -> String {
    format!("U+{:04X} '{c}'", u32::from(c))
}
