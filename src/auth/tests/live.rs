//! Live keys, found a stretch at a time.

use super::{
    super::{Error, Kind, NewKey, Search},
    Create, HOUR, Place, new_key,
};
use crate::{
    audit::Origin,
    domain::{KeyId, Terms},
    store::fixture::fixture,
};
use std::time::SystemTime;

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
