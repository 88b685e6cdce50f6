//! Values of JSON patches, as YAML: what they become in a field of any type, and in a label, which holds text.

use super::{Fails, Makes, Outcome, Refused, Row, both};

const VALUES: &[(&str, (Outcome, Outcome))] = &[
    // Without quotes, YAML 1.1 has its say first.
    ("12", both(Makes("12"))),
    ("true", both(Makes("true"))),
    ("yes", both(Makes("true"))),
    ("on", both(Makes("true"))),
    ("y", both(Makes("true"))),
    ("Y", both(Makes("true"))),
    ("n", both(Makes("false"))),
    ("no", both(Makes("false"))),
    ("off", both(Makes("false"))),
    ("TRUE", both(Makes("true"))),
    ("0777", both(Makes("511"))),
    ("0o17", both(Makes("15"))),
    ("0x10", both(Makes("16"))),
    ("1_000", both(Makes("1000"))),
    ("1.50", both(Makes("1.5"))),
    ("3.141592653589793", both(Makes("3.1415927"))),
    ("null", both(Makes(r#""""#))),
    ("~", both(Makes(r#""""#))),
    ("2001-01-01", both(Makes(r#""2001-01-01""#))),
    (".inf", (Refused, Fails)),
    ("premium", both(Makes(r#""premium""#))),
    ("12Gi", both(Makes(r#""12Gi""#))),
    ("{a: b}", (Makes(r#"{"a":"b"}"#), Refused)),
    ("[a, 2]", (Makes(r#"["a",2]"#), Refused)),
    // In quotes, Velero guesses from the text.
    (r#""""#, both(Makes(r#""""#))),
    (r#""12""#, both(Makes("12"))),
    (r#""-1""#, both(Makes("-1"))),
    (r#""1.5""#, both(Makes("1.5"))),
    (
        r#""12345678901234567890""#,
        (Makes("12345678901234567890"), Makes("12345678901234567000")),
    ),
    (r#""9007199254740993""#, both(Makes("9007199254740993"))),
    (r#""true""#, both(Makes("true"))),
    (r#""false""#, both(Makes("false"))),
    (r#""yes""#, both(Makes(r#""yes""#))),
    (r#""null""#, both(Makes("null"))),
    (r#""NULL""#, both(Makes(r#""NULL""#))),
    (r#""Null""#, both(Makes(r#""Null""#))),
    (r#"'"12"'"#, both(Makes(r#""12""#))),
    (r#"'"true"'"#, both(Makes(r#""true""#))),
    (r#"'""'"#, both(Makes(r#""""#))),
    (r#"'{"a": [1, "x"]}'"#, both(Makes(r#"{"a":[1,"x"]}"#))),
    (r#""[1, 2]""#, both(Makes("[1,2]"))),
    (r#"" 12""#, both(Makes(r#"" 12""#))),
    (r#""0x10""#, both(Makes(r#""0x10""#))),
    (r#""0b1""#, both(Makes(r#""0b1""#))),
    (r#""0o7""#, both(Makes(r#""0o7""#))),
    (r#""1e400""#, both(Makes(r#""1e400""#))),
    (r"'a\\b'", both(Makes(r#""a\\b""#))),
    (r"'a\tb'", both(Makes(r#""a\tb""#))),
    // What looks like JSON and is none.
    (r#""TRUE""#, (Refused, Fails)),
    (r#""False""#, (Refused, Fails)),
    (r#""007""#, (Refused, Fails)),
    (r#""00""#, (Refused, Fails)),
    (r#""+5""#, (Refused, Fails)),
    (r#"".5""#, (Refused, Fails)),
    (r#""1.""#, (Refused, Fails)),
    (r#""1_000""#, (Refused, Fails)),
    (r#""NaN""#, (Refused, Fails)),
    (r#""inf""#, (Refused, Fails)),
    (r#""Infinity""#, (Refused, Fails)),
    (r#""0x1p-2""#, (Refused, Fails)),
    (r#""{{ name }}""#, (Refused, Fails)),
    (r#""[::1]:80""#, (Refused, Fails)),
    // What Velero puts between quotes without a look at it.
    (r#"'say "hi"'"#, (Makes(r#""say \"hi\"""#), Fails)),
    (r#""two\nlines""#, (Makes(r#""two\nlines""#), Fails)),
    (r"'\d'", (Makes(r#""\\d""#), Fails)),
];

const LABELS: &[(&str, (Outcome, Outcome))] = &[
    ("premium", both(Makes(r#""premium""#))),
    (r#"'"true"'"#, both(Makes(r#""true""#))),
    (r#"'"12"'"#, both(Makes(r#""12""#))),
    ("true", (Makes(r#""true""#), Makes("true"))),
    ("yes", (Makes(r#""yes""#), Makes("true"))),
    (r#""true""#, (Makes(r#""true""#), Makes("true"))),
    (r#""12""#, (Makes(r#""12""#), Makes("12"))),
    (r#""1.10""#, (Makes(r#""1.10""#), Makes("1.1"))),
    (r#""1e3""#, (Makes(r#""1e3""#), Makes("1000"))),
    (r#""007""#, (Makes(r#""007""#), Fails)),
    (r#""TRUE""#, (Makes(r#""TRUE""#), Fails)),
    (r#""[1, 2]""#, (Makes(r#""[1, 2]""#), Makes("[1,2]"))),
    (r#""""#, both(Makes(r#""""#))),
];

pub(super) fn rows() -> Vec<Row> {
    let row = |pointer: &'static str| {
        move |(value, (ours, velero)): &(&str, (Outcome, Outcome))| Row {
            rules: format!(
                "version: v1\nresourceModifierRules:\n- conditions: {{groupResource: '**'}}\n  \
                 patches: [{{operation: add, path: {pointer}, value: {value}}}]\n"
            ),
            pointer,
            ours: *ours,
            velero: *velero,
        }
    };
    let values = VALUES.iter().map(row("/spec/v"));
    values
        .chain(LABELS.iter().map(row("/metadata/labels/x")))
        .collect()
}
