//! Globs as Velero's rules use them (the syntax of Go's `gobwas/glob`): `*`, `**`, `?`, `[ab]`, `[a-c]`,
//! `[!a]`, `{a,b}` and `\` before a literal character. Case matters, and the whole text has to match.

use regex::Regex;

use crate::allowance::Allowance;

/// Longest glob; the longest name of Kubernetes has 253 characters.
const MAX_LENGTH: usize = 2048;

/// The character that `*` and `?` do not cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `.`: for group-resources, where only `**` crosses from the resource to the group.
    Dot,
    /// None: for names and namespaces.
    None,
}

/// A compiled glob.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Anything,
    Exactly(String),
    Regex(Regex),
}

/// Why a text is not a glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A `[` that is not closed.
    #[error("`[` is not closed")]
    OpenClass,
    /// A class that matches nothing, or a range from high to low.
    #[error("`[...]` needs at least one character, and ranges from low to high")]
    BadClass,
    /// A `{` that is not closed.
    #[error("`{{` is not closed")]
    OpenAlternatives,
    /// A `\` at the end.
    #[error("`\\` needs a character behind it")]
    OpenEscape,
    /// Too long, too many alternatives, or too many globs in one set.
    #[error("the pattern is too complex, or there are too many")]
    TooComplex,
}

impl Glob {
    /// Compiles a glob.
    pub fn parse(text: &str, separator: Separator) -> Result<Self, GlobError> {
        Self::parse_within(text, separator, &mut Allowance::for_one())
    }

    /// Compiles one of many globs.
    pub(crate) fn parse_within(
        text: &str,
        separator: Separator,
        allowance: &mut Allowance,
    ) -> Result<Self, GlobError> {
        if text.len() > MAX_LENGTH {
            return Err(GlobError::TooComplex);
        }
        let matcher = match (text, separator) {
            ("**", _) | ("*", Separator::None) => Matcher::Anything,
            _ if !text.contains(['*', '?', '[', '{', '\\']) => Matcher::Exactly(text.to_owned()),
            _ => {
                let regex = Translation::new(separator).translate(text)?;
                let regex = allowance.compile(&regex).map_err(|_| GlobError::TooComplex)?;
                Matcher::Regex(regex)
            }
        };
        Ok(Self {
            text: text.to_owned(),
            matcher,
        })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Anything => true,
            Matcher::Exactly(wanted) => wanted == text,
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }

    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The only text that matches, if there is but one.
    pub fn exact(&self) -> Option<&str> {
        match &self.matcher {
            Matcher::Exactly(text) => Some(text),
            _ => None,
        }
    }
}

/// A glob on its way to a regular expression.
struct Translation {
    regex: String,
    /// What `?` matches.
    single: &'static str,
    /// How many `{` are open.
    open: usize,
}

impl Translation {
    fn new(separator: Separator) -> Self {
        let single = match separator {
            Separator::Dot => "[^.]",
            Separator::None => ".",
        };
        Self {
            regex: "^(?s:".to_owned(),
            single,
            open: 0,
        }
    }

    fn translate(mut self, text: &str) -> Result<String, GlobError> {
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '*' if rest.next_if_eq(&'*').is_some() => {
                    while rest.next_if_eq(&'*').is_some() {}
                    self.regex.push_str(".*");
                }
                '*' => self.regex.extend([self.single, "*"]),
                '?' => self.regex.push_str(self.single),
                '[' => self.class(&mut rest)?,
                '{' => {
                    self.open += 1;
                    self.regex.push_str("(?:");
                }
                ',' if self.open > 0 => self.regex.push('|'),
                '}' if self.open > 0 => {
                    self.open -= 1;
                    self.regex.push(')');
                }
                '\\' => self.literal(rest.next().ok_or(GlobError::OpenEscape)?),
                _ => self.literal(character),
            }
        }
        if self.open > 0 {
            return Err(GlobError::OpenAlternatives);
        }
        self.regex.push_str(")$");
        Ok(self.regex)
    }

    fn literal(&mut self, character: char) {
        self.regex
            .push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
    }

    /// Translates from behind the `[` to the `]`.
    fn class(&mut self, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<(), GlobError> {
        self.regex.push('[');
        if rest.next_if_eq(&'!').is_some() {
            self.regex.push('^');
        }
        let mut members = 0;
        loop {
            let low = match rest.next().ok_or(GlobError::OpenClass)? {
                ']' => break,
                '\\' => rest.next().ok_or(GlobError::OpenClass)?,
                other => other,
            };
            let is_range = rest.peek() == Some(&'-') && rest.clone().nth(1).is_some_and(|next| next != ']');
            let high = if is_range {
                rest.nth(1).ok_or(GlobError::OpenClass)?
            } else {
                low
            };
            if high < low {
                return Err(GlobError::BadClass);
            }
            self.literal(low);
            self.regex.push('-');
            self.literal(high);
            members += 1;
        }
        if members == 0 {
            return Err(GlobError::BadClass);
        }
        self.regex.push(']');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_resources_match_segment_by_segment() {
        let resources = ["configmaps", "deployments.apps", "ingresses.networking.k8s.io"];
        for (pattern, expected) in [
            ("*", [true, false, false]),
            ("*.apps", [false, true, false]),
            ("*.*", [false, true, false]),
            ("*.networking.k8s.io", [false, false, true]),
            ("**", [true, true, true]),
            ("***", [true, true, true]),
            ("{deployments.apps,configmaps}", [true, true, false]),
            ("{deploy*.*,in*.**}", [false, true, true]),
            ("ConfigMaps", [false, false, false]),
            (" configmaps", [false, false, false]),
            ("config????", [true, false, false]),
            ("configmaps?apps", [false, false, false]),
            ("[cd]*", [true, false, false]),
            ("[c-d]*.apps", [false, true, false]),
            ("[!c]**", [false, true, true]),
            ("**.k8s.io", [false, false, true]),
            (r"\*", [false, false, false]),
        ] {
            let glob = Glob::parse(pattern, Separator::Dot).expect(pattern);
            assert_eq!(
                resources.map(|resource| glob.matches(resource)),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn names_have_no_separator() {
        for (pattern, name, expected) in [
            ("ns*", "ns.1", true),
            ("*", "a.b", true),
            ("", "", true),
            ("", "a", false),
            ("a", "A", false),
            ("[]a]", "]", false),
            ("a,b", "a,b", true),
            ("a}", "a}", true),
            ("a]", "a]", true),
            ("{a,}b", "b", true),
            ("{a,{b,c}d}", "cd", true),
            ("a+(b)|^$.", "a+(b)|^$.", true),
            ("?+(b)|^$.", "a+(b)|^$.", true),
            ("?", "é", true),
            (r"\{a\}", "{a}", true),
            ("[a&&b]", "&", true),
            ("[<^-~]", "_", true),
            ("[[]", "[", true),
            (r"[\]\-a]", "-", true),
        ] {
            let matches = Glob::parse(pattern, Separator::None).map(|glob| glob.matches(name));
            // An empty class is malformed, as is a range from high to low.
            let expected = if pattern == "[]a]" {
                Err(GlobError::BadClass)
            } else {
                Ok(expected)
            };
            assert_eq!(matches, expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn malformed_globs_are_refused() {
        for (pattern, error) in [
            ("[", GlobError::OpenClass),
            ("[a", GlobError::OpenClass),
            ("[]", GlobError::BadClass),
            ("[!]", GlobError::BadClass),
            ("[b-a]", GlobError::BadClass),
            ("{a", GlobError::OpenAlternatives),
            ("{a,{b}", GlobError::OpenAlternatives),
            ("a\\", GlobError::OpenEscape),
        ] {
            assert_eq!(
                Glob::parse(pattern, Separator::Dot).err(),
                Some(error),
                "{pattern}"
            );
        }
        let nested = format!("{}{}", "{a,".repeat(600), "}".repeat(600));
        assert_eq!(
            Glob::parse(&nested, Separator::Dot).err(),
            Some(GlobError::TooComplex)
        );
        assert_eq!(
            Glob::parse(&"a".repeat(5000), Separator::Dot).err(),
            Some(GlobError::TooComplex)
        );
    }
}
