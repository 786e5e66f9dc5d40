//! The keys of a first start.

use super::{
    super::{Error, FirstKeys},
    Place, bearer, check,
};
use crate::{audit::Origin, domain::Secret, store::fixture::fixture};
use std::{fs, os::unix::fs::PermissionsExt, thread};

#[tokio::test]
async fn the_first_start_makes_keys_that_work_and_leaves_them_in_a_private_file() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let data = place.0.dir().join("data");
    let FirstKeys { api, admin, file } = keys.first_start(&data, None).await.unwrap().unwrap();
    let admin = admin.unwrap();

    assert!(check(&keys, &api).is_ok());
    assert!(
        keys.authenticate_admin(&bearer(admin.expose()), None)
            .is_ok()
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            format!("WEIR_API_KEY={}", api.expose()),
            format!("WEIR_ADMIN_KEY={}", admin.expose())
        ]
    );
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");

    for id in keys
        .list(None, 9)
        .await
        .unwrap()
        .iter()
        .map(|record| record.id)
    {
        keys.revoke(Origin::system(), id).await.unwrap();
    }
    assert!(
        place
            .keys()
            .await
            .first_start(&data, None)
            .await
            .unwrap()
            .is_none(),
        "revoked keys were keys"
    );
}

#[tokio::test]
async fn a_configured_admin_key_is_the_only_one_at_first() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let first = keys
        .first_start(place.0.dir(), Some(&Secret::new("mine")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.admin, None);
    assert!(
        !fs::read_to_string(first.file)
            .unwrap()
            .contains("WEIR_ADMIN_KEY")
    );
    assert!(!keys.has_admin().await.unwrap());
}

#[tokio::test]
async fn a_first_start_that_cannot_write_its_file_makes_no_key() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let blocked = place.0.dir().join("blocked");
    fs::write(&blocked, "a file where a directory should be").unwrap();
    assert!(matches!(
        keys.first_start(&blocked, None).await,
        Err(Error::FirstKeysFile { .. })
    ));
    assert!(keys.list(None, 1).await.unwrap().is_empty());

    let data = place.0.dir().join("data");
    fs::create_dir(&data).unwrap();
    for leftover in ["first-keys.env", "first-keys.env.new"] {
        fs::write(data.join(leftover), "of a start that crashed").unwrap();
    }
    let first = keys.first_start(&data, None).await.unwrap().unwrap();
    assert!(
        fs::read_to_string(first.file)
            .unwrap()
            .contains(first.api.expose())
    );
}

#[test]
fn of_first_starts_at_once_exactly_one_makes_keys() {
    let place = Place(fixture!());
    let start = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            place
                .keys()
                .await
                .first_start(place.0.dir(), None)
                .await
                .unwrap()
        })
    };
    let outcomes: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    });
    let mut winners = outcomes.into_iter().flatten();
    let winner = winners.next().unwrap();
    assert!(winners.next().is_none());
    assert!(
        fs::read_to_string(winner.file)
            .unwrap()
            .contains(winner.api.expose())
    );
}
