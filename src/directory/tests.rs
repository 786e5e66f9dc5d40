use super::{
    Cursor, Directory, Error, ModelPermissions, NewAccount, NewAlert, NewProject, NewProjectKey,
    ProjectChange, RateLimit, Retention, Side,
};
use crate::audit::{self, Origin};
use crate::auth::{Keys, Rejected};
use crate::domain::{KeyId, OnHangup, Owner, Secret};
use crate::store::fixture::{Fixture, fixture};
use crate::store::{Db, connect};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use std::time::Duration;

/// A store that several processes may have open.
struct Place(Fixture);

impl Place {
    async fn open(&self) -> Directory {
        let db = Db::open(self.0.place()).unwrap();
        let keys = Keys::open(db.clone()).await.unwrap();
        Directory::open(db, keys).await.unwrap()
    }

    fn log_agrees(&self) {
        let mut conn = std::thread::scope(|scope| {
            scope
                .spawn(|| connect(self.0.place()).unwrap())
                .join()
                .unwrap()
        });
        let differences = std::thread::scope(|scope| {
            scope
                .spawn(|| audit::examine(&mut conn).unwrap().1)
                .join()
                .unwrap()
        });
        assert_eq!(differences, [""; 0]);
    }
}

fn by() -> Origin {
    Origin::system()
}

fn named(name: &str) -> NewProject {
    NewProject {
        name: name.to_owned(),
        ..NewProject::default()
    }
}

fn cursor(limit: usize) -> Cursor {
    Cursor {
        limit,
        ..Cursor::default()
    }
}

fn opens(directory: &Directory, key: &Secret) -> Result<KeyId, Rejected> {
    let value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    directory
        .keys
        .authenticate(&headers)
        .map(|caller| caller.key)
}

#[tokio::test]
async fn a_project_lives_and_takes_its_keys_with_it() {
    let place = Place(fixture!());
    let directory = place.open().await;
    let project = directory
        .create_project(by(), named("search"))
        .await
        .unwrap();
    assert!(
        project.id.starts_with("proj_") && project.id.len() == 29,
        "{project:?}"
    );
    let new = NewAccount {
        name: "ci".to_owned(),
        key: Some(NewProjectKey::named("first")),
    };
    let (account, key) = directory
        .create_account(by(), project.id.clone(), new)
        .await
        .unwrap();
    let first = key.unwrap();
    let new = NewProjectKey::named("second");
    let second = directory
        .create_account_key(by(), project.id.clone(), account.id.clone(), new)
        .await
        .unwrap();
    let other = directory
        .create_key(
            by(),
            Owner::DEFAULT_PROJECT.to_owned(),
            None,
            NewProjectKey::named("other"),
        )
        .await
        .unwrap();
    assert!(opens(&directory, &first.key).is_ok() && opens(&directory, &second.key).is_ok());

    let change = ProjectChange {
        name: Some("find".to_owned()),
        external_key_id: Some(Some("x".to_owned())),
        on_hangup: Some(Some(OnHangup::Finish)),
    };
    let changed = directory
        .update_project(by(), project.id.clone(), change)
        .await
        .unwrap();
    assert_eq!(
        (&*changed.name, changed.external_key_id.as_deref()),
        ("find", Some("x"))
    );

    let archived = directory
        .archive_project(by(), project.id.clone())
        .await
        .unwrap();
    assert!(archived.archived.is_some());
    for made in [&first, &second] {
        assert_eq!(opens(&directory, &made.key), Err(Rejected::Revoked));
    }
    assert!(opens(&directory, &other.key).is_ok());
    let door = |id: &str| directory.allowances().at_the_door(id);
    assert_eq!(door(&project.id), (false, Some(OnHangup::Finish)));
    directory.catch_up().await.unwrap();
    assert_eq!(door(&project.id), (true, Some(OnHangup::Finish)));
    let refused = directory
        .create_account_key(
            by(),
            project.id.clone(),
            account.id,
            NewProjectKey::named("x"),
        )
        .await;
    assert!(matches!(refused, Err(Error::Archived(_))), "{refused:?}");
    let again = directory.archive_project(by(), project.id.clone()).await;
    assert!(matches!(again, Err(Error::Archived(_))), "{again:?}");
    let all = async |archived| {
        directory
            .projects(cursor(10), archived)
            .await
            .unwrap()
            .items
            .len()
    };
    assert_eq!((all(false).await, all(true).await), (1, 2));
    let default = directory
        .archive_project(by(), Owner::DEFAULT_PROJECT.to_owned())
        .await;
    assert!(matches!(default, Err(Error::DefaultProject)), "{default:?}");
    place.log_agrees();
}

#[tokio::test]
async fn what_belongs_to_one_project_is_not_found_in_another() {
    let place = Place(fixture!());
    let directory = place.open().await;
    let [mine, theirs] = ["mine", "theirs"].map(|id| NewProject {
        id: Some(id.to_owned()),
        ..named(id)
    });
    for new in [mine, theirs] {
        directory.create_project(by(), new).await.unwrap();
    }
    let taken = directory
        .create_project(
            by(),
            NewProject {
                id: Some("mine".to_owned()),
                ..named("x")
            },
        )
        .await;
    assert!(matches!(taken, Err(Error::Taken(_))));
    for id in ["", "..", "a/b", "é", &"x".repeat(65)] {
        let refused = directory
            .create_project(
                by(),
                NewProject {
                    id: Some(id.to_owned()),
                    ..named("x")
                },
            )
            .await;
        assert!(matches!(refused, Err(Error::ProjectId)), "{id}");
    }
    let new = NewAccount {
        name: "ci".to_owned(),
        key: Some(NewProjectKey::named("key")),
    };
    let (account, key) = directory
        .create_account(by(), "mine".to_owned(), new)
        .await
        .unwrap();
    let key = key.unwrap();
    let there = "theirs".to_owned();
    let found = directory.account(there.clone(), account.id.clone()).await;
    assert!(matches!(found, Err(Error::NoSuchAccount(_))));
    let found = directory.project_key(there.clone(), key.record.id).await;
    assert!(matches!(found, Err(Error::NoSuchKey(_))));
    let gone = directory
        .delete_project_key(by(), there.clone(), key.record.id)
        .await;
    assert!(matches!(gone, Err(Error::NoSuchKey(_))));
    let rotated = directory
        .rotate_account_key(
            by(),
            there.clone(),
            account.id.clone(),
            key.record.id,
            Duration::ZERO,
        )
        .await;
    assert!(matches!(rotated, Err(Error::NoSuchAccount(_))));
    let listed = directory.project_keys(there, cursor(10)).await.unwrap();
    assert_eq!(listed.0.items.len(), 0);
    let unknown = directory
        .project_keys("nobody's".to_owned(), cursor(10))
        .await;
    assert!(matches!(unknown, Err(Error::NoSuchProject(_))));
    assert!(opens(&directory, &key.key).is_ok());
}

#[tokio::test]
async fn keys_are_listed_by_page_while_they_are_deleted() {
    let place = Place(fixture!());
    let directory = place.open().await;
    let project = Owner::DEFAULT_PROJECT.to_owned();
    let new = NewAccount {
        name: "ci".to_owned(),
        key: None,
    };
    let (account, _) = directory
        .create_account(by(), project.clone(), new)
        .await
        .unwrap();
    let mut made = Vec::new();
    for number in 0..5 {
        let new = NewProjectKey::named(format!("key {number}"));
        let key = directory
            .create_account_key(by(), project.clone(), account.id.clone(), new)
            .await
            .unwrap();
        made.push(key.record.id);
    }
    let (mut found, mut side) = (Vec::new(), None);
    loop {
        let cursor = Cursor { side, ..cursor(2) };
        let (page, owners) = directory
            .project_keys(project.clone(), cursor)
            .await
            .unwrap();
        assert_eq!(owners[&account.id].name, "ci");
        let ids: Vec<KeyId> = page.items.iter().map(|key| key.id).collect();
        for id in &ids {
            directory
                .delete_project_key(by(), project.clone(), *id)
                .await
                .unwrap();
        }
        side = ids.last().map(|id| Side::After(id.public()));
        found.extend(ids);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(found, made);
    let nonsense = Cursor {
        side: Some(Side::After("key_x".to_owned())),
        ..cursor(2)
    };
    let refused = directory.project_keys(project, nonsense).await;
    assert!(matches!(refused, Err(Error::NoSuchCursor("after"))));
}

#[tokio::test]
async fn a_deleted_account_takes_its_keys_with_it_and_a_rotation_overlaps() {
    let place = Place(fixture!());
    let directory = place.open().await;
    let project = Owner::DEFAULT_PROJECT.to_owned();
    let new = NewAccount {
        name: "ci".to_owned(),
        key: Some(NewProjectKey::named("key")),
    };
    let (account, old) = directory
        .create_account(by(), project.clone(), new)
        .await
        .unwrap();
    let old = old.unwrap();
    let hour = Duration::from_secs(3600);
    let heir = directory
        .rotate_account_key(
            by(),
            project.clone(),
            account.id.clone(),
            old.record.id,
            hour,
        )
        .await
        .unwrap();
    assert_eq!(heir.record.owner, old.record.owner);
    assert!(opens(&directory, &old.key).is_ok() && opens(&directory, &heir.key).is_ok());
    directory
        .delete_account(by(), project.clone(), account.id.clone())
        .await
        .unwrap();
    for key in [&old.key, &heir.key] {
        assert_eq!(opens(&directory, key), Err(Rejected::Revoked));
    }
    assert!(matches!(
        directory.account(project, account.id).await,
        Err(Error::NoSuchAccount(_))
    ));
    place.log_agrees();
}

#[tokio::test]
async fn limits_are_in_force_at_once_here_and_at_the_next_look_elsewhere() {
    let place = Place(fixture!());
    let (here, there) = (place.open().await, place.open().await);
    let project = Owner::DEFAULT_PROJECT.to_owned();
    let scope = Some(project.clone());
    let permissions = ModelPermissions {
        is_allow_list: true,
        models: vec!["gpt-*".into()],
    };
    here.set_model_permissions(by(), project.clone(), Some(permissions))
        .await
        .unwrap();
    here.set_spend_limit(by(), scope.clone(), 500)
        .await
        .unwrap();
    here.set_spend_limit(by(), None, 9_000).await.unwrap();
    here.set_retention(by(), None, Retention::ZeroDataRetention)
        .await
        .unwrap();
    let figures = [Some(Some(60)), None, None, None, Some(None), None];
    let limit = here
        .set_rate_limit(by(), project.clone(), "gpt-5".to_owned(), figures)
        .await
        .unwrap();
    let alert = NewAlert {
        threshold: 400,
        recipients: vec!["ana@example.com".into()],
        subject_prefix: None,
    };
    let made = here
        .create_alert(by(), scope.clone(), alert.clone())
        .await
        .unwrap();
    for directory in [&here, &there] {
        directory.catch_up().await.unwrap();
        let allowances = directory.allowances();
        assert_eq!(allowances.organization().spend_limit, Some(9_000));
        assert_eq!(
            allowances.organization().retention,
            Some(Retention::ZeroDataRetention)
        );
        let own = allowances.of(&project).unwrap();
        assert_eq!((own.spend_limit, own.alerts.len()), (Some(500), 1));
        assert_eq!(own.rate_limits["gpt-5"], limit);
        assert!(allowances.allows(&project, "gpt-5") && !allowances.allows(&project, "o3"));
        assert!(allowances.allows("another", "o3") && allowances.restricts(&project));
    }
    assert_eq!(
        limit,
        RateLimit {
            max_requests_per_1_minute: Some(60),
            ..RateLimit::default()
        }
    );

    there
        .delete_alert(by(), scope.clone(), made.id.clone())
        .await
        .unwrap();
    there.delete_spend_limit(by(), scope.clone()).await.unwrap();
    there
        .set_model_permissions(by(), project.clone(), None)
        .await
        .unwrap();
    here.catch_up().await.unwrap();
    let own = here.allowances().of(&project).unwrap();
    assert_eq!(
        (own.spend_limit, own.alerts.len(), own.models.is_none()),
        (None, 0, true)
    );
    let gone = here.delete_spend_limit(by(), scope.clone()).await;
    assert!(matches!(gone, Err(Error::NoSpendLimit)));
    let gone = here.update_alert(by(), scope, made.id, alert).await;
    assert!(matches!(gone, Err(Error::NoSuchAlert(_))));
    drop((here, there));
    assert_eq!(
        place.open().await.allowances().of(&project).unwrap(),
        own,
        "after a restart"
    );
    place.log_agrees();
}

#[tokio::test]
async fn keys_made_before_there_were_projects_belong_to_one() {
    let place = Place(fixture!());
    let directory = place.open().await;
    let found = directory.projects(cursor(10), false).await.unwrap();
    let ids: Vec<&str> = found.items.iter().map(|project| &*project.id).collect();
    assert_eq!(ids, [Owner::DEFAULT_PROJECT]);
}

#[tokio::test]
async fn alerts_are_listed_in_either_order_and_from_either_side() {
    let place = Place(fixture!());
    let directory = place.open().await;
    for threshold in 1..=5 {
        let new = NewAlert {
            threshold,
            recipients: Vec::new(),
            subject_prefix: None,
        };
        directory.create_alert(by(), None, new).await.unwrap();
    }
    let list = async |cursor| {
        let page = directory.alerts(None, cursor).await.unwrap();
        let thresholds = page.items.iter().map(|alert| alert.threshold);
        (thresholds.collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(list(cursor(9)).await, (vec![1, 2, 3, 4, 5], false));
    let ids: Vec<String> = directory
        .alerts(None, cursor(9))
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|one| one.id)
        .collect();
    let after = |at: usize| Some(Side::After(ids[at].clone()));
    let before = |at: usize| Some(Side::Before(ids[at].clone()));
    let newest = |side| Cursor {
        side,
        is_newest_first: true,
        limit: 2,
    };
    assert_eq!(
        list(Cursor {
            side: after(1),
            ..cursor(2)
        })
        .await,
        (vec![3, 4], true)
    );
    assert_eq!(
        list(Cursor {
            side: before(3),
            ..cursor(2)
        })
        .await,
        (vec![2, 3], true)
    );
    assert_eq!(list(newest(None)).await, (vec![5, 4], true));
    assert_eq!(list(newest(after(2))).await, (vec![2, 1], false));
    assert_eq!(list(newest(before(2))).await, (vec![5, 4], false));
    assert_eq!(list(cursor(0)).await, (vec![], true));
}
