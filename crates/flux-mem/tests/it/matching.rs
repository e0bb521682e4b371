//! The trie agrees with `SubjectFilter::matches`.

use flux_core::{Publisher, Subject, SubjectFilter};
use flux_mem::{Mem, MemConfig, MemDeliveries};
use futures_util::FutureExt as _;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::subscribe;

/// Few tokens, so that filters overlap; long ones, so that every length of a hash's tail occurs.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("created".to_owned()),
        Just("created-in-europe".to_owned()),
        "[a-c]{1,9}",
    ]
}

fn subject() -> impl Strategy<Value = String> {
    vec(token(), 1..5).prop_map(|tokens| tokens.join("."))
}

fn filter() -> impl Strategy<Value = String> {
    let tokens = vec(prop_oneof![3 => token(), 2 => Just("*".to_owned())], 0..4);
    (tokens, prop_oneof![token(), Just("*".to_owned()), Just(">".to_owned())]).prop_map(|(mut tokens, last)| {
        tokens.push(last);
        tokens.join(".")
    })
}

/// Publishes and compares the receipt with what the filters say one by one.
fn check(bus: &Mem, live: &[MemDeliveries<i32>], subjects: &[String]) -> Result<(), TestCaseError> {
    for subject in subjects {
        let subject = Subject::new(subject).expect("valid");
        let expected = live.iter().filter(|deliveries| deliveries.filter().matches(&subject)).count();
        let receipt = bus.publish(subject.as_str(), 1).now_or_never().expect("there is room");
        prop_assert_eq!(receipt.expect("published").subscribers, expected, "{}", subject);
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_receipt_counts_the_filters_that_match(
        filters in vec(filter(), 0..40),
        subjects in vec(subject(), 1..20),
        leaving in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let bus = Mem::with_config(MemConfig::new().with_capacity(1_000));
        let mut live = Vec::new();
        for filter in &filters {
            prop_assert!(SubjectFilter::new(filter).is_ok());
            live.push(subscribe::<i32>(&bus, filter).now_or_never().expect("at once"));
        }
        check(&bus, &live, &subjects)?;
        for index in leaving {
            if !live.is_empty() {
                live.swap_remove(index.index(live.len()));
            }
        }
        check(&bus, &live, &subjects)?;
    }
}
