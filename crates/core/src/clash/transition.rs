//! The usual forms of a transition rule (CEL over `self` and `oldSelf`), read as what they let happen to which field.

use super::change::{Change, Modify};

/// What a rule lets happen to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restriction {
    /// The field, from where the rule stands.
    pub(super) below: Vec<String>,
    pub(super) change: Change,
}

/// Bytes of a rule that may still be a plain one.
const LONGEST: usize = 512;

/// What a rule says plainly; nothing where it says anything else.
pub(super) fn restrictions(rule: &str) -> Vec<Restriction> {
    if rule.len() > LONGEST {
        return Vec::new();
    }
    let rule: String = rule.split_whitespace().collect();
    split(unwrapped(&rule), "&&")
        .into_iter()
        .filter_map(restriction)
        .collect()
}

/// A term that the usual forms are made of, over a field.
#[derive(Debug, PartialEq)]
enum Term<'r> {
    /// `self.f == oldSelf.f`
    Same(&'r str),
    /// `has(self.f)`
    Has(&'r str),
    /// `!has(self.f)`
    HasNot(&'r str),
    /// `!has(oldSelf.f)`
    HadNot(&'r str),
    /// `has(self.f) == has(oldSelf.f)`
    HasAsBefore(&'r str),
    /// `oldSelf.f == ''`
    WasEmpty(&'r str),
}

/// What one condition, that has to hold, says.
fn restriction(condition: &str) -> Option<Restriction> {
    let alternatives = split(unwrapped(condition), "||");
    let terms: Option<Vec<Vec<Term<'_>>>> = alternatives.iter().map(|text| terms(text)).collect();
    let terms = terms?;
    let terms: Vec<&[Term<'_>]> = terms.iter().map(Vec::as_slice).collect();
    let (field, change) = match terms.as_slice() {
        // On the field itself it is only judged where there are both values; from above, a missing one is an error.
        [[Term::Same("")]] => ("", Change::may(true, true, Modify::Never)),
        [[Term::Same(field)]] => (*field, Change::IMMUTABLE),
        [[Term::HasAsBefore(field)]] => (*field, Change::may(false, false, Modify::Freely)),
        [[Term::HadNot(field)], [Term::Has(same)]] if field == same => (*field, Change::NO_UNSET),
        [[Term::HadNot(field)], [Term::Same(same)]] if field == same => (*field, Change::SET_ONCE),
        [[Term::HadNot(field)], [Term::Has(has), Term::Same(same)]] if field == same && field == has => {
            (*field, Change::SET_ONCE)
        }
        [[Term::HadNot(field)], [Term::HasNot(not)], [Term::Same(same)]]
        | [[Term::HasNot(not)], [Term::HadNot(field)], [Term::Same(same)]]
            if field == same && field == not =>
        {
            (*field, Change::may(true, true, Modify::Never))
        }
        [[Term::WasEmpty("")], [Term::Same("")]] => ("", Change::may(true, true, Modify::WhileEmpty)),
        [[Term::WasEmpty(field)], [Term::Same(same)]] if field == same => {
            (*field, Change::may(false, false, Modify::WhileEmpty))
        }
        _ => return None,
    };
    Some(Restriction {
        below: field
            .split('.')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        change,
    })
}

/// The terms of an alternative, all of which have to hold.
fn terms(text: &str) -> Option<Vec<Term<'_>>> {
    split(unwrapped(text), "&&")
        .into_iter()
        .map(|text| term(unwrapped(text)))
        .collect()
}

fn term(text: &str) -> Option<Term<'_>> {
    if let Some((left, right)) = text.split_once("==") {
        return equation(left, right).or_else(|| equation(right, left));
    }
    match text.strip_prefix('!') {
        Some(negated) => match has(negated)? {
            Side::New(field) => Some(Term::HasNot(field)),
            Side::Old(field) => Some(Term::HadNot(field)),
        },
        None => match has(text)? {
            Side::New(field) => Some(Term::Has(field)),
            Side::Old(_) => None,
        },
    }
}

fn equation<'r>(left: &'r str, right: &str) -> Option<Term<'r>> {
    if let (Some(Side::New(field)), Some(Side::Old(same))) = (has(left), has(right)) {
        return (field == same).then_some(Term::HasAsBefore(field));
    }
    match (side(left)?, right) {
        (Side::Old(field), "''" | "\"\"") => Some(Term::WasEmpty(field)),
        (Side::New(field), _) if side(right) == Some(Side::Old(field)) => Some(Term::Same(field)),
        _ => None,
    }
}

/// A field of the new or the old value.
#[derive(Debug, PartialEq)]
enum Side<'r> {
    New(&'r str),
    Old(&'r str),
}

fn has(text: &str) -> Option<Side<'_>> {
    side(text.strip_prefix("has(")?.strip_suffix(')')?)
}

fn side(text: &str) -> Option<Side<'_>> {
    let (side, field): (fn(_) -> _, _) = match text.strip_prefix("oldSelf") {
        Some(field) => (Side::Old, field),
        None => (Side::New, text.strip_prefix("self")?),
    };
    // Names with other characters are written with escapes, which are left to the API server.
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match field.strip_prefix('.') {
        Some(names) => names.split('.').all(is_name).then(|| side(names)),
        None => field.is_empty().then(|| side("")),
    }
}

/// Without parentheses around all of it.
fn unwrapped(text: &str) -> &str {
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    match inner {
        Some(inner) if is_balanced(inner) => unwrapped(inner),
        _ => text,
    }
}

/// Whether no parenthesis closes what was opened outside.
fn is_balanced(text: &str) -> bool {
    let mut depth = 0_usize;
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return false,
            ')' => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

/// Splits at an operator outside of parentheses.
fn split<'r>(text: &'r str, operator: &str) -> Vec<&'r str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && at >= start && text[at..].starts_with(operator) => {
                parts.push(&text[start..at]);
                start = at + operator.len();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_understood() {
        let pinned = Change::may(true, true, Modify::Never);
        for (rule, expected) in [
            ("self == oldSelf", vec![("", pinned)]),
            ("oldSelf == self", vec![("", pinned)]),
            ("(self.a == oldSelf.a)", vec![("a", Change::IMMUTABLE)]),
            (
                "self.spec.size==oldSelf.spec.size",
                vec![("spec.size", Change::IMMUTABLE)],
            ),
            ("!has(oldSelf.f) || has(self.f)", vec![("f", Change::NO_UNSET)]),
            (
                "!has(oldSelf.f) || self.f == oldSelf.f",
                vec![("f", Change::SET_ONCE)],
            ),
            (
                "!has(oldSelf.f) || (has(self.f) && self.f == oldSelf.f)",
                vec![("f", Change::SET_ONCE)],
            ),
            (
                "!has(self.f) || !has(oldSelf.f) || self.f == oldSelf.f",
                vec![("f", pinned)],
            ),
            (
                "has(self.f) == has(oldSelf.f)",
                vec![("f", Change::may(false, false, Modify::Freely))],
            ),
            (
                "oldSelf == '' || self == oldSelf",
                vec![("", Change::may(true, true, Modify::WhileEmpty))],
            ),
            (
                "oldSelf.f == \"\" || self.f == oldSelf.f",
                vec![("f", Change::may(false, false, Modify::WhileEmpty))],
            ),
            (
                "(!has(oldSelf.a) || has(self.a)) && (self.b == oldSelf.b)",
                vec![("a", Change::NO_UNSET), ("b", Change::IMMUTABLE)],
            ),
        ] {
            let found = restrictions(rule);
            let found: Vec<_> = found
                .iter()
                .map(|found| (found.below.join("."), found.change))
                .collect();
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(below, change)| (below.to_owned(), change))
                .collect();
            assert_eq!(found, expected, "{rule}");
        }
    }

    #[test]
    fn whatever_else_a_rule_says_is_left_to_the_api_server() {
        for rule in [
            "self.minReplicas <= self.replicas",
            "self >= oldSelf",
            "self != oldSelf",
            "self == oldSelf || self == 'x'",
            "self.a == oldSelf.b",
            "!has(oldSelf.a) || has(self.b)",
            "self.a[0] == oldSelf.a[0]",
            "self.all(x, x == oldSelf)",
            "has(oldSelf.a)",
            "self.x__dash__y == oldSelf.x__dash__y",
            "((",
            ")self == oldSelf(",
            "",
            "|| &&",
            "é == é",
        ] {
            assert_eq!(restrictions(rule), [], "{rule}");
        }
    }
}
