//! The form of a ConfigMap with rules: exactly one data key, of any name, whose value is the rule text.

/// The value of the one entry of `data`.
///
/// # Errors
/// Why there is no such entry, and what to do.
pub fn only_entry<'d, T>(data: impl IntoIterator<Item = (&'d str, T)>) -> Result<T, String> {
    let mut entries = data.into_iter();
    let Some((first, text)) = entries.next() else {
        return Err("it has no data; put the rules under one key, for example rules.yaml".to_owned());
    };
    let others: Vec<_> = entries.map(|(key, _)| key).collect();
    if others.is_empty() {
        return Ok(text);
    }
    Err(format!(
        "it has {} data keys ({first}, {}); keep one, and one ConfigMap for each rule set",
        others.len() + 1,
        others.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_key_of_any_name() {
        assert_eq!(only_entry([("any", "text")]), Ok("text"));
        for (data, message) in [
            (&[][..], "it has no data; put the rules under one key"),
            (
                &[("a", ""), ("b", ""), ("c", "")],
                "it has 3 data keys (a, b, c); keep one",
            ),
        ] {
            let error = only_entry(data.iter().copied()).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
