//! Regular expressions of bounded size, one by one and together: whoever may write rules must not be able to
//! exhaust whoever reads them.

use regex::{Error, Regex, RegexBuilder};

/// What a compiled expression may take, tried from small to large. Ordinary ones fit the first.
const SIZES: [usize; 3] = [8 << 10, 64 << 10, 1 << 20];
/// What an expression takes beside its program.
const OVERHEAD: usize = 12 << 10;
/// Names are short: a large cache of states would only cost memory.
const DFA_SIZE: usize = 256 << 10;

/// Memory that the expressions of one set may take.
#[derive(Debug)]
pub(crate) struct Allowance {
    bytes: usize,
}

impl Allowance {
    /// For a whole set: some 1,600 ordinary expressions, or a few dozen large ones.
    pub(crate) const fn for_set() -> Self {
        Self { bytes: 32 << 20 }
    }

    /// For an expression that stands alone.
    pub(crate) const fn for_one() -> Self {
        Self { bytes: 2 << 20 }
    }

    /// Compiles an expression; `CompiledTooBig` also if nothing is left.
    pub(crate) fn compile(&mut self, expression: &str) -> Result<Regex, Error> {
        for size in SIZES {
            // Attempts that fail are charged as well: they have taken their time.
            self.bytes = self
                .bytes
                .checked_sub(size + OVERHEAD)
                .ok_or(Error::CompiledTooBig(self.bytes))?;
            let compiled = RegexBuilder::new(expression)
                .size_limit(size)
                .dfa_size_limit(DFA_SIZE)
                .build();
            if !matches!(compiled, Err(Error::CompiledTooBig(_))) {
                return compiled;
            }
        }
        Err(Error::CompiledTooBig(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_expressions_are_plenty_and_large_ones_few() {
        for (expression, at_least, at_most) in [
            ("^mysql-.*$", 1500, 1700),
            (".{900}", 20, 40),
            (r"(\pL{99}){99}", 0, 0),
        ] {
            let mut allowance = Allowance::for_set();
            let compiled = (0..3000)
                .take_while(|_| allowance.compile(expression).is_ok())
                .count();
            assert!(
                (at_least..=at_most).contains(&compiled),
                "{expression}: {compiled}"
            );
        }
    }
}
