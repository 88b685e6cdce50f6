//! Which texts Go's `strconv.ParseFloat` takes for a number: Velero writes these into a patch unquoted.

/// Whether `ParseFloat(text, 64)` succeeds.
pub(super) fn parses_as_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let word = unsigned.to_ascii_lowercase();
    if matches!(word.as_str(), "inf" | "infinity" | "nan") {
        return word != "nan" || unsigned.len() == text.len();
    }
    match word.strip_prefix("0x") {
        Some(hex) => is_number(hex, 'p', u8::is_ascii_hexdigit, true),
        None => {
            is_number(&word, 'e', u8::is_ascii_digit, false)
                && word.replace('_', "").parse::<f64>().is_ok_and(f64::is_finite)
        }
    }
}

/// `digits[.digits][marker[sign]digits]` with single underscores between digits.
fn is_number(text: &str, marker: char, is_digit: impl Fn(&u8) -> bool, needs_exponent: bool) -> bool {
    let (mantissa, exponent) = text
        .split_once(marker)
        .map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str, is_digit: &dyn Fn(&u8) -> bool| {
        part.split('_')
            .all(|group| !group.is_empty() && group.as_bytes().iter().all(is_digit))
    };
    let exponent_is_fine = exponent.map_or(!needs_exponent, |exponent| {
        digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent), &|byte| {
            byte.is_ascii_digit()
        })
    });
    !(whole.is_empty() && fraction.is_empty())
        && (whole.is_empty() || digits(whole, &is_digit))
        && (fraction.is_empty() || digits(fraction, &is_digit))
        && exponent_is_fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_go_takes_for_numbers() {
        let numbers = [
            "12",
            "-1",
            "1.5",
            "1e3",
            "007",
            "00",
            "+5",
            ".5",
            "1.",
            "1_000",
            "NaN",
            "inf",
            "+Inf",
            "-Infinity",
            "0x1p-2",
        ];
        let texts = [
            "0x10", "0b1", "0o7", "1e400", " 12", "12Gi", "", "-", ".", "e5", "1e", "1__0", "_1", "+nan",
            "1-2", "٣",
        ];
        for text in numbers {
            assert!(parses_as_float(text), "{text}");
        }
        for text in texts {
            assert!(!parses_as_float(text), "{text}");
        }
    }
}
