//! Kubernetes quantities, exactly, to be compared: `10Gi`, `1500m`, `2e3`.

use serde_json::Value;

/// A quantity in thousandths of a millionth; larger than all there is stays the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

/// Places behind the point that are kept.
const PLACES: u32 = 9;

impl Quantity {
    /// Reads a quantity from a text or number; `None` if it is neither.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// Reads a quantity as Kubernetes writes it; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|character: char| !matches!(character, '0'..='9' | '.' | '+' | '-'))
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (numerator, denominator) = scale(suffix)?;
        let scaled = decimal(number)?.saturating_mul(numerator);
        Some(Self(scaled / denominator))
    }
}

/// A decimal number in the unit of a quantity.
fn decimal(text: &str) -> Option<i128> {
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let places = PLACES as usize;
    let fraction = format!("{:0<places$}", &fraction[..fraction.len().min(places)]);
    let value = format!("{whole}{fraction}").parse().unwrap_or(i128::MAX);
    Some(if negative { -value } else { value })
}

/// What a suffix multiplies by, as a fraction.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let binary = |exponent: u32| Some((1_i128 << exponent, 1));
    let decimal = |exponent: u32| Some((10_i128.pow(exponent), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 10_i128.pow(9))),
        "u" => Some((1, 10_i128.pow(6))),
        "m" => Some((1, 10_i128.pow(3))),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
            Some(if exponent < 0 { (1, power) } else { (power, 1) })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_compared_by_what_they_amount_to() {
        let quantity = |value: Value| Quantity::of(&value);
        for (smaller, larger) in [
            ("1Gi", "1.5Gi"),
            ("1G", "1Gi"),
            ("999m", "1"),
            ("900u", "1m"),
            ("1e3", "1Ki"),
            ("-1", "0"),
            ("100Ti", "1P"),
            ("1Ei", "9999999999999999999999999999999999999999"),
        ] {
            assert!(
                quantity(json!(smaller)) < quantity(json!(larger)),
                "{smaller}, {larger}"
            );
        }
        for (left, right) in [
            (json!("1Gi"), json!("1024Mi")),
            (json!("10Gi"), json!(10_737_418_240_u64)),
            (json!("0.5"), json!("500m")),
            (json!("+1E3"), json!("1k")),
            (json!("5e-1"), json!(".5")),
        ] {
            assert_eq!(quantity(left.clone()), quantity(right), "{left}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for value in [
            json!("Gi"),
            json!("1 Gi"),
            json!("1gi"),
            json!("1.2.3"),
            json!(null),
            json!("1e99"),
        ] {
            assert_eq!(Quantity::of(&value), None, "{value}");
        }
    }
}
