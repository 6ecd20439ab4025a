//! A first-in, first-out queue from which any element can be removed without a search: each element
//! gets a ticket when it is appended.

use watersmeet_wire::units::Map;

/// Position of an element in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// A queue whose elements are removed from the front or by ticket.
#[derive(Debug)]
pub struct TicketQueue<T> {
    /// Elements by ticket, oldest first.
    elements: Map<Ticket, T>,
    /// Ticket of the next element.
    next: Ticket,
}

impl<T> Default for TicketQueue<T> {
    fn default() -> Self {
        Self {
            elements: Map::new(),
            next: Ticket(0),
        }
    }
}

impl<T> TicketQueue<T> {
    /// Appends an element and returns its ticket.
    pub fn push_back(&mut self, element: T) -> Ticket {
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        self.elements.insert(ticket, element);
        ticket
    }

    /// Removes and returns the oldest element.
    pub fn pop_front(&mut self) -> Option<T> {
        self.elements.pop_first().map(|(_, element)| element)
    }

    /// Removes the element with this ticket, if it is still in the queue.
    pub fn remove(&mut self, ticket: Ticket) {
        self.elements.remove(&ticket);
    }

    /// Returns the oldest element.
    pub fn front(&self) -> Option<&T> {
        self.elements.first_key_value().map(|(_, element)| element)
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Returns whether the queue has no elements.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_elements_are_skipped_and_order_is_kept() {
        let mut queue = TicketQueue::default();
        let tickets: Vec<_> = (0..4).map(|element| queue.push_back(element)).collect();
        queue.remove(tickets[1]);
        assert_eq!(queue.pop_front(), Some(0));
        queue.remove(tickets[0]);
        assert_eq!((queue.pop_front(), queue.pop_front()), (Some(2), Some(3)));
        assert!(queue.is_empty() && queue.pop_front().is_none());
    }
}
