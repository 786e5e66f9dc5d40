//! Who a token on a request stands for, and for which project they call.

use super::{
    Issuer, People, Trust,
    index::Known,
    issuer::Found,
    outside::Outsider,
    verified::{self, Own, Said},
};
use crate::{
    auth,
    domain::{Caller, ModelRule, Owner, User},
    jwt::{self, Expected, Refused},
};
use http::{HeaderMap, HeaderName};
use std::{sync::Arc, time::SystemTime};

static PROJECT: HeaderName = HeaderName::from_static("openai-project");

/// Why a credential stands for nobody. All but the last look alike to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// It does not even look like a token.
    NoToken,
    /// It is no good token; why, for metrics.
    Refused(&'static str),
    /// Nobody can say yet: its issuer's keys are not here.
    Unsure,
}

impl Unproven {
    /// The label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "malformed",
            Self::Refused(why) => why,
            Self::Unsure => "issuer_unavailable",
        }
    }
}

/// Which project a call is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Project {
    /// The user has several, or none, and named none.
    Needed,
    /// There is none of this id, or the user has no part in it.
    Unknown(String),
}

impl From<Refused> for Unproven {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.as_str())
    }
}

/// Somebody who is signed in.
enum Holder {
    Own(Arc<Own>, Arc<Known>),
    Outside(Arc<Outsider>),
}

impl People {
    /// The user that a request's token stands for, with no more rights than the token was asked for.
    pub fn user(&self, headers: &HeaderMap, now: SystemTime) -> Result<Arc<User>, Unproven> {
        Ok(match self.holder(headers, now)? {
            Holder::Own(own, known) => Arc::new(known.user(&own)),
            Holder::Outside(outsider) => Arc::clone(&outsider.user),
        })
    }

    /// The caller that a request's token stands for, in the project that the token or the headers name.
    ///
    /// `is_there` says whether a project is there: outside issuers may claim what they like.
    pub fn caller(
        &self,
        headers: &HeaderMap,
        now: SystemTime,
        is_there: impl Fn(&str) -> bool,
    ) -> Result<Result<Caller, Project>, Unproven> {
        let holder = self.holder(headers, now)?;
        let (meter, terms) = match &holder {
            Holder::Own(own, _) => (own.user.meter(), None),
            Holder::Outside(outsider) => (outsider.meter, outsider.terms.clone()),
        };
        let owner = holder.owner(headers).and_then(|owner| match &holder {
            Holder::Outside(_) => there(owner, is_there),
            // Users of Weir's own have parts in projects that are there.
            Holder::Own(..) => Ok(owner),
        });
        Ok(owner.map(|owner| Caller {
            key: meter,
            models: ModelRule::All,
            on_hangup: None,
            owner: Some(owner),
            terms,
        }))
    }

    fn holder(&self, headers: &HeaderMap, now: SystemTime) -> Result<Holder, Unproven> {
        let credential = auth::credential(headers).map_err(|_| Unproven::NoToken)?;
        if !jwt::has_form(credential) {
            return Err(Unproven::NoToken);
        }
        let trust = self.trust.load();
        let hash = verified::hash(credential);
        let said = match trust.verified.get(&hash, now) {
            Some(said) if trust.still_holds(&said) => said,
            _ => {
                let (said, ends) = trust.verify(credential, now)?;
                trust.verified.put(hash, said.clone(), ends, now);
                said
            }
        };
        match said {
            Said::Outside(outsider) => Ok(Holder::Outside(outsider)),
            Said::Own(own) => {
                // At every request: who is locked out or signed out is out at once.
                if self.users.index.has_ended(own.session) {
                    return Err(Unproven::Refused("session_ended"));
                }
                let known = self.users.index.user(own.user);
                let known = known.ok_or(Unproven::Refused("user_gone"))?;
                Ok(Holder::Own(own, known))
            }
        }
    }
}

impl Trust {
    fn verify(&self, credential: &[u8], now: SystemTime) -> Result<(Said, SystemTime), Unproven> {
        let (token, look) = jwt::look(credential).ok_or(Unproven::NoToken)?;
        // Weir's own first: an issuer outside can never speak in its name.
        if self.keyring.is_meant(&look) {
            let meant = self.keyring.verify(token, &look, now)?;
            let own = Own {
                user: meant.user,
                session: meant.session,
                project: meant.project.map(String::into_boxed_str),
            };
            return Ok((Said::Own(Arc::new(own)), meant.ends));
        }
        let named = |issuer: &&Arc<Issuer>| issuer.config.issuer == look.issuer;
        let issuer = self.issuers.iter().find(named).ok_or(Refused::Issuer)?;
        if !issuer.config.algorithms.contains(&look.algorithm) {
            return Err(Refused::Algorithm.into());
        }
        let key = match issuer.find(&look) {
            Found::Key(key) => key,
            Found::None => return Err(Unproven::Refused("token_key")),
            Found::Unsure => return Err(Unproven::Unsure),
        };
        let expected = Expected {
            issuer: issuer.config.issuer.clone(),
            audiences: issuer.config.audiences.clone(),
            skew: self.config.clock_skew,
        };
        let claims: serde_json::Value = key.verify(token, &expected, now)?;
        let outsider = Outsider::read(&issuer.config, &claims, key).ok_or(Refused::Malformed)?;
        let ends = outsider.ends;
        Ok((Said::Outside(Arc::new(outsider)), ends))
    }

    /// Whether what was verified would still be.
    fn still_holds(&self, said: &Said) -> bool {
        match said {
            // Its keys change with the configuration only, and then all this is made anew.
            Said::Own(_) => true,
            Said::Outside(outsider) => {
                let issuer = self
                    .issuers
                    .iter()
                    .find(|one| one.config.name == outsider.issuer);
                issuer.is_some_and(|issuer| issuer.has(&outsider.key))
            }
        }
    }
}

impl Holder {
    /// For whom a call is written down: in the project that the token names, else the headers, else the only one.
    fn owner(&self, headers: &HeaderMap) -> Result<Arc<Owner>, Project> {
        let mut named = headers.get_all(&PROJECT).iter();
        let named = match (named.next(), named.next()) {
            (None, _) => None,
            (Some(id), None) => Some(String::from_utf8_lossy(id.as_bytes()).into_owned()),
            (Some(_), Some(_)) => return Err(Project::Needed),
        };
        let own = match self {
            Self::Own(own, _) => own.project.as_deref(),
            Self::Outside(_) => None,
        };
        // A token that was made for one project is for no other one.
        if let (Some(own), Some(named)) = (own, &named)
            && own != named
        {
            return Err(Project::Unknown(named.clone()));
        }
        match named.or_else(|| own.map(str::to_owned)) {
            Some(id) => self.owner_in(&id).ok_or(Project::Unknown(id)),
            None => self.only_owner().ok_or(Project::Needed),
        }
    }

    fn owner_in(&self, project: &str) -> Option<Arc<Owner>> {
        match self {
            Self::Own(_, known) => known.owner(project).cloned(),
            Self::Outside(outsider) => {
                let is = |owner: &&Arc<Owner>| owner.project.as_deref() == Some(project);
                outsider.owners.iter().find(is).cloned()
            }
        }
    }

    fn only_owner(&self) -> Option<Arc<Owner>> {
        match self {
            Self::Own(_, known) => known.only_owner().cloned(),
            Self::Outside(outsider) => match outsider.owners.as_slice() {
                [only] => Some(Arc::clone(only)),
                _ => None,
            },
        }
    }
}

/// An owner whose project is there.
fn there(owner: Arc<Owner>, is_there: impl Fn(&str) -> bool) -> Result<Arc<Owner>, Project> {
    match owner.project.as_deref() {
        Some(project) if !is_there(project) => Err(Project::Unknown(project.to_owned())),
        _ => Ok(owner),
    }
}
