//! What a project may do.

use super::{
    super::{Error, ModelPermissions, NewAlert, RateLimit, Retention},
    Place, by,
};
use crate::{domain::Owner, store::fixture::fixture};

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
