//! The differences from Velero that `docs/rules.md` lists, as far as the rule engine can show them. What a case shows
//! beyond them is a defect.

use serde_json::Value;

use super::rules::Rule;

/// A row of the documentation's table, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// Mistakes are known when the rules are written; in Velero they show on each object, or never.
    CheckedWhenWritten,
    /// Velero's values become numbers and booleans where text belongs.
    TextFieldsStayText,
    /// Velero takes them only as text in quotes.
    ListsAndMapsAsSuch,
    /// Velero compares the texts of numbers, and rounds large ones.
    NumbersByValue,
    /// Velero makes a patch of them that is no JSON.
    QuotesAndBackslashes,
    /// Velero makes a patch of them that is no JSON.
    NotJson,
    /// Velero notices upper case, a missing `from` and a missing patch on each object, and copies whole documents.
    IncompleteRules,
    /// Velero keeps the last key and the first document.
    DuplicateKeys,
    /// In Velero they match nothing.
    UnlikelyNames,
    /// Velero lets a rule change what an object is.
    KindAndNamespace,
    /// To Velero, a path that ends with a slash names what it names without.
    KeysWithoutName,
    /// Velero drops them.
    NullsInLists,
    /// Velero knows only some kinds.
    StrategicKinds,
    /// Velero takes them into the object, where the API server doesn't know them.
    DirectivesInValues,
}

impl Difference {
    pub(crate) const ALL: [Self; 14] = [
        Self::CheckedWhenWritten,
        Self::TextFieldsStayText,
        Self::ListsAndMapsAsSuch,
        Self::NumbersByValue,
        Self::QuotesAndBackslashes,
        Self::NotJson,
        Self::IncompleteRules,
        Self::DuplicateKeys,
        Self::UnlikelyNames,
        Self::KindAndNamespace,
        Self::KeysWithoutName,
        Self::NullsInLists,
        Self::StrategicKinds,
        Self::DirectivesInValues,
    ];

    /// What the row's first cell begins with.
    pub(crate) const fn row(self) -> &'static str {
        match self {
            Self::CheckedWhenWritten => "the whole set is checked when it is written",
            Self::TextFieldsStayText => "labels, annotations, environment values",
            Self::ListsAndMapsAsSuch => "lists, maps and patchData may be written as such",
            Self::NumbersByValue => "numbers are compared by value",
            Self::QuotesAndBackslashes => {
                "quotes, line breaks and stray backslashes in a value, and quotes in a path, are text"
            }
            Self::NotJson => "`TRUE`, `007`, `{{ x }}` are refused when written",
            Self::IncompleteRules => "upper-case operations, `move` and `copy` without `from`",
            Self::DuplicateKeys => "duplicate keys, in patchData too, and a second YAML document are refused",
            Self::UnlikelyNames => "resource names that can't exist are refused",
            Self::KindAndNamespace => "apiVersion and kind can't be changed",
            Self::KeysWithoutName => "a path that ends with `/` names a key without a name",
            Self::StrategicKinds => "strategic patches work on every built-in kind",
            Self::DirectivesInValues => "a directive in a value that is taken as a whole is left out",
            Self::NullsInLists => "in a merge patch, a null inside of a list stays",
        }
    }

    /// What we refuse with this message and Velero reads.
    pub(crate) fn of_problem(message: &str) -> Option<Self> {
        const MESSAGES: &[(&str, Difference)] = &[
            ("there is no operation `Replace`", Difference::IncompleteRules),
            ("from is missing", Difference::IncompleteRules),
            ("the rule changes nothing", Difference::IncompleteRules),
            ("there is no resource", Difference::UnlikelyNames),
            ("no resource has blanks", Difference::UnlikelyNames),
            ("a rule can't change", Difference::KindAndNamespace),
            ("a rule can't replace", Difference::KindAndNamespace),
            ("already given", Difference::DuplicateKeys),
            ("documents", Difference::DuplicateKeys),
            ("JSON has no such number", Difference::NotJson),
            ("a boolean is written", Difference::NotJson),
            ("starts like a JSON object or array", Difference::NotJson),
            ("is malformed", Difference::CheckedWhenWritten),
            ("the operator", Difference::CheckedWhenWritten),
            ("`In` and `NotIn` need", Difference::CheckedWhenWritten),
            ("a path must start with", Difference::CheckedWhenWritten),
            ("path is missing", Difference::CheckedWhenWritten),
            ("patchData is", Difference::CheckedWhenWritten),
            ("not valid YAML", Difference::CheckedWhenWritten),
        ];
        MESSAGES
            .iter()
            .find(|(part, _)| message.contains(part))
            .map(|(_, difference)| *difference)
    }

    /// Why Velero makes something else of a rule, when it makes the same of the rule once it is spelled out.
    pub(crate) fn of_spelling(rule: &Rule) -> Self {
        let values = rule.values();
        let any = |test: &dyn Fn(&str, Option<&Value>) -> bool| {
            values.iter().any(|(yaml, meant)| test(yaml, *meant))
        };
        if any(&|yaml, _| yaml.starts_with(['{', '['])) {
            Self::ListsAndMapsAsSuch
        } else if rule.paths().any(|path| path.contains('"'))
            || any(&|yaml, _| yaml.contains('\\') || yaml.contains("say "))
        {
            Self::QuotesAndBackslashes
        } else if any(&|_, meant| {
            meant
                .and_then(Value::as_f64)
                .is_some_and(|number| number.fract() == 0.0)
        }) {
            Self::NumbersByValue
        } else if any(&|_, meant| meant.is_some_and(|meant| meant.is_string() || meant.is_object())) {
            Self::TextFieldsStayText
        } else {
            Self::NumbersByValue
        }
    }
}
