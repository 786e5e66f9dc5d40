//! Spend alerts, page by page.

use super::{
    super::{Cursor, NewAlert, Side},
    Place, by, cursor,
};
use crate::store::fixture::fixture;

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
