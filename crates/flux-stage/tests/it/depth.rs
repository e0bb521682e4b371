//! Chains of fifty: they compile in linear time and do what they should.

use std::convert::Infallible;

use flux_core::Stage;
use flux_stage::StageExt;

async fn add(n: u64) -> Result<u64, Infallible> {
    Ok(n + 1)
}

/// `add`, and another nine times.
macro_rules! ten_more {
    ($stage:expr) => {
        $stage.then(add).then(add).then(add).then(add).then(add).then(add).then(add).then(add).then(add).then(add)
    };
}

#[tokio::test]
async fn a_chain_of_fifty_runs_each_of_its_stages() {
    let fifty = ten_more!(ten_more!(ten_more!(ten_more!(
        add.then(add).then(add).then(add).then(add).then(add).then(add).then(add).then(add).then(add)
    ))));
    assert_eq!(fifty.process(0).await, Ok(50));
}
