//! A batch's cell: callers who come, drive and leave at the same time.

use std::task::{Poll, Waker};

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

use self::cell::{Cell, Joined, Room, Turn};

#[path = "../../../src/resilience/batch/cell.rs"]
mod cell;

mod sync {
    pub(super) use loom::sync::{Mutex, MutexGuard};

    pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

/// Runs a batch in so many polls; the items wait in it.
type Running = (u32, Vec<u32>);
type Batch = Cell<u32, Running, u32>;

const ROOM: Room = Room { items: 2, weight: usize::MAX };

/// One step of a caller: what the stage does with a timer that is due and a future that needs a second poll.
fn step(cell: &Batch, seat: u64, waker: &Waker) -> Poll<Option<u32>> {
    loop {
        match cell.turn(seat, waker) {
            Turn::Wait => return Poll::Pending,
            Turn::Mind => cell.close(),
            Turn::Start(items) => {
                cell.put_back((1, items));
                waker.wake_by_ref();
                return Poll::Pending;
            }
            Turn::Continue((_, items)) => {
                let mut results = items.into_iter().map(|n| n * 2);
                cell.finish(|| results.next());
            }
            Turn::Finished(result) => return Poll::Ready(result),
        }
    }
}

fn result(cell: &Batch, seat: u64) -> Option<u32> {
    block_on(std::future::poll_fn(|cx| step(cell, seat, cx.waker())))
}

/// Takes two steps and leaves.
fn leaves(cell: &Batch, seat: u64) {
    for _ in 0..2 {
        if step(cell, seat, Waker::noop()).is_ready() {
            return;
        }
    }
    cell.leave(seat);
}

#[test]
fn both_get_their_own_whoever_drives() {
    loom::model(|| {
        let (cell, _) = Batch::new(1, 0, ROOM, Waker::noop());
        let cell = Arc::new(cell);
        let other = Arc::clone(&cell);
        let first = thread::spawn(move || result(&other, 0));
        if let Joined::Seated { seat, full } = cell.join(2, 0, ROOM, Waker::noop()) {
            assert!(full);
            assert_eq!(result(&cell, seat), Some(4));
        }
        assert_eq!(first.join().unwrap(), Some(2));
    });
}

#[test]
fn the_one_who_stays_gets_its_result_whenever_the_other_leaves() {
    loom::model(|| {
        let (cell, _) = Batch::new(1, 0, ROOM, Waker::noop());
        let cell = Arc::new(cell);
        let Joined::Seated { seat, .. } = cell.join(2, 0, ROOM, Waker::noop()) else { panic!("it was open") };
        let other = Arc::clone(&cell);
        let second = thread::spawn(move || leaves(&other, seat));
        assert_eq!(result(&cell, 0), Some(2));
        second.join().unwrap();
    });
}

#[test]
fn the_one_who_joins_gets_its_result_when_the_first_leaves() {
    loom::model(|| {
        let (cell, _) = Batch::new(1, 0, ROOM, Waker::noop());
        let cell = Arc::new(cell);
        let other = Arc::clone(&cell);
        let first = thread::spawn(move || leaves(&other, 0));
        match cell.join(2, 0, ROOM, Waker::noop()) {
            Joined::Seated { seat, .. } => assert_eq!(result(&cell, seat), Some(4)),
            Joined::Closed(item) => assert_eq!(item, 2),
        }
        first.join().unwrap();
    });
}
