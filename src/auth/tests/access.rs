//! Who is let in, and as whom.

use super::{
    super::{Admin, Kind, NewKey, Rejected},
    Create, HOUR, Place, bearer, check, models, new_key,
};
use crate::{
    audit::Origin,
    domain::{Caller, Secret},
    store::fixture::fixture,
};
use http::HeaderMap;
use std::{
    thread,
    time::{Duration, SystemTime},
};

#[tokio::test]
async fn a_key_opens_its_plane_as_itself_and_not_the_other() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let rule = models(["gpt-*", "o3"]);
    let api = keys
        .create(
            Origin::system(),
            NewKey {
                models: rule.clone(),
                ..new_key(Kind::Api)
            },
        )
        .await
        .unwrap();
    let admin = keys
        .create(Origin::system(), new_key(Kind::Admin))
        .await
        .unwrap();

    assert_eq!(
        check(&keys, &api.key),
        Ok(Caller {
            key: api.id,
            models: rule.clone(),
            on_hangup: None,
            owner: None,
            terms: None,
        })
    );
    assert_eq!(check(&keys, &admin.key), Err(Rejected::WrongPlane));
    let control = |key: &Secret| keys.authenticate_admin(&bearer(key.expose()), None);
    assert_eq!(control(&admin.key), Ok(Admin::Key(admin.id)));
    assert_eq!(control(&api.key), Err(Rejected::WrongPlane));

    drop(keys);
    assert_eq!(
        check(&place.keys().await, &api.key),
        Ok(Caller {
            key: api.id,
            models: rule,
            on_hangup: None,
            owner: None,
            terms: None,
        }),
        "after a restart"
    );
}

#[tokio::test]
async fn the_configured_secret_opens_the_control_plane_only() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let configured = Secret::new("chosen by an operator");
    let control =
        |credential: &str, configured| keys.authenticate_admin(&bearer(credential), configured);

    assert_eq!(
        control("chosen by an operator", Some(&configured)),
        Ok(Admin::Configured)
    );
    assert_eq!(
        control("chosen by an operato", Some(&configured)),
        Err(Rejected::Malformed)
    );
    assert_eq!(
        control("chosen by an operator", None),
        Err(Rejected::Malformed)
    );
    assert_eq!(control("", Some(&Secret::new(""))), Err(Rejected::Missing));
    assert_eq!(check(&keys, &configured), Err(Rejected::Malformed));
}

#[tokio::test]
async fn what_became_of_a_key_is_told_to_its_holder_only() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys.mint().await;
    let other = keys.mint().await;
    keys.revoke(Origin::system(), minted.id).await.unwrap();

    let guess = other
        .key
        .expose()
        .replace(other.id.as_str(), minted.id.as_str());
    let stranger = other
        .key
        .expose()
        .replace(other.id.as_str(), "0000000000000000");
    let promoted = other.key.expose().replace("sk-weir-", "sk-weir-admin-");
    assert_eq!(check(&keys, &minted.key), Err(Rejected::Revoked));
    assert_eq!(
        keys.authenticate(&bearer(&guess)),
        Err(Rejected::WrongSecret)
    );
    assert_eq!(
        keys.authenticate(&bearer(&stranger)),
        Err(Rejected::Unknown)
    );
    assert_eq!(
        keys.authenticate_admin(&bearer(&promoted), None),
        Err(Rejected::Unknown)
    );
    assert_eq!(
        keys.authenticate(&bearer("sk-weir-")),
        Err(Rejected::Malformed)
    );
    assert_eq!(keys.authenticate(&HeaderMap::new()), Err(Rejected::Missing));
}

#[tokio::test]
async fn a_key_works_until_its_expiry_and_not_at_it() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let end = SystemTime::now() + HOUR;
    let minted = keys
        .create(
            Origin::system(),
            NewKey {
                expires: Some(end),
                ..new_key(Kind::Api)
            },
        )
        .await
        .unwrap();
    let at = |now| {
        keys.authenticate_at(&bearer(minted.key.expose()), now)
            .map(|caller| caller.key)
    };

    assert_eq!(at(end - Duration::from_millis(2)), Ok(minted.id));
    assert_eq!(at(end), Err(Rejected::Expired));
}

#[tokio::test]
async fn requests_on_other_threads_are_answered_while_keys_change() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys.mint().await;
    let ask_until_refused = || {
        while let Ok(caller) = check(&keys, &minted.key) {
            assert_eq!(caller.key, minted.id);
        }
        check(&keys, &minted.key)
    };
    let change = async {
        for _ in 0..100 {
            keys.mint().await;
        }
        keys.revoke(Origin::system(), minted.id).await.unwrap();
    };
    let runtime = tokio::runtime::Handle::current();
    thread::scope(|scope| {
        let readers = [
            scope.spawn(ask_until_refused),
            scope.spawn(ask_until_refused),
        ];
        scope.spawn(|| runtime.block_on(change)).join().unwrap();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), Err(Rejected::Revoked));
        }
    });
}

#[tokio::test]
async fn nothing_prints_a_secret() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let first = keys
        .first_start(place.0.dir(), None)
        .await
        .unwrap()
        .unwrap();
    let minted = keys.mint().await;
    let caller = check(&keys, &minted.key);
    let list = keys.list(None, 9).await.unwrap();

    let printed = format!(
        "{first:?} {minted:?} {keys:?} {caller:?} {list:?} {:?}",
        keys.db
    );
    let admin = first.admin.unwrap();
    for key in [&first.api, &admin, &minted.key] {
        let (_, secret) = key.expose().split_once('_').unwrap();
        assert!(!printed.contains(secret));
    }
}
