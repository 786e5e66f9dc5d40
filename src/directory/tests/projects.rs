//! Projects, and what is theirs.

use super::{
    super::{Error, NewAccount, NewProject, NewProjectKey, ProjectChange},
    Place, by, cursor, named, opens,
};
use crate::{
    auth::Rejected,
    domain::{OnHangup, Owner},
    store::fixture::fixture,
};
use std::time::Duration;

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
async fn keys_made_before_there_were_projects_belong_to_one() {
    let place = Place(fixture!());
    let directory = place.open().await;
    let found = directory.projects(cursor(10), false).await.unwrap();
    let ids: Vec<&str> = found.items.iter().map(|project| &*project.id).collect();
    assert_eq!(ids, [Owner::DEFAULT_PROJECT]);
}
