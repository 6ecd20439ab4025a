//! People who have been in a room. A person who comes back, by the secret of the client or by the
//! user in the token, is the same one: the hand stays raised, and nobody votes twice.

use std::collections::VecDeque;

use crate::seats::Identity;

/// Upper bound of people whom a room recognises. The one who came first is forgotten for a new one.
const PEOPLE_MAX: usize = 4_096;

/// Number of a person in a room, never reused.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PersonId(u64);

/// People whom a room recognises, first come first.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// Proofs of each person.
    known: VecDeque<(PersonId, Identity)>,
    /// Number of the next person.
    next: u64,
}

impl People {
    /// Returns the person with these proofs. Without proofs it is a new one.
    pub(crate) fn recognise(&mut self, identity: &Identity) -> PersonId {
        let known = self.known.iter().find(|(_, it)| it.matches(identity));
        if let Some((person, _)) = known {
            return *person;
        }
        let person = PersonId(self.next);
        self.next += 1;
        if !identity.is_empty() {
            if self.known.len() >= PEOPLE_MAX {
                self.known.pop_front();
            }
            self.known.push_back((person, identity.clone()));
        }
        person
    }

    /// Returns the proofs of a person.
    pub(crate) fn identity_of(&self, person: PersonId) -> Option<&Identity> {
        let known = self.known.iter().find(|(it, _)| *it == person);
        known.map(|(_, identity)| identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_recognised_and_one_without_proofs_is_always_new() {
        let mut people = People::default();
        let ana = people.recognise(&Identity::of_client("ana"));
        let nobody = people.recognise(&Identity::default());
        assert_ne!(people.recognise(&Identity::default()), nobody);
        assert_ne!(people.recognise(&Identity::of_client("ben")), ana);
        assert_eq!(people.recognise(&Identity::of_client("ana")), ana);
    }

    #[test]
    fn the_first_person_is_forgotten_when_there_are_too_many() {
        let mut people = People::default();
        let first = people.recognise(&Identity::of_client("first"));
        for n in 0..PEOPLE_MAX {
            people.recognise(&Identity::of_client(&n.to_string()));
        }
        assert_eq!(people.known.len(), PEOPLE_MAX);
        assert_ne!(people.recognise(&Identity::of_client("first")), first);
    }
}
