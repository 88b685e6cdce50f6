//! Regular expressions as Go's RE2 reads them, on the regex crate: the same family, with the differences
//! translated. Unanchored; always linear in the text.
//!
//! Go means ASCII by `\d \w \s \b`, knows `\Q..\E` and octal escapes, takes a `{` that opens no count
//! literally, has no set operations in classes, and refuses counts over 1000.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

use crate::allowance::Allowance;

const MAX_LENGTH: usize = 4096;
const MAX_COUNT: u32 = 1000;

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Pattern {
    written: Box<str>,
    regex: Regex,
}

/// Why a text is not a regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Over the limit of length.
    #[error("the expression is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Over the limit of size, alone or together with the others of its set.
    #[error("the expression is too complex, or there are too many")]
    TooComplex,
    /// A repetition as in `a{1001}`.
    #[error("a repeat count is over {MAX_COUNT}")]
    TooManyRepeats,
    /// Not a regular expression, or one with look-around or back-references, which RE2 does not have.
    #[error("{0}")]
    Syntax(String),
}

impl Pattern {
    /// Compiles an expression.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::parse_within(text, &mut Allowance::for_one())
    }

    /// Compiles one of many expressions.
    pub(crate) fn parse_within(text: &str, allowance: &mut Allowance) -> Result<Self, PatternError> {
        if text.len() > MAX_LENGTH {
            return Err(PatternError::TooLong);
        }
        let translated = Translation::new(text).translate()?;
        let regex = allowance.compile(&translated).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooComplex,
            error => PatternError::Syntax(reason(&error)),
        })?;
        Ok(Self {
            written: text.into(),
            regex,
        })
    }

    /// Whether it matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// The last line of the crate's message: the lines before it draw the translated expression.
fn reason(error: &regex::Error) -> String {
    let message = error.to_string();
    let last = message.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

struct Translation<'t> {
    rest: Peekable<Chars<'t>>,
    regex: String,
}

impl<'t> Translation<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            rest: text.chars().peekable(),
            regex: String::with_capacity(text.len()),
        }
    }

    fn translate(mut self) -> Result<String, PatternError> {
        let mut after_repetition = false;
        while let Some(character) = self.rest.next() {
            let is_repetition =
                matches!(character, '*' | '+' | '?') || character == '{' && count(&self.rest).is_some();
            if is_repetition && after_repetition {
                return Err(PatternError::Syntax("a repetition is repeated".to_owned()));
            }
            match character {
                '\\' => self.escape(false),
                '[' => self.class(),
                '{' => self.brace()?,
                other => self.regex.push(other),
            }
            if is_repetition {
                // As few as possible: a part of the same repetition.
                self.regex.extend(self.rest.next_if_eq(&'?'));
            }
            after_repetition = is_repetition;
        }
        Ok(self.regex)
    }

    /// What follows a `\`; inside of a class the classes of ASCII characters are written without brackets.
    fn escape(&mut self, in_class: bool) {
        let Some(escaped) = self.rest.next() else {
            self.regex.push('\\');
            return;
        };
        match (escaped, in_class) {
            ('d', false) => self.regex.push_str("[0-9]"),
            ('d', true) => self.regex.push_str("0-9"),
            ('D', _) => self.regex.push_str("[^0-9]"),
            ('w', false) => self.regex.push_str("[0-9A-Za-z_]"),
            ('w', true) => self.regex.push_str("0-9A-Za-z_"),
            ('W', _) => self.regex.push_str("[^0-9A-Za-z_]"),
            ('s', false) => self.regex.push_str(r"[\t\n\f\r ]"),
            ('s', true) => self.regex.push_str(r"\t\n\f\r "),
            ('S', _) => self.regex.push_str(r"[^\t\n\f\r ]"),
            ('b', false) => self.regex.push_str(r"(?-u:\b)"),
            ('B', false) => self.regex.push_str(r"(?-u:\B)"),
            ('Q', false) => self.quotation(),
            // A quotation that was never opened: Go drops it.
            ('E', false) => {}
            ('0'..='7', _) => self.octal(escaped),
            ('p' | 'P' | 'x', _) => {
                self.regex.extend(['\\', escaped]);
                self.argument();
            }
            (other, _) => self.regex.extend(['\\', other]),
        }
    }

    /// The literal text from `\Q` to `\E` or to the end.
    fn quotation(&mut self) {
        while let Some(character) = self.rest.next() {
            if character == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.regex
                .push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
        }
    }

    /// The braces of `\p{Greek}` and `\x{41}`, which are no count.
    fn argument(&mut self) {
        if self.rest.peek() == Some(&'{') {
            for character in self.rest.by_ref() {
                self.regex.push(character);
                if character == '}' {
                    return;
                }
            }
        }
    }

    /// `\0`, `\07` or `\101`. A single digit other than 0 would be a back-reference, which stays an error.
    fn octal(&mut self, first: char) {
        let mut digits = String::from(first);
        while digits.len() < 3
            && let Some(digit) = self.rest.next_if(|next| matches!(next, '0'..='7'))
        {
            digits.push(digit);
        }
        match u32::from_str_radix(&digits, 8) {
            Ok(code) if first == '0' || digits.len() > 1 => {
                self.regex.extend([r"\x{", &format!("{code:x}"), "}"]);
            }
            _ => self.regex.extend(['\\', first]),
        }
    }

    /// A class from behind its `[`: nothing in it is an operator but `]`, `-`, `^` and `[:name:]`.
    fn class(&mut self) {
        self.regex.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.regex.push('^');
        }
        let mut first = true;
        while let Some(character) = self.rest.next() {
            match character {
                ']' if !first => {
                    self.regex.push(']');
                    return;
                }
                ']' => self.regex.push_str(r"\]"),
                '[' if self.rest.peek() == Some(&':') => self.named_class(),
                '[' => self.regex.push_str(r"\["),
                '\\' => self.escape(true),
                '&' | '~' => self.regex.extend(['\\', character]),
                '-' if self.rest.peek() == Some(&'-') => self.regex.push_str(r"\-"),
                other => self.regex.push(other),
            }
            first = false;
        }
    }

    /// `[:alpha:]` from behind its `[`.
    fn named_class(&mut self) {
        self.regex.push('[');
        for character in self.rest.by_ref() {
            self.regex.push(character);
            if character == ']' {
                return;
            }
        }
    }

    /// A `{`: the start of a count, or itself.
    fn brace(&mut self) -> Result<(), PatternError> {
        let Some(count) = count(&self.rest) else {
            self.regex.push_str(r"\{");
            return Ok(());
        };
        let bounds = count.split(',').filter(|bound| !bound.is_empty());
        for bound in bounds {
            if bound.parse::<u32>().map_or(true, |bound| bound > MAX_COUNT) {
                return Err(PatternError::TooManyRepeats);
            }
        }
        self.regex.push('{');
        self.regex.push_str(&count);
        self.regex
            .extend(self.rest.by_ref().take(count.len() + 1).skip(count.len()));
        Ok(())
    }
}

/// The text of `{n}`, `{n,}` or `{n,m}` from behind the brace, if that is what follows.
fn count(rest: &Peekable<Chars<'_>>) -> Option<String> {
    let count: String = rest.clone().take_while(|character| *character != '}').collect();
    let closed = rest.clone().nth(count.chars().count()) == Some('}');
    let (low, high) = count.split_once(',').unwrap_or((&count, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (closed && !low.is_empty() && is_number(low) && is_number(high)).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_go_means_by_them() {
        for (pattern, text, expected) in [
            ("mysql", "my-mysql-0", true),
            ("^mysql.*$", "my-mysql-0", false),
            ("(?i)MYSQL", "mysql", true),
            (r"^\d$", "\u{663}", false),
            (r"^\w+$", "é", false),
            (r"^\s$", "\u{a0}", false),
            (r"^[\d_]+$", "1_2", true),
            (r"^[^\D]+$", "12", true),
            (r"^[\D]+$", "ab", true),
            (r"\bdb\b", "my-db-0", true),
            (r"\Bb\b", "db", true),
            (r"^\Qa.b[\E$", "a.b[", true),
            (r"\Qa.b", "axb", false),
            (r"^\101$", "A", true),
            ("^a{$", "a{", true),
            ("^a{,3}$", "a{,3}", true),
            ("^{a$", "{a", true),
            ("^a{2}$", "aa", true),
            ("^a{2,}$", "aaa", true),
            ("^[a&&b]+$", "&", true),
            ("^[a--b]+$", "-", true),
            ("^[a~~b]+$", "~", true),
            ("^[a[b]+$", "[", true),
            ("^[]a]+$", "]", true),
            ("^[^]a]$", "b", true),
            ("^[[:alpha:]]+$", "ab", true),
            ("^(?P<n>a)(?<m>b)$", "ab", true),
            (r"^\p{Greek}\pL\z", "αb", true),
            (r"^\x{41}[\x{42}]\x43$", "ABC", true),
            ("^a*?b??c{2}?$", "acc", true),
            ("", "anything", true),
        ] {
            let matches = Pattern::parse(pattern).map(|compiled| compiled.is_match(text));
            assert_eq!(matches, Ok(expected), "{pattern} on {text}");
        }
    }

    #[test]
    fn what_re2_does_not_have_is_refused() {
        for pattern in [
            "(?=a)",
            "(?<!a)b",
            r"(a)\1",
            r"\8",
            r"\Z",
            "a(",
            "[a",
            "*",
            "a{1001}",
            "a{2,1001}",
            "a**",
            "a*?*",
            "a+{2}",
            "a{2}{2}",
            r"\",
            "[z-a]",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
        assert_eq!(
            Pattern::parse("a{1001}").err(),
            Some(PatternError::TooManyRepeats)
        );
        assert_eq!(
            Pattern::parse(r"(?:\pL{100}){100}").err(),
            Some(PatternError::TooComplex)
        );
        assert_eq!(
            Pattern::parse(&"a".repeat(5000)).err(),
            Some(PatternError::TooLong)
        );
        assert!(Pattern::parse(&"(".repeat(4000)).is_err());
    }

    #[test]
    fn the_reason_is_one_short_line() {
        let message = Pattern::parse("a(b").err().map(|error| error.to_string());
        assert_eq!(message.as_deref(), Some("unclosed group"));
    }
}
