use super::{
    Admin, Error, FirstKeys, Keys, Kind, Minted, NAME_MAX_CHARS, NewKey, Rejected, Search, add,
};
use crate::audit::Origin;
use crate::domain::{Caller, KeyId, ModelRule, Owner, Secret, Terms};
use crate::store::fixture::{Fixture, fixture};
use crate::store::{Db, Mode};
use http::{HeaderMap, HeaderValue};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};
use std::{fs, thread};

const HOUR: Duration = Duration::from_secs(3600);

/// A store that other `Keys`, with connections of their own, can open as well.
struct Place(Fixture);

impl Place {
    async fn keys(&self) -> Keys {
        Keys::open(Db::open(self.0.place()).unwrap()).await.unwrap()
    }
}

/// A change of its own for a key.
trait Create {
    async fn create(&self, by: Origin, new: NewKey) -> Result<Minted, Error>;
}

impl Create for Keys {
    async fn create(&self, by: Origin, new: NewKey) -> Result<Minted, Error> {
        self.change(move |tx| add(tx, &by, &new)).await
    }
}

fn new_key(kind: Kind) -> NewKey {
    NewKey {
        name: "a key".into(),
        kind,
        models: ModelRule::All,
        on_hangup: None,
        owner: Owner::default(),
        terms: Terms::default(),
        expires: None,
    }
}

fn bearer(credential: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("Bearer {credential}")).unwrap();
    HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])
}

fn check(keys: &Keys, key: &Secret) -> Result<Caller, Rejected> {
    keys.authenticate(&bearer(key.expose()))
}

fn models<const N: usize>(names: [&str; N]) -> ModelRule {
    ModelRule::Only(names.map(Box::from).into())
}

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
    let minted = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
    let other = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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
async fn a_change_by_another_process_is_in_force_after_one_look() {
    let place = Place(fixture!());
    let gateway = place.keys().await;
    let command = place.keys().await;
    let minted = command
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
    assert_eq!(check(&gateway, &minted.key), Err(Rejected::Unknown));
    gateway.catch_up().await.unwrap();
    assert_eq!(check(&gateway, &minted.key).unwrap().key, minted.id);

    command.revoke(Origin::system(), minted.id).await.unwrap();
    let own = gateway
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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
    let minted = gateway
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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

#[tokio::test]
async fn requests_on_other_threads_are_answered_while_keys_change() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
    let ask_until_refused = || {
        while let Ok(caller) = check(&keys, &minted.key) {
            assert_eq!(caller.key, minted.id);
        }
        check(&keys, &minted.key)
    };
    let change = async {
        for _ in 0..100 {
            keys.create(Origin::system(), new_key(Kind::Api))
                .await
                .unwrap();
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

#[test]
fn following_can_be_spawned() {
    fn may_spawn<F: Future<Output = ()> + Send + 'static>(_: impl FnOnce(Keys) -> F) {}
    may_spawn(Keys::follow);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_leaves_known_keys_in_force() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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
    let spoiled = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
    let sound = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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
    let minted = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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

#[tokio::test]
async fn an_ended_or_unknown_key_cannot_be_changed() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let minted = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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

    let ids = |page: &[super::Record]| page.iter().map(|record| record.id).collect::<Vec<_>>();
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
    keys.create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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

#[tokio::test]
async fn nothing_prints_a_secret() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let first = keys
        .first_start(place.0.dir(), None)
        .await
        .unwrap()
        .unwrap();
    let minted = keys
        .create(Origin::system(), new_key(Kind::Api))
        .await
        .unwrap();
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

#[tokio::test]
async fn live_keys_are_found_a_stretch_at_a_time() {
    let place = Place(fixture!());
    let keys = place.keys().await;
    let by = Origin::system();
    let tier = || Terms {
        tier: Some("gold".into()),
        ..Terms::default()
    };
    let mut made = Vec::new();
    for number in 0..12 {
        let kind = if number == 3 { Kind::Admin } else { Kind::Api };
        let new = NewKey {
            terms: if number % 2 == 0 {
                tier()
            } else {
                Terms::default()
            },
            expires: (number == 6).then(|| SystemTime::now() + HOUR),
            ..new_key(kind)
        };
        made.push(keys.create(by.clone(), new).await.unwrap().id);
    }
    keys.revoke(by, made[4]).await.unwrap();
    for (with_terms, expected) in [
        (true, vec![0, 2, 6, 8, 10]),
        (false, vec![0, 1, 2, 5, 6, 7, 8, 9, 10, 11]),
    ] {
        let expected: Vec<KeyId> = expected.into_iter().map(|at: usize| made[at]).collect();
        for (limit, looks) in [(1, 1), (1, 5), (3, 4), (5, 3), (100, 12), (100, 100)] {
            let search = Search {
                with_terms,
                limit,
                looks,
            };
            let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let stretch = keys.live(after, search).await.unwrap();
                assert!(stretch.found.len() <= limit.min(looks));
                found.extend(stretch.found.iter().map(|key| key.id));
                pages += 1;
                match stretch.last {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
            assert_eq!(found, expected, "{search:?}");
            assert!(pages >= made.len() / looks.min(made.len()));
        }
    }
    let nobody = KeyId::parse(b"0123456789abcdef");
    let search = Search {
        with_terms: true,
        limit: 1,
        looks: 1,
    };
    let error = keys.live(nobody, search).await.unwrap_err();
    assert!(matches!(error, Error::NoSuchKey(_)), "{error}");
}
