//! The memory keeps up with the store, whoever changed that.

use super::{
    super::{Error, Keys, Rejected},
    Create, Place, check,
};
use crate::{
    audit::Origin,
    store::{Mode, fixture::fixture},
};
use std::time::Duration;

#[tokio::test]
async fn a_change_by_another_process_is_in_force_after_one_look() {
    let place = Place(fixture!());
    let gateway = place.keys().await;
    let command = place.keys().await;
    let minted = command.mint().await;
    assert_eq!(check(&gateway, &minted.key), Err(Rejected::Unknown));
    gateway.catch_up().await.unwrap();
    assert_eq!(check(&gateway, &minted.key).unwrap().key, minted.id);

    command.revoke(Origin::system(), minted.id).await.unwrap();
    let own = gateway.mint().await;
    assert_eq!(
        check(&gateway, &minted.key),
        Err(Rejected::Revoked),
        "a change of its own takes others' along"
    );
    assert_eq!(check(&gateway, &own.key).unwrap().key, own.id);
}

#[tokio::test]
async fn following_brings_a_revocation_within_a_second() {
    let place = Place(fixture!());
    let gateway = place.keys().await;
    let minted = gateway.mint().await;
    place
        .keys()
        .await
        .revoke(Origin::system(), minted.id)
        .await
        .unwrap();
    let refused = async {
        while check(&gateway, &minted.key) != Err(Rejected::Revoked) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = gateway.clone().follow() => unreachable!("it follows until it is dropped"),
        done = tokio::time::timeout(Duration::from_secs(1), refused) => done.unwrap(),
    }
}

#[test]
fn following_can_be_spawned() {
    fn may_spawn<F: Future<Output = ()> + Send + 'static>(_: impl FnOnce(Keys) -> F) {}
    may_spawn(Keys::follow);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_leaves_known_keys_in_force() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys.mint().await;
    keys.db
        .transact(Mode::Write, |tx| {
            tx.run("ALTER TABLE api_key RENAME TO away")
        })
        .await
        .unwrap();
    assert!(keys.catch_up().await.is_err());
    assert!(check(&keys, &minted.key).is_ok());

    keys.db
        .transact(Mode::Write, |tx| {
            tx.run("ALTER TABLE away RENAME TO api_key")
        })
        .await
        .unwrap();
    keys.revoke(Origin::system(), minted.id).await.unwrap();
    assert_eq!(check(&keys, &minted.key), Err(Rejected::Revoked));
}

#[tokio::test]
async fn a_row_spoiled_by_hand_closes_its_own_door_only() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let spoiled = keys.mint().await;
    let sound = keys.mint().await;
    let spoil = "UPDATE api_key SET models = '[1]', version = 100 WHERE id = $1";
    keys.db
        .transact(Mode::Write, move |tx| {
            tx.execute(spoil, &[spoiled.id.into()])
        })
        .await
        .unwrap();

    for keys in [keys.clone(), place.keys().await] {
        keys.catch_up().await.unwrap();
        assert_eq!(check(&keys, &spoiled.key), Err(Rejected::Unknown));
        assert!(check(&keys, &sound.key).is_ok());
    }
}

#[tokio::test]
async fn a_change_that_fails_changes_nothing() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys.mint().await;
    let failed: Result<(), Error> = keys
        .change(move |tx| {
            tx.execute(
                "UPDATE api_key SET revoked_at = 1, version = 99 WHERE id = $1",
                &[minted.id.into()],
            )?;
            Err(Error::NoSuchKey(minted.id))
        })
        .await;
    assert!(failed.is_err());
    assert!(check(&keys, &minted.key).is_ok());
    assert_eq!(keys.list(None, 9).await.unwrap()[0].revoked, None);
}
