//! Service accounts, and what they leave.

use super::{
    super::{Error, NewAccount, NewProjectKey},
    Place, by, opens,
};
use crate::{auth::Rejected, domain::Owner, store::fixture::fixture};
use std::time::Duration;

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
