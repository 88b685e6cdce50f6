//! What a scalar means: YAML 1.1 as Kubernetes' Go tools resolve it.

use std::borrow::Cow;

use serde_json::Value;

/// A piece of text and whether it was written as plain text or in quotes (a block counts as quoted).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    text: String,
    quoted: bool,
}

/// The type of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resolved<'a> {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// A number that fits, in any of Go's bases.
    Int(i64),
    /// A number that only fits without a sign.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Everything else.
    Text(&'a str),
}

impl Scalar {
    pub(super) const fn new(text: String, quoted: bool) -> Self {
        Self { text, quoted }
    }

    /// The text without quotes and escapes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it was written in quotes or as a block, and so is text whatever it looks like.
    pub const fn is_quoted(&self) -> bool {
        self.quoted
    }

    pub(super) fn is_merge(&self) -> bool {
        !self.quoted && self.text == "<<"
    }

    /// The type and value.
    pub fn resolve(&self) -> Resolved<'_> {
        if self.quoted {
            Resolved::Text(&self.text)
        } else {
            resolve_plain(&self.text)
        }
    }

    /// The value in JSON; `None` for numbers that JSON does not have.
    pub fn to_json(&self) -> Option<Value> {
        Some(match self.resolve() {
            Resolved::Null => Value::Null,
            Resolved::Bool(value) => value.into(),
            Resolved::Int(value) => value.into(),
            Resolved::Uint(value) => value.into(),
            Resolved::Float(value) => Value::Number(number(value)?),
            Resolved::Text(text) => text.into(),
        })
    }

    /// What Go's YAML library stores in a field of type string.
    pub fn to_field_string(&self) -> Cow<'_, str> {
        match self.resolve() {
            Resolved::Null => Cow::Borrowed(""),
            Resolved::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Resolved::Int(value) => Cow::Owned(value.to_string()),
            Resolved::Uint(value) => Cow::Owned(value.to_string()),
            Resolved::Float(value) => Cow::Owned(go_float(value)),
            Resolved::Text(text) => Cow::Borrowed(text),
        }
    }
}

/// A float as JSON has it after a way through Go: whole numbers that fit lose their point.
pub(crate) fn number(value: f64) -> Option<serde_json::Number> {
    const LIMIT: f64 = 9_007_199_254_740_992.0; // 2^53: up to here every whole float is exact
    if value.fract() == 0.0 && value.abs() <= LIMIT {
        #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Some((value as i64).into());
    }
    serde_json::Number::from_f64(value)
}

fn resolve_plain(text: &str) -> Resolved<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        let digits = text.replace('_', "");
        if let Some(whole) = whole_number(&digits) {
            return whole;
        }
        if is_decimal(&digits)
            && let Ok(value) = digits.parse::<f64>()
            && value.is_finite()
        {
            return Resolved::Float(value);
        }
    }
    Resolved::Text(text)
}

/// Go's `strconv.ParseInt` with base 0: `0x`, `0o`, `0b`, and a leading zero for octal.
fn whole_number(text: &str) -> Option<Resolved<'static>> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (base, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, base).ok()?);
    let value = if negative { -value } else { value };
    i64::try_from(value)
        .map(Resolved::Int)
        .or_else(|_| u64::try_from(value).map(Resolved::Uint))
        .ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = text
        .split_once(['e', 'E'])
        .map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !digits.is_empty() && all_digits(digits)
        })
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`: the shortest text of the 32-bit float.
fn go_float(value: f64) -> String {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the loss of precision is what Go does"
    )]
    let value = value as f32;
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar::new(text.to_owned(), false)
    }

    #[test]
    fn a_string_field_gets_what_go_stores_in_it() {
        for (written, stored) in [
            ("12", "12"),
            ("-12", "-12"),
            ("+5", "5"),
            ("true", "true"),
            ("yes", "true"),
            ("on", "true"),
            ("y", "true"),
            ("Y", "true"),
            ("n", "false"),
            ("no", "false"),
            ("off", "false"),
            ("0777", "511"),
            ("0o17", "15"),
            ("0x10", "16"),
            ("0b101", "5"),
            ("08", "8"),
            ("1_000", "1000"),
            ("1e3", "1000"),
            ("1e6", "1e+06"),
            ("1234567.5", "1.2345675e+06"),
            ("0.00001", "1e-05"),
            ("null", ""),
            ("~", ""),
            ("", ""),
            ("1.0", "1"),
            ("1.50", "1.5"),
            ("3.141592653589793", "3.1415927"),
            (".inf", "+Inf"),
            ("-.inf", "-Inf"),
            (".nan", "NaN"),
            ("12345678901234567890", "12345678901234567890"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("2001-01-01", "2001-01-01"),
            ("12:30", "12:30"),
            ("12Gi", "12Gi"),
            ("_1", "_1"),
            ("-", "-"),
            (".", "."),
            ("0x", "0x"),
            ("++1", "++1"),
            ("+-1", "+-1"),
            ("tRue", "tRue"),
            ("é", "é"),
        ] {
            assert_eq!(plain(written).to_field_string(), stored, "{written}");
        }
    }

    #[test]
    fn json_gets_the_type() {
        for (written, value) in [
            ("yes", json!(true)),
            ("0644", json!(420)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            ("0.5", json!(0.5)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
            ("~", json!(null)),
            ("text", json!("text")),
        ] {
            assert_eq!(plain(written).to_json(), Some(value), "{written}");
        }
        assert_eq!(plain(".inf").to_json(), None);
    }

    #[test]
    fn quotes_make_text_of_anything() {
        let quoted = Scalar::new("0777".to_owned(), true);
        assert_eq!(quoted.to_field_string(), "0777");
        assert_eq!(quoted.to_json(), Some(json!("0777")));
    }
}
