//! The lists of cases, and the macro that makes a test of each.

/// Makes one test of each case, on a current-thread and on a multi-thread runtime.
///
/// Takes a name for the module and the [`Fixture`](crate::Fixture), and after it the parts that the transport has: `groups`, `requests`,
/// `redelivers`, `outcomes`, `pull`. Where a server can be [stopped](crate::Restarts), `restarts` follows, with `restarts_requests` and
/// `restarts_stored` if the transport has requests and redelivery. A part that is declared and not listed here fails the suite, as does one that is listed and not
/// declared. Cases that wait for the ack wait run on the current-thread runtime only, where the clock may be paused.
///
/// ```text
/// flux_conformance::transport_suite!(my_transport: MyFixture, groups, requests);
/// ```
///
/// With `FLUX_CONFORMANCE_REPORT=<folder>` in the environment, the test `report` writes what passed to `<folder>/<name>.json`.
#[macro_export]
macro_rules! transport_suite {
    ($name:ident: $fixture:ty $(, $part:ident)* $(,)?) => {
        mod $name {
            use super::*;

            /// All cases of the parts that the transport has.
            pub(crate) fn cases() -> Vec<$crate::Case> {
                #[allow(unused_mut, reason = "a transport may have no further parts")]
                let mut cases = $crate::__part!(list basic $fixture);
                $(cases.extend($crate::__part!(list $part $fixture));)*
                cases
            }

            fn disagreement() -> Option<String> {
                $crate::__disagreement!($fixture $(, $part)*)
            }

            /// Everything the suite finds, as the report has it.
            pub(crate) fn run() -> $crate::Report {
                $crate::run(&cases(), $crate::Flavor::CurrentThread).with_claims(disagreement())
            }

            #[test]
            fn claims_what_it_has_and_hides_nothing() {
                assert_eq!(disagreement(), None);
            }

            #[test]
            fn report() {
                $crate::write_report::<$fixture>(run);
            }

            mod current_thread {
                #[allow(unused_imports, reason = "the fixture may be named by a path")]
                use super::*;
                $crate::__part!(test basic $fixture, CurrentThread);
                $($crate::__part!(test $part $fixture, CurrentThread);)*
            }

            mod multi_thread {
                #[allow(unused_imports, reason = "the fixture may be named by a path")]
                use super::*;
                $crate::__part!(test basic $fixture, MultiThread);
                $($crate::__part!(test $part $fixture, MultiThread);)*
            }
        }
    };
}

/// What a fixture says of its transport against its types and these parts; `None` when they agree.
#[doc(hidden)]
#[macro_export]
macro_rules! __disagreement {
    ($fixture:ty $(, $part:ident)*) => {{
        #[allow(unused_imports, reason = "which of them serve depends on the transport")]
        use $crate::probe::{Found, HasGroups, HasPull, HasRequests, LacksGroups, LacksPull, LacksRequests, Probe};
        let probe = Probe::<<$fixture as $crate::Fixture>::Bus, <$fixture as $crate::Fixture>::Payload>::new();
        let probe = &probe;
        let found = Found { groups: probe.groups(), requests: probe.requests(), pull: probe.pull() };
        $crate::probe::disagreement::<$fixture>(found, &[$(stringify!($part)),*])
    }};
}

/// The cases of one part, as a list or as tests.
#[doc(hidden)]
#[macro_export]
macro_rules! __part {
    ($form:ident basic $($rest:tt)*) => {
        $crate::__each! {$form basic [
            delivers_payload_and_subject
            keeps_headers
            keeps_the_message_id
            matches_wildcards
            refuses_bad_subjects
            keeps_order
            gives_every_subscriber_its_own
            loses_nothing_of_concurrent_publishers
            unsubscribes_when_dropped
            is_not_blocked_by_one_who_left
        ] $($rest)*}
    };
    ($form:ident groups $($rest:tt)*) => {
        $crate::__each! {$form groups [
            shares_among_members
            gives_every_member_work
            gives_nothing_to_a_member_that_left
            leaves_others_alone
            refuses_a_group_without_name
        ] $($rest)*}
    };
    ($form:ident outcomes $($rest:tt)*) => {
        $crate::__each! {$form outcomes [
            tells_success_when_it_was_handled
            tells_failure_and_when_to_try_again
            tells_at_once_when_the_delivery_is_dropped
            tells_the_worst_of_several
        ] $($rest)*}
    };
    ($form:ident requests $($rest:tt)*) => {
        $crate::__each! {$form requests [
            answers
            fails_at_once_without_a_responder
            brings_errors_back_as_errors
            fails_when_the_reply_is_dropped
            does_not_mix_answers_up
            serves_one_request_at_a_time
            goes_on_when_the_requester_has_gone
            withdraws_a_responder_that_is_dropped
        ] $($rest)*}
    };
    ($form:ident restarts $($rest:tt)*) => {
        $crate::__each! {$form restarts [
            publishes_as_stated_while_the_server_is_away
            subscriptions_survive_a_restart
        ] $($rest)*}
    };
    ($form:ident restarts_requests $($rest:tt)*) => {
        $crate::__each! {$form restarts [requests_fail_while_the_server_is_away] $($rest)*}
    };
    ($form:ident restarts_stored $($rest:tt)*) => {
        $crate::__each! {$form restarts [loses_nothing_that_was_stored] $($rest)*}
    };
    (test redelivers $fixture:ty, MultiThread) => { $crate::__part! {redelivers [] test $fixture, MultiThread} };
    ($form:ident redelivers $($rest:tt)*) => {
        $crate::__part! {redelivers [
            delivers_again_what_is_not_settled
            extends_the_time_on_progress
            leaves_alone_what_was_settled
        ] $form $($rest)*}
    };
    (redelivers [$($in_time:ident)*] $form:ident $($rest:tt)*) => {
        $crate::__each! {$form redelivers [
            delivers_again_what_is_nakked
            waits_for_the_delay_of_a_nak
            ends_with_an_ack
            ends_with_a_term
            counts_deliveries
            keeps_the_message_when_it_comes_again
            loses_nothing_of_a_member_that_left
            keeps_messages_for_late_subscribers
            $($in_time)*
        ] $($rest)*}
    };
    (test pull $fixture:ty, MultiThread) => { $crate::__part! {pull [] test $fixture, MultiThread} };
    ($form:ident pull $($rest:tt)*) => {
        $crate::__part! {pull [fetches_again_what_was_not_settled] $form $($rest)*}
    };
    (pull [$($in_time:ident)*] $form:ident $($rest:tt)*) => {
        $crate::__each! {$form pull [
            fetches_what_is_there_at_once
            fetches_what_there_is_when_time_is_up
            fetches_nothing_without_an_error
            fetches_again_what_was_nakked
            $($in_time)*
        ] $($rest)*}
    };
}

/// One item for each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __each {
    (list $part:ident [$($case:ident)*] $fixture:ty) => {
        vec![$($crate::Case::new(
            stringify!($case),
            <$fixture as $crate::Fixture>::PAUSED,
            || Box::pin($crate::cases::$part::$case::<$fixture>()),
        )),*]
    };
    (test $part:ident [$($case:ident)*] $fixture:ty, $flavor:ident) => {$(
        #[test]
        fn $case() {
            let case = $crate::__each!(list $part [$case] $fixture);
            for case in case {
                if let Err(flaw) = case.run($crate::Flavor::$flavor) {
                    panic!("{flaw}");
                }
            }
        }
    )*};
}
