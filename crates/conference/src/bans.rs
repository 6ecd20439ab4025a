//! Participants that may not come back while their meeting lasts. A ban holds as long as its room.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::connect_request::ClientKey;
use crate::seats::Identity;

/// Upper bound of bans in a room. The oldest ends for a new one.
const BANS_MAX: usize = 1_000;

/// Marks by which a banned participant is recognised.
#[derive(Debug, Clone, Default)]
pub(crate) struct BanMarks {
    /// Secret of its client, and the user in its token.
    pub identity: Identity,
    /// User id or peer id that it claims.
    pub claimed: Option<Arc<str>>,
    /// Network address of its client, unless others share it.
    pub client: Option<ClientKey>,
}

/// Bans of a room, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    /// Marks of each banned participant.
    bans: VecDeque<BanMarks>,
}

impl Bans {
    /// Bans a participant.
    pub(crate) fn add(&mut self, marks: BanMarks) {
        if self.bans.len() >= BANS_MAX {
            self.bans.pop_front();
        }
        self.bans.push_back(marks);
    }

    /// Returns whether somebody with these marks is banned. Whoever proves another identity is not
    /// banned by what it claims or where it comes from.
    pub(crate) fn include(&self, marks: &BanMarks, has_proof: bool) -> bool {
        self.bans.iter().any(|ban| {
            let is_claimed = marks.claimed.is_some() && ban.claimed == marks.claimed;
            let is_near = marks.client.is_some() && ban.client == marks.client;
            ban.identity.matches(&marks.identity) || (!has_proof && (is_claimed || is_near))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seats::ResumeKey;

    fn user(id: &str) -> Identity {
        Identity {
            resume: None,
            user: Some(id.into()),
        }
    }

    #[test]
    fn a_ban_hits_its_marks_and_no_others() {
        let mut bans = Bans::default();
        bans.add(BanMarks {
            identity: Identity {
                resume: Some(ResumeKey::new("secret")),
                user: Some("ben".into()),
            },
            claimed: Some("benny".into()),
            client: Some(ClientKey(7)),
        });
        let marks = |identity: Identity, claimed: Option<&str>, client| BanMarks {
            identity,
            claimed: claimed.map(Arc::from),
            client,
        };
        let again = Identity {
            resume: Some(ResumeKey::new("secret")),
            user: None,
        };
        for (marks, has_proof, is_banned) in [
            (marks(again, None, None), false, true),
            (marks(user("ben"), None, None), true, true),
            (marks(Identity::default(), Some("benny"), None), false, true),
            (
                marks(Identity::default(), None, Some(ClientKey(7))),
                false,
                true,
            ),
            (
                marks(user("ana"), Some("benny"), Some(ClientKey(7))),
                true,
                false,
            ),
            (
                marks(Identity::default(), Some("ana"), Some(ClientKey(8))),
                false,
                false,
            ),
            (BanMarks::default(), false, false),
        ] {
            assert_eq!(bans.include(&marks, has_proof), is_banned, "{marks:?}");
        }
    }

    #[test]
    fn the_oldest_ban_ends_when_there_are_too_many() {
        let mut bans = Bans::default();
        for n in 0..=BANS_MAX {
            bans.add(BanMarks {
                identity: user(&n.to_string()),
                ..BanMarks::default()
            });
        }
        let marks = |id: &str| BanMarks {
            identity: user(id),
            ..BanMarks::default()
        };
        assert!(!bans.include(&marks("0"), true));
        assert!(bans.include(&marks("1"), true));
    }
}
