use super::{
    Error, NewInvite, NewUser, PasswordHash, SessionId, UserChange, UserId, Users, session,
    terms_of, tiers, verified::Own,
};
use crate::audit::Origin;
use crate::domain::{Membership, ProjectRole, Role, Secret, Terms};
use crate::store::fixture::fixture;
use crate::store::{Db, Millis, Mode, Transaction, connect_to_read};
use std::time::{Duration, SystemTime};

fn by() -> Origin {
    Origin::system()
}

fn new_user(email: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        name: "Ana".to_owned(),
        role: Role::Reader,
        password: None,
        memberships: Vec::new(),
    }
}

fn part(project: &str, role: ProjectRole) -> Membership {
    Membership {
        project: project.into(),
        role,
    }
}

fn disabled(is: bool) -> UserChange {
    UserChange {
        disabled: Some(is),
        ..UserChange::default()
    }
}

/// Makes projects, of which `people` reads only whether they are there.
async fn projects(users: &Users, ids: &'static [&'static str], archived: Option<i64>) {
    let add = move |tx: &mut Transaction<'_>| {
        for id in ids {
            let sql =
                "INSERT INTO project (id, name, created_at, archived_at) VALUES ($1, $1, 0, $2)";
            tx.execute(sql, &[(*id).into(), archived.into()])?;
        }
        Ok::<_, Error>(())
    };
    users.write(add).await.unwrap();
}

#[tokio::test]
async fn a_user_is_found_by_id_and_by_email_until_they_are_taken_out() {
    let place = fixture!();
    let users = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    let ana = users
        .create(by(), new_user("Ana@Example.com"))
        .await
        .unwrap();
    assert_eq!(ana.email, "ana@example.com");
    assert_eq!(users.find(ana.id).await.unwrap(), ana);
    assert_eq!(users.find_email("ANA@example.com").await.unwrap(), ana);
    let again = users.create(by(), new_user("ana@EXAMPLE.com")).await;
    assert!(matches!(again, Err(Error::EmailTaken)));

    assert_eq!(users.delete(by(), ana.id).await.unwrap(), ana);
    assert!(matches!(
        users.find(ana.id).await,
        Err(Error::NoSuchUser(_))
    ));
    assert!(matches!(
        users.delete(by(), ana.id).await,
        Err(Error::NoSuchUser(_))
    ));
    assert!(users.index.user(ana.id).is_none());
    let next = users
        .create(by(), new_user("ana@example.com"))
        .await
        .unwrap();
    assert_ne!(
        next.id, ana.id,
        "the email is free again, and this is somebody else"
    );
}

#[tokio::test]
async fn nonsense_is_refused() {
    let place = fixture!();
    let users = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    let long = format!("{}@example.com", "a".repeat(250));
    for email in [
        "",
        "ana",
        "@example.com",
        "ana@",
        "a b@example.com",
        "a\n@example.com",
        &long,
    ] {
        let made = users.create(by(), new_user(email)).await;
        assert!(matches!(made, Err(Error::Email)), "{email}");
    }
    for name in ["", "a\nb", &"a".repeat(129)] {
        let name = name.to_owned();
        let made = users
            .create(
                by(),
                NewUser {
                    name,
                    ..new_user("a@b")
                },
            )
            .await;
        assert!(matches!(made, Err(Error::Name)));
    }
    for project in ["", "a\0b", &"p".repeat(65)] {
        let memberships = vec![part(project, ProjectRole::Member)];
        let made = users
            .create(
                by(),
                NewUser {
                    memberships,
                    ..new_user("a@b")
                },
            )
            .await;
        assert!(matches!(made, Err(Error::Project)));
    }
    for odd in [
        "' OR 1=1 --@x",
        "\"; DROP TABLE person; --@x",
        "%@_",
        "ana@example.com' --",
    ] {
        let odd = odd.replace(' ', "+");
        let made = users.create(by(), new_user(&odd)).await.unwrap();
        assert_eq!(users.find_email(&odd).await.unwrap().id, made.id);
    }
    let all = users.list(None, Vec::new(), 100).await.unwrap().items;
    assert_eq!(all.len(), 4);
    let one = users
        .list(None, vec![all[1].email.clone(), "' OR 1=1".to_owned()], 100)
        .await;
    assert_eq!(one.unwrap().items, [all[1].clone()]);
    let next = users.list(Some(all[1].id), Vec::new(), 1).await.unwrap();
    assert_eq!((&*next.items, next.has_more), (&all[2..3], true));
}

#[tokio::test]
async fn memberships_are_in_memory_as_they_are_in_the_store() {
    let place = fixture!();
    let users = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    let other = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    projects(&users, &["a", "b"], None).await;
    let memberships = vec![
        part("b", ProjectRole::Owner),
        part("a", ProjectRole::Member),
        part("a", ProjectRole::Owner),
    ];
    let ana = users
        .create(
            by(),
            NewUser {
                memberships,
                ..new_user("ana@x")
            },
        )
        .await
        .unwrap();
    let bob = users.create(by(), new_user("bob@x")).await.unwrap();
    users
        .join(by(), bob.id, part("b", ProjectRole::Member))
        .await
        .unwrap();
    let again = users
        .join(by(), bob.id, part("b", ProjectRole::Owner))
        .await;
    assert!(matches!(again, Err(Error::MemberAlready(_))));
    let nobody = users
        .join(by(), UserId::new().unwrap(), part("b", ProjectRole::Owner))
        .await;
    assert!(matches!(nobody, Err(Error::NoSuchUser(_))));

    let members = users.members("b".to_owned(), None, 10).await;
    let members = members.unwrap().items;
    assert_eq!(members.len(), 2);
    let rest = users
        .members("b".to_owned(), Some(members[0].user.id), 10)
        .await
        .unwrap();
    assert_eq!(rest.items, members[1..]);

    users
        .set_project_role(by(), bob.id, "b".to_owned(), ProjectRole::Owner)
        .await
        .unwrap();
    users.leave(by(), ana.id, "a".to_owned()).await.unwrap();
    let gone = users.leave(by(), ana.id, "a".to_owned()).await;
    assert!(matches!(gone, Err(Error::NoMember(_))));
    other.catch_up().await.unwrap();
    let session = SessionId::new().unwrap();
    for seen in [&users, &other] {
        let known = |user| {
            let project = None;
            let own = Own {
                user,
                session,
                project,
            };
            seen.index.user(user).unwrap().user(&own)
        };
        assert_eq!(known(ana.id).memberships, [part("b", ProjectRole::Owner)]);
        assert_eq!(known(bob.id).memberships, [part("b", ProjectRole::Owner)]);
    }
    users.update(by(), ana.id, disabled(true)).await.unwrap();
    other.catch_up().await.unwrap();
    assert!(users.index.user(ana.id).is_none() && other.index.user(ana.id).is_none());
    users.update(by(), ana.id, disabled(false)).await.unwrap();
    assert!(users.index.user(ana.id).is_some());
}

#[tokio::test]
async fn a_tier_is_in_memory_as_it_is_in_the_store() {
    let place = fixture!();
    let db = Db::open(place.place()).unwrap();
    let users = Users::open(db.clone()).await.unwrap();
    let other = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    let ana = users.create(by(), new_user("ana@x")).await.unwrap();
    let bob = users.create(by(), new_user("bob@x")).await.unwrap();
    let set = async |id, tier: Option<&str>| {
        let change = UserChange {
            tier: Some(tier.map(Box::from)),
            ..UserChange::default()
        };
        users.update(by(), id, change).await
    };
    let told = async |id: UserId, expected: Option<&str>| {
        other.catch_up().await.unwrap();
        let id = id.to_string();
        let expected = expected.map(Terms::of_tier);
        let found = [
            users.terms(&id),
            other.terms(&id),
            terms_of(&db, &id).await.unwrap(),
        ];
        for found in found {
            assert_eq!(found.as_deref(), expected.as_ref());
        }
    };
    told(ana.id, None).await;
    let changed = set(ana.id, Some("pro")).await.unwrap();
    assert_eq!(changed.tier.as_deref(), Some("pro"));
    assert_eq!(users.find(ana.id).await.unwrap(), changed);
    set(bob.id, Some("free")).await.unwrap();
    told(ana.id, Some("pro")).await;
    told(bob.id, Some("free")).await;
    // What is none stays as it is; the keys of one who is locked out may work for a moment longer.
    let locked = users.update(by(), ana.id, disabled(true)).await.unwrap();
    assert_eq!(locked.tier, changed.tier);
    told(ana.id, Some("pro")).await;
    users.delete(by(), bob.id).await.unwrap();
    let at = place.place().clone();
    let carried = tokio::task::spawn_blocking(move || tiers(&mut connect_to_read(&at).unwrap()));
    assert_eq!(carried.await.unwrap().unwrap(), [("pro".into(), 1)].into());
    assert_eq!(set(ana.id, None).await.unwrap().tier, None);
    told(ana.id, None).await;
    for nonsense in ["", "a\nb", &"t".repeat(129)] {
        let refused = set(ana.id, Some(nonsense)).await;
        assert!(matches!(refused, Err(Error::Tier)), "{nonsense}");
    }
    for nobody in ["", "ana", "svc_acct_1", "user-0123456789abcdef"] {
        assert!(users.terms(nobody).is_none());
        assert!(terms_of(&db, nobody).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn nobody_has_a_part_in_a_project_that_is_not_there_or_archived() {
    let place = fixture!();
    let users = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    projects(&users, &["over"], Some(1)).await;
    let ana = users.create(by(), new_user("ana@x")).await.unwrap();
    for project in ["over", "nowhere"] {
        let is_right = |error: &Error| match project {
            "over" => matches!(error, Error::Archived(_)),
            _ => matches!(error, Error::NoSuchProject(_)),
        };
        let one = part(project, ProjectRole::Member);
        let joined = users.join(by(), ana.id, one.clone()).await;
        assert!(joined.is_err_and(|error| is_right(&error)), "{project}");
        let new = NewUser {
            memberships: vec![one.clone()],
            ..new_user("bob@x")
        };
        let made = users.create(by(), new).await;
        assert!(made.is_err_and(|error| is_right(&error)), "{project}");
        let new = NewInvite {
            email: "cyd@x".to_owned(),
            role: Role::Reader,
            memberships: vec![one],
        };
        let asked = users.invite(by(), new).await;
        assert!(asked.is_err_and(|error| is_right(&error)), "{project}");
    }
    assert_eq!(
        users.list(None, Vec::new(), 9).await.unwrap().items.len(),
        1
    );
}

#[tokio::test]
async fn a_sign_in_that_ended_is_known_everywhere_and_old_ones_are_forgotten() {
    let place = fixture!();
    let users = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    let other = Users::open(Db::open(place.place()).unwrap()).await.unwrap();
    let ana = users.create(by(), new_user("ana@x")).await.unwrap();
    let now = Millis::of(SystemTime::now());
    let begin = async |hash: u8, expires: Millis| {
        let id = SessionId::new().unwrap();
        let work = move |tx: &mut Transaction<'_>| {
            session::insert(tx, id, ana.id, Some("a"), (now, expires))?;
            session::add_token(tx, id, [hash; 32])?;
            Ok::<_, Error>(id)
        };
        users.write(work).await.unwrap()
    };
    let later = now.plus(Duration::from_secs(60));
    let (over, ended, live) = (
        begin(1, now).await,
        begin(2, later).await,
        begin(3, later).await,
    );
    users
        .set_password(by(), ana.id, PasswordHash::stored("$".to_owned()))
        .await
        .unwrap();
    let fresh = begin(4, later).await;
    other.catch_up().await.unwrap();
    for seen in [&users, &other] {
        for (id, has_ended) in [(over, true), (ended, true), (live, true), (fresh, false)] {
            assert_eq!(seen.index.has_ended(id), has_ended, "{id}");
        }
    }
    let find = async |hash: u8| {
        let look = move |tx: &mut Transaction<'_>| session::find(tx, [hash; 32], now);
        users.db.transact(Mode::Read, look).await.unwrap()
    };
    assert!(find(1).await.is_some_and(|found| !found.is_live));
    assert!(
        find(4)
            .await
            .is_some_and(|found| found.is_live && !found.is_used)
    );
    let forget =
        move |tx: &mut Transaction<'_>| session::forget(tx, now.plus(Duration::from_secs(1)));
    users.db.transact(Mode::Alone, forget).await.unwrap();
    assert!(find(1).await.is_none() && find(2).await.is_some());
}

#[test]
fn a_password_is_proven_by_its_hash_alone() {
    let hash = |text: &str| PasswordHash::of(&Secret::new(text));
    let one = hash("correct horse battery").unwrap();
    let two = hash("correct horse battery").unwrap();
    assert!(
        one.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{}",
        one.expose()
    );
    assert_ne!(one, two, "salted");
    assert_eq!(format!("{one:?}"), "PasswordHash(..)");
    for bad in ["", "eleven char", "twelve\tand more", &"x".repeat(257)] {
        assert!(matches!(hash(bad), Err(Error::Password)), "{bad}");
    }
    assert!(hash("pässwörter ☃").is_ok(), "characters, not bytes");
}
