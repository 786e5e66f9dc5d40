//! Who is slowed down, and who is not.

use super::table::{FREE, MEMORY, TURN};
use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn address(number: u32) -> IpAddr {
    IpAddr::V4(number.into())
}

fn fail(guard: &Guard, address: IpAddr, account: &str) -> Result<(), Duration> {
    guard.enter(address, Some(account)).map(drop)
}

#[tokio::test(start_paused = true)]
async fn an_address_waits_longer_and_longer() {
    let guard = Guard::default();
    for number in 0..=FREE {
        assert_eq!(fail(&guard, HOME, &number.to_string()), Ok(()));
    }
    assert_eq!(fail(&guard, HOME, "x"), Err(Duration::from_secs(1)));
    assert_eq!(
        fail(&guard, address(9), "x"),
        Ok(()),
        "others are not slowed"
    );
    let mut waited = Vec::new();
    for number in 0..12 {
        let Err(wait) = fail(&guard, HOME, "x") else {
            panic!("{number} was let in too early");
        };
        waited.push(wait.as_secs());
        tokio::time::advance(wait).await;
        assert_eq!(
            fail(&guard, HOME, &format!("y{number}")),
            Ok(()),
            "the wait was true"
        );
    }
    assert_eq!(waited, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    tokio::time::advance(ADDRESS_WAIT_MAX + MEMORY * 2).await;
    for number in 0..=FREE {
        assert_eq!(
            fail(&guard, HOME, &format!("z{number}")),
            Ok(()),
            "forgotten"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_slowed_from_everywhere_and_never_locked() {
    let guard = Guard::default();
    let mut longest = Duration::ZERO;
    for number in 0..40 {
        while let Err(wait) = fail(&guard, address(number), "ana") {
            longest = longest.max(wait);
            tokio::time::advance(wait).await;
        }
    }
    assert_eq!(longest, ACCOUNT_WAIT_MAX);
}

#[tokio::test(start_paused = true)]
async fn success_clears_the_account_and_not_the_address() {
    let guard = Guard::default();
    for _ in 0..FREE {
        assert_eq!(fail(&guard, HOME, "ana"), Ok(()));
    }
    guard.enter(HOME, Some("own")).unwrap().succeeded();
    guard.enter(address(2), Some("ana")).unwrap().succeeded();
    assert_eq!(fail(&guard, HOME, "ana"), Ok(()), "one more is free");
    assert_eq!(fail(&guard, HOME, "ana"), Err(Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn many_may_come_in_at_once_and_guesses_are_few() {
    let guard = Guard::default();
    let office: Vec<_> = (0..14)
        .map(|number| guard.enter(HOME, Some(&number.to_string())).ok().unwrap())
        .collect();
    office.into_iter().for_each(Attempt::succeeded);
    let guesses: Vec<_> = (0..100)
        .filter_map(|_| guard.enter(HOME, Some("ana")).ok())
        .collect();
    assert_eq!(guesses.len(), ACCOUNT_AT_ONCE as usize);
    drop(guesses);
    let _ = fail(&guard, address(1), "ana");
    let one = guard.enter(address(2), Some("ana")).ok().unwrap();
    assert_eq!(fail(&guard, address(3), "ana"), Err(TURN), "one at a time");
    drop(one);
}

#[tokio::test(start_paused = true)]
async fn strangers_keep_nobody_out_of_their_home() {
    let guard = Guard::default();
    guard.enter(HOME, Some("ana")).ok().unwrap().succeeded();
    for number in 1..20 {
        while let Err(wait) = fail(&guard, address(number), "ana") {
            tokio::time::advance(wait).await;
        }
    }
    assert!(fail(&guard, address(50), "ana").is_err());
    guard.enter(HOME, Some("ana")).ok().unwrap().succeeded();
    assert_eq!(
        fail(&guard, address(51), "ana"),
        Ok(()),
        "and all is forgiven"
    );
}

#[tokio::test(start_paused = true)]
async fn knocking_all_the_time_is_not_for_nothing() {
    let guard = Guard::default();
    for number in 1..=FREE + 3 {
        let _ = fail(&guard, address(number), "ana");
    }
    let refused = (0..FREE + 1).map(|_| fail(&guard, HOME, "ana"));
    assert!(refused.into_iter().all(|answer| answer.is_err()));
    assert!(fail(&guard, HOME, "ben").is_err(), "the address waits now");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_looked_at_counts_for_nothing() {
    let guard = Guard::default();
    for _ in 0..3 * FREE {
        guard.enter(HOME, Some("ana")).unwrap().withdrawn();
    }
    for _ in 0..=FREE {
        assert_eq!(fail(&guard, HOME, "ana"), Ok(()));
    }
    assert_eq!(fail(&guard, HOME, "ana"), Err(Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn the_tables_are_bounded_and_keep_those_who_wait() {
    let guard = Guard::default();
    for _ in 0..=FREE {
        let _ = fail(&guard, HOME, "ana");
    }
    for number in 0..3 * ENTRIES_MAX as u32 {
        let _ = fail(&guard, address(number), &format!("a{number}"));
    }
    let tables = guard.lock();
    assert!(tables.addresses.0.len() <= ENTRIES_MAX);
    assert!(tables.accounts.0.len() <= ENTRIES_MAX);
    assert!(tables.accounts.0.contains_key("ana"));
}

#[test]
fn the_addresses_of_one_host_are_one() {
    let v6 = |text: &str| host_of(text.parse().unwrap());
    assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:1"));
    assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
    assert_eq!(v6("::ffff:127.0.0.1"), HOME);
    assert_ne!(host_of(Ipv6Addr::LOCALHOST.into()), HOME);
}
