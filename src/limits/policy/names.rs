//! Whom the config limits by what they are called, for whoever looks for all of them.

use super::Policy;

impl Policy {
    /// Whether there are limits for users under any name.
    pub fn names_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// The users who have limits under a name of their own, each once and in their order.
    pub fn users_by_name(&self) -> impl Iterator<Item = &str> {
        self.users.names().filter(|name| !name.contains('*'))
    }

    /// Whether there are limits for keys under any name, whatever was agreed for them.
    pub fn names_keys(&self) -> bool {
        !self.keys.is_empty()
    }
}
