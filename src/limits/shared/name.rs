//! What a node is called.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

const FILE: &str = "limits.nodes";
/// More starts than this without ever reaching the server, and the oldest is left to be taken for dead.
const FORMER_MAX: usize = 16;

/// A name for this start of a node, and those of starts before it that nobody has said the end of.
///
/// No start takes over what another one holds. But it knows, once the ledger has what was in the air, that nothing
/// more will come of them.
pub(super) struct Names {
    path: PathBuf,
    pub(super) own: String,
    former: Vec<String>,
}

impl Names {
    /// Makes a name, and keeps it in the data directory for the next start.
    pub(super) fn open(data_dir: &Path) -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = data_dir.join(FILE);
        let kept = match fs::read_to_string(&path) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut former: Vec<_> = kept.lines().filter(|name| is_name(name)).collect();
        former.drain(..former.len().saturating_sub(FORMER_MAX));
        let names = Self {
            path,
            own: format!("n{:016x}", u64::from_ne_bytes(random)),
            former: former.into_iter().map(str::to_owned).collect(),
        };
        names.keep()?;
        Ok(names)
    }

    /// One whose end nobody knows of yet.
    pub(super) fn former(&self) -> Option<&str> {
        self.former.last().map(String::as_str)
    }

    /// The end of [`Names::former`] is known.
    pub(super) fn forget_former(&mut self) -> io::Result<()> {
        self.former.pop();
        self.keep()
    }

    fn keep(&self) -> io::Result<()> {
        let names: Vec<_> = self.former.iter().chain([&self.own]).cloned().collect();
        fs::write(&self.path, names.join("\n"))
    }
}

fn is_name(text: &str) -> bool {
    let digits = text.strip_prefix('n').unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{FILE, Names};

    #[test]
    fn a_start_knows_those_before_it_until_their_end_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let first = Names::open(dir.path()).unwrap();
        assert_eq!(first.former(), None);
        let second = Names::open(dir.path()).unwrap();
        assert_eq!(second.former(), Some(&*first.own));
        let mut third = Names::open(dir.path()).unwrap();
        assert_eq!(third.former(), Some(&*second.own));
        third.forget_former().unwrap();
        assert_eq!(third.former(), Some(&*first.own));
        third.forget_former().unwrap();
        let fourth = Names::open(dir.path()).unwrap();
        assert_eq!(fourth.former(), Some(&*third.own));
        std::fs::write(dir.path().join(FILE), "something else").unwrap();
        assert_eq!(Names::open(dir.path()).unwrap().former(), None);
    }
}
