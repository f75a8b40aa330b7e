//! How a cluster begins whose members do not all come at once.
use super::PATIENCE;
use super::world::World;
use crate::tests::put;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use wire::etcd::etcdserverpb::PutRequest;

/// Long after members would have begun without those who are missing.
const LONG: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn two_of_three_begin_and_the_third_joins_them() {
    let mut world = World::empty(10);
    world.restart(0).await;
    world.restart(2).await;
    timeout(PATIENCE, world.leader()).await.unwrap();
    world.store(0).put(put("a", "1")).await.unwrap();
    world.restart(1).await;
    timeout(PATIENCE, world.joined(1)).await.unwrap();
    assert_eq!(world.eventually(1).await.len(), 1);
    // From now on any two are enough.
    world.crash(0).await;
    let written = async { while world.store(1).put(put("b", "1")).await.is_err() {} };
    timeout(PATIENCE, written).await.unwrap();
    assert_eq!(world.eventually(2).await.len(), 2);
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn one_of_three_begins_nothing() {
    let mut world = World::empty(11);
    for member in [0, 1, 2] {
        world.cut(member);
        world.restart(member).await;
    }
    sleep(LONG).await;
    for member in [0, 1, 2] {
        assert!(world.store(member).put(put("a", "1")).await.is_err_and(|error| error.is_temporary()), "{member}");
    }
    world.heal();
    timeout(PATIENCE, world.leader()).await.unwrap();
    world.store(1).put(put("a", "1")).await.unwrap();
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn who_cannot_reach_the_founders_joins_them_later() {
    let mut world = World::empty(12);
    world.cut(1);
    for member in [0, 1, 2] {
        world.restart(member).await;
    }
    world.leader().await;
    world.store(2).put(put("a", "1")).await.unwrap();
    sleep(LONG).await;
    world.heal();
    timeout(PATIENCE, world.joined(1)).await.unwrap();
    assert_eq!(world.eventually(1).await, world.eventually(0).await);
    world.close().await;
}

/// Members come in any order, with pauses, crash and are cut off before the cluster is whole. What is acknowledged is there in the
/// end, in one cluster.
async fn begin(seed: u64) {
    let (mut world, mut chance) = (World::empty(seed), StdRng::seed_from_u64(seed));
    let mut order = [0, 1, 2];
    order.shuffle(&mut chance);
    let mut acknowledged = 0;
    for member in order {
        world.restart(member).await;
        for _ in 0..chance.random_range(0..3) {
            sleep(Duration::from_millis(chance.random_range(0..8000))).await;
            let other = order[chance.random_range(0..3)];
            match chance.random_range(0..3) {
                0 => world.cut(other),
                1 => world.heal(),
                _ if world.is_up(other) => {
                    world.crash(other).await;
                    world.restart(other).await;
                }
                _ => {}
            }
            let request = PutRequest { key: acknowledged.to_string().into(), ..put("", "x") };
            let written = world.store(member).put(request).await;
            acknowledged += usize::from(written.is_ok());
        }
    }
    world.heal();
    for member in order {
        timeout(PATIENCE, world.joined(member)).await.unwrap();
    }
    let all = [world.eventually(0).await, world.eventually(1).await, world.eventually(2).await];
    assert!(all[0] == all[1] && all[1] == all[2], "members differ");
    let has = |number: usize| all[0].iter().any(|kv| kv.key == number.to_string());
    assert!((0..acknowledged).all(has), "seed {seed}: {acknowledged} writes, {} records", all[0].len());
    world.close().await;
}

#[test]
fn whoever_comes_first_there_is_one_cluster() {
    for seed in 100..130 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(begin(seed));
    }
}
