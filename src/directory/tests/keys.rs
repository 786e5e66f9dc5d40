//! The keys of a project.

use super::{
    super::{Cursor, Error, NewAccount, NewProjectKey, Side},
    Place, by, cursor,
};
use crate::{
    domain::{KeyId, Owner},
    store::fixture::fixture,
};

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
