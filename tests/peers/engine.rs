//! Our rule engine beside Velero's own: on what is known of it, and on thousands of generated rules and objects.

mod comparison;
mod differences;
mod generator;
mod rows;
mod rules;

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use clusterbackup_tests::runner::scenarios;
use clusterbackup_tests::velero::RuleEngine;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use self::comparison::compare;
use self::differences::Difference;

scenarios! {
    RuleEngine: [
        generated_rules_do_what_they_do_in_velero_or_what_is_documented,
        every_difference_is_documented,
        what_is_known_of_velero_is_true_of_velero_and_of_us,
    ],
}

const CASES: u32 = 5000;
/// Any other, by `PROPTEST_RNG_SEED`, finds other cases.
const SEED: u64 = 20_261_121;

async fn generated_rules_do_what_they_do_in_velero_or_what_is_documented(engine: &RuleEngine) -> Result<()> {
    let seed = std::env::var("PROPTEST_RNG_SEED").map_or(Ok(SEED), |seed| seed.parse())?;
    println!("seed {seed}, {CASES} cases");
    let config = Config {
        cases: CASES,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    };
    let met = RefCell::new(BTreeMap::<Difference, usize>::new());
    TestRunner::new(config)
        .run(&generator::case(), |case| {
            let differences = compare(engine, &case)
                .map_err(|error| TestCaseError::fail(format!("{error:#}")))?
                .map_err(TestCaseError::fail)?;
            for difference in differences {
                *met.borrow_mut().entry(difference).or_default() += 1;
            }
            Ok(())
        })
        .map_err(|failure| match failure {
            // The report says all about the case, which is the smallest that was found.
            TestError::Fail(reason, _) | TestError::Abort(reason) => anyhow!("{reason}"),
        })?;
    println!("differences met: {:?}", met.borrow());
    for difference in Difference::ALL {
        ensure!(
            met.borrow().contains_key(&difference),
            "no case has shown {difference:?}"
        );
    }
    Ok(())
}

async fn every_difference_is_documented(_: &RuleEngine) -> Result<()> {
    let page = include_str!("../../docs/rules.md");
    for difference in Difference::ALL {
        let row = format!("| {}", difference.row());
        ensure!(page.contains(&row), "docs/rules.md has no row {row:?}");
    }
    Ok(())
}

async fn what_is_known_of_velero_is_true_of_velero_and_of_us(engine: &RuleEngine) -> Result<()> {
    rows::hold_in_both(engine)
}
