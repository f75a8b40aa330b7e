//! Jobs from the store to a sidecar and back.
use super::world::{World, every, metadata, once};
use crate::pool::Outcome::{Failed, Success};
use proptest::prelude::*;
use prost_types::Any;
use std::collections::HashSet;
use std::time::Duration;
use wire::common::v1::MisfirePolicy;
use wire::scheduler::v1::{Job, ListJobsRequest};

#[tokio::test]
async fn a_job_is_triggered_when_it_is_due_and_is_gone_when_it_is_done() {
    let world = World::new().await;
    let mut sidecar = world.connect();
    world.schedule("a", once("10s")).await;
    world.pass(9);
    // Another job shows that this one has not been triggered.
    world.schedule("now", once("0s")).await;
    assert_eq!(sidecar.answer(Success).await, "now");
    world.pass(1);
    assert_eq!(sidecar.answer(Success).await, "a");
    world.until_count("a", None).await;
    world.end().await;
}

#[tokio::test]
async fn a_restart_goes_on_where_jobs_were() {
    let mut world = World::new().await;
    let mut sidecar = world.connect();
    world.schedule("a", Job { repeats: Some(3), ..every(10) }).await;
    for count in [1, 2] {
        world.pass(10);
        assert_eq!(sidecar.answer(Success).await, "a");
        world.until_count("a", Some(count)).await;
    }
    world.restart().await;
    let mut sidecar = world.connect();
    world.pass(10);
    assert_eq!(sidecar.answer(Success).await, "a");
    world.until_count("a", None).await;
    world.end().await;
}

#[tokio::test]
async fn what_was_not_answered_comes_again() {
    let mut world = World::new().await;
    let mut sidecar = world.connect();
    world.schedule("a", once("0s")).await;
    assert_eq!(sidecar.next().await.name, "a");
    world.restart().await;
    let mut sidecar = world.connect();
    assert_eq!(sidecar.next().await.name, "a");
    world.pool.disconnect(sidecar.id);
    let mut sidecar = world.connect();
    assert_eq!(sidecar.answer(Success).await, "a");
    world.until_count("a", None).await;
    world.end().await;
}

#[tokio::test]
async fn jobs_wait_for_a_sidecar_and_deleted_ones_do_not_come() {
    let world = World::new().await;
    for name in ["a", "b"] {
        world.schedule(name, once("0s")).await;
    }
    world.delete("a").await;
    world.schedule("c", once("0s")).await;
    let mut sidecar = world.connect();
    let mut names = [sidecar.answer(Success).await, sidecar.answer(Success).await];
    names.sort();
    assert_eq!(names, ["b", "c"]);
    world.until_count("c", None).await;
    assert!(sidecar.is_idle());
    world.end().await;
}

#[tokio::test]
async fn what_a_sidecar_has_not_read_does_not_come_when_its_job_is_deleted_or_replaced() {
    let world = World::new().await;
    let mut sidecar = world.connect();
    world.schedule("deleted", once("0s")).await;
    world.schedule("replaced", once("0s")).await;
    world.until_unread(2).await;
    world.delete("deleted").await;
    world.schedule("replaced", once("5s")).await;
    world.schedule("mark", once("0s")).await;
    assert_eq!(sidecar.answer(Success).await, "mark");
    assert!(sidecar.is_idle());
    world.pass(5);
    assert_eq!(sidecar.answer(Success).await, "replaced");
    world.until_count("replaced", None).await;
    world.end().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_read_hides_no_others() {
    let world = World::new().await;
    world.schedule("a", once("1h")).await;
    world.damage("b").await;
    world.schedule("c", once("1h")).await;
    let service = world.service();
    let request = ListJobsRequest { metadata: Some(metadata()) };
    let listed = service.list(tonic::Request::new(request)).await.unwrap();
    assert_eq!(listed.jobs.iter().map(|job| &*job.name).collect::<Vec<_>>(), ["a", "c"]);
    drop(service);
    world.end().await;
}

#[tokio::test]
async fn jobs_that_cannot_be_counted_are_shown_to_be_overdue() {
    let world = World::with_quota(100_000).await;
    let mut sidecar = world.connect();
    world.schedule("a", every(10)).await;
    world.until_shown("dapr_scheduler_jobs_overdue 0").await;
    world.fill().await;
    world.pass(10);
    assert_eq!(sidecar.answer(Success).await, "a");
    world.until_shown("dapr_scheduler_jobs_overdue 1").await;
    world.end().await;
}

#[tokio::test]
async fn a_failed_job_is_tried_again_until_it_is_given_up() {
    let world = World::new().await;
    let mut sidecar = world.connect();
    world.schedule("a", once("0s")).await;
    for attempt in 1..=3 {
        assert_eq!(sidecar.answer(Failed).await, "a");
        world.until_failed("a", attempt).await;
        world.pass(1);
    }
    assert_eq!(sidecar.answer(Failed).await, "a");
    world.until_count("a", None).await;
    world.end().await;
}

#[tokio::test]
async fn a_job_that_is_replaced_follows_its_new_schedule() {
    let world = World::new().await;
    let mut sidecar = world.connect();
    world.schedule("a", every(10)).await;
    world.pass(10);
    assert_eq!(sidecar.next().await.name, "a");
    world.schedule("a", once("5s")).await;
    world.pool.acknowledge(sidecar.id, 1, Success).unwrap();
    world.pass(5);
    assert_eq!(sidecar.answer(Success).await, "a");
    world.until_count("a", None).await;
    world.end().await;
}

/// How often a job comes whose ticks every ten seconds were missed for a minute and five, and how many of its ticks are done then.
async fn comes(misfire: MisfirePolicy) -> usize {
    let world = World::new().await;
    world.schedule_with("a", every(10), misfire).await;
    world.pass(65);
    let mut sidecar = world.connect();
    let mut count = 0;
    // Another job shows that no more of this one has come.
    world.schedule("end", once("1s")).await;
    loop {
        match sidecar.answer(Success).await.as_str() {
            "a" => count += 1,
            _ => break,
        }
        world.until_count("a", Some(u32::try_from(count).unwrap())).await;
        if count == 6 || misfire == MisfirePolicy::FireOnce {
            world.pass(1);
        }
    }
    world.end().await;
    count
}

#[tokio::test]
async fn missed_ticks_come_as_their_job_wants() {
    assert_eq!(comes(MisfirePolicy::FireAll).await, 6);
    assert_eq!(comes(MisfirePolicy::FireOnce).await, 1);
}

#[tokio::test]
async fn skipped_ticks_do_not_come_and_those_after_them_do() {
    let world = World::new().await;
    world.schedule_with("a", Job { repeats: Some(1), ..every(10) }, MisfirePolicy::Skip).await;
    world.schedule_with("once", once("1s"), MisfirePolicy::Skip).await;
    world.pass(66);
    let mut sidecar = world.connect();
    world.until_count("once", None).await;
    world.pass(4);
    assert_eq!(sidecar.answer(Success).await, "a");
    world.until_count("a", None).await;
    assert!(sidecar.is_idle());
    world.end().await;
}

#[tokio::test]
async fn what_is_imported_goes_on_where_it_was() {
    let world = World::new().await;
    let mut sidecar = world.connect();
    world.import("done", Job { repeats: Some(3), ..every(10) }, 3).await;
    world.import("a", Job { repeats: Some(4), ..every(10) }, 2).await;
    world.pass(20);
    // Two ticks of its life before are past, and none of them comes again.
    world.schedule("now", once("0s")).await;
    assert_eq!(sidecar.answer(Success).await, "now");
    world.until_count("done", None).await;
    assert!(sidecar.is_idle());
    world.pass(10);
    assert_eq!(sidecar.answer(Success).await, "a");
    world.until_count("a", Some(3)).await;
    world.end().await;
}

#[derive(Clone, Debug)]
enum Step {
    Tick,
    Fail,
    Restart,
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![4 => Just(Step::Tick), 2 => Just(Step::Fail), 1 => Just(Step::Restart), 1 => Just(Step::Reconnect)]
}

/// Each tick comes at its time, none is lost, and none comes again once it is done.
async fn count_ticks(steps: Vec<Step>) {
    const TICKS: u32 = 3;
    let mut world = World::new().await;
    let mut sidecar = world.connect();
    world.schedule("a", Job { repeats: Some(TICKS), ..every(60) }).await;
    let (mut done, mut failures) = (0, 0);
    world.pass(60);
    for step in steps.into_iter().chain([const { Step::Tick }; TICKS as usize]) {
        if done == TICKS {
            break;
        }
        match step {
            Step::Fail if failures < 3 => {
                assert_eq!(sidecar.answer(Failed).await, "a");
                failures += 1;
                world.until_failed("a", failures).await;
                world.pass(1);
            }
            Step::Restart => {
                world.restart().await;
                sidecar = world.connect();
            }
            Step::Reconnect => {
                world.pool.disconnect(sidecar.id);
                sidecar = world.connect();
            }
            Step::Tick | Step::Fail => {
                assert_eq!(sidecar.answer(Success).await, "a");
                (done, failures) = (done + 1, 0);
                world.until_count("a", (done < TICKS).then_some(done)).await;
                assert!(sidecar.is_idle());
                let late = world.now() % 60;
                world.pass(60 - late);
            }
        }
    }
    assert_eq!(done, TICKS);
    world.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn ticks_are_counted_through_failures_and_restarts(steps in proptest::collection::vec(step(), 0..12)) {
        tokio::runtime::Runtime::new().unwrap().block_on(count_ticks(steps));
    }
}

#[tokio::test]
async fn more_jobs_than_a_sidecar_takes_at_once_come_one_after_the_other() {
    const JOBS: usize = 300;
    let world = World::new().await;
    let mut sidecar = world.connect();
    for number in 0..JOBS {
        // Some are so large that only a few of them wait at once.
        let data = (number % 30 == 0).then(|| Any { type_url: String::new(), value: vec![1; 6 << 20] });
        world.schedule(&number.to_string(), Job { data, ..once("0s") }).await;
    }
    let mut names = HashSet::new();
    while names.len() < JOBS {
        tokio::select! {
            name = sidecar.answer(Success) => assert!(names.insert(name)),
            // What was not taken is offered again when a little time has passed.
            () = tokio::time::sleep(Duration::from_millis(5)) => world.pass(1),
        }
    }
    for number in 0..JOBS {
        world.until_count(&number.to_string(), None).await;
    }
    assert!(sidecar.is_idle());
    world.end().await;
}
