//! Keys that are made, listed, replaced and ended.

use super::{
    super::{Error, Kind, NAME_MAX_CHARS, NewKey, Record, Rejected},
    Create, HOUR, Place, bearer, models, new_key,
};
use crate::{
    audit::Origin,
    domain::{Caller, KeyId, ModelRule, Secret},
    store::fixture::fixture,
};
use std::time::{Duration, SystemTime};

#[tokio::test]
async fn a_rotated_key_goes_on_for_the_overlap_beside_its_heir() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let rule = models(["o3"]);
    let old = keys
        .create(
            Origin::system(),
            NewKey {
                models: rule.clone(),
                ..new_key(Kind::Api)
            },
        )
        .await
        .unwrap();
    let heir = keys.rotate(Origin::system(), old.id, HOUR).await.unwrap();
    let at = |key: &Secret, now| keys.authenticate_at(&bearer(key.expose()), now);

    let soon = SystemTime::now() + HOUR / 2;
    let later = SystemTime::now() + HOUR * 2;
    assert_eq!(at(&old.key, soon).map(|caller| caller.key), Ok(old.id));
    assert_eq!(at(&old.key, later), Err(Rejected::Expired));
    assert_eq!(
        at(&heir.key, later),
        Ok(Caller {
            key: heir.id,
            models: rule,
            on_hangup: None,
            owner: None,
            terms: None,
        })
    );

    let by = heir.id;
    assert!(
        matches!(keys.rotate(Origin::system(), old.id, HOUR).await, Err(Error::AlreadyReplaced { by: found, .. }) if found == by)
    );
    assert_eq!(keys.list(None, 1).await.unwrap()[0].replaced_by, Some(by));
}

#[tokio::test]
async fn a_rotation_extends_nothing() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let end = SystemTime::now() + HOUR;
    let old = keys
        .create(
            Origin::system(),
            NewKey {
                expires: Some(end),
                ..new_key(Kind::Admin)
            },
        )
        .await
        .unwrap();
    let heir = keys
        .rotate(Origin::system(), old.id, Duration::MAX)
        .await
        .unwrap();
    for key in [&old.key, &heir.key] {
        assert_eq!(
            keys.authenticate_admin_at(&bearer(key.expose()), None, end),
            Err(Rejected::Expired)
        );
    }

    let at_once = keys
        .rotate(Origin::system(), heir.id, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        keys.authenticate_admin(&bearer(heir.key.expose()), None),
        Err(Rejected::Expired)
    );
    assert!(matches!(
        keys.rotate(Origin::system(), heir.id, HOUR).await,
        Err(Error::AlreadyReplaced { .. })
    ));
    keys.revoke(Origin::system(), at_once.id).await.unwrap();
    assert!(matches!(
        keys.rotate(Origin::system(), at_once.id, HOUR).await,
        Err(Error::AlreadyRevoked(_))
    ));
}

#[tokio::test]
async fn an_ended_or_unknown_key_cannot_be_changed() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys.mint().await;
    let stranger = KeyId::parse(b"0123456789abcdef").unwrap();
    keys.revoke(Origin::system(), minted.id).await.unwrap();

    assert!(
        matches!(keys.revoke(Origin::system(), minted.id).await, Err(Error::AlreadyRevoked(id)) if id == minted.id)
    );
    assert!(
        matches!(keys.revoke(Origin::system(), stranger).await, Err(Error::NoSuchKey(id)) if id == stranger)
    );
    assert!(matches!(
        keys.rotate(Origin::system(), stranger, HOUR).await,
        Err(Error::NoSuchKey(_))
    ));
    assert!(matches!(
        keys.list(Some(stranger), 9).await,
        Err(Error::NoSuchKey(_))
    ));
}

#[tokio::test]
async fn a_list_is_read_page_by_page_in_the_order_of_making() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(
            keys.create(
                Origin::system(),
                NewKey {
                    name: format!("key {n}"),
                    ..new_key(Kind::Api)
                },
            )
            .await
            .unwrap()
            .id,
        );
    }
    keys.revoke(Origin::system(), made[1]).await.unwrap();

    let ids = |page: &[Record]| page.iter().map(|record| record.id).collect::<Vec<_>>();
    let first = keys.list(None, 2).await.unwrap();
    let rest = keys.list(Some(made[1]), 10).await.unwrap();
    assert_eq!(
        (ids(&first), ids(&rest)),
        (made[..2].to_vec(), made[2..].to_vec())
    );
    assert_eq!((first[0].name.as_str(), first[0].revoked), ("key 0", None));
    assert!(first[1].revoked.is_some());
}

#[tokio::test]
async fn a_key_is_described_within_bounds() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let long = "ä".repeat(NAME_MAX_CHARS);
    keys.create(
        Origin::system(),
        NewKey {
            name: long.clone(),
            ..new_key(Kind::Api)
        },
    )
    .await
    .unwrap();
    for name in [String::new(), "two\nlines".into(), long + "ä"] {
        assert!(matches!(
            keys.create(
                Origin::system(),
                NewKey {
                    name,
                    ..new_key(Kind::Api)
                }
            )
            .await,
            Err(Error::Name)
        ));
    }

    let many = ModelRule::Only(vec!["m".into(); 257].into());
    for models in [
        models([]),
        models([""]),
        models(["a*b*"]),
        models(["a\0"]),
        models([&"m".repeat(129)]),
        many,
    ] {
        assert!(matches!(
            keys.create(
                Origin::system(),
                NewKey {
                    models,
                    ..new_key(Kind::Api)
                }
            )
            .await,
            Err(Error::Models)
        ));
    }
    let expires = Some(SystemTime::now());
    assert!(matches!(
        keys.create(
            Origin::system(),
            NewKey {
                expires,
                ..new_key(Kind::Api)
            }
        )
        .await,
        Err(Error::ExpiryPassed)
    ));
}

#[tokio::test]
async fn only_a_live_admin_key_counts_as_one() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    keys.mint().await;
    assert!(!keys.has_admin().await.unwrap());
    let admin = keys
        .create(Origin::system(), new_key(Kind::Admin))
        .await
        .unwrap();
    assert!(keys.has_admin().await.unwrap());
    keys.rotate(Origin::system(), admin.id, Duration::ZERO)
        .await
        .map(|heir| keys.revoke(Origin::system(), heir.id))
        .unwrap()
        .await
        .unwrap();
    assert!(!keys.has_admin().await.unwrap());
}
