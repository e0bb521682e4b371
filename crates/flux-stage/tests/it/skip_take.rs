//! Skip and Take: how many, and that a handler they wrap stays one.

use flux_core::{Failure, Handler, Message, Stage};
use flux_stage::{Skip, Take};

use crate::double::{Act, Double, Fault};

#[tokio::test]
async fn skip_leaves_out_the_first_and_take_the_rest() {
    for n in [0, 2] {
        let (skipped, taken) = (Double::default(), Double::new([Act::Fail(1)]));
        let (skip, take) = (Skip::new(skipped.clone(), n), Take::new(taken.clone(), n));
        for input in 0..4 {
            let is_first = u64::from(input) < n;
            assert_eq!(skip.process(input).await, Ok((!is_first).then_some(input)));
            let failed = input == 0 && n > 0;
            let expected = if failed { Err(Fault::Boom(1)) } else { Ok(is_first.then_some(input)) };
            assert_eq!(take.process(input).await, expected);
        }
        assert_eq!((skipped.calls() as u64, taken.calls() as u64), (4 - n, n));
    }
}

#[test]
fn a_handler_stays_a_handler() {
    async fn on_number(_: Message<u32>) -> Result<(), Failure> {
        Ok(())
    }
    fn check(_: &impl Handler<u32>) {}
    check(&Skip::new(on_number, 1));
    check(&Take::new(on_number, 1));
}
