//! Which messages of the session are in our hands, so that one that comes again after a lost connection is not handled twice,
//! and none is acknowledged that this connection knows nothing of.
use rumqttc::{Publish, QoS};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Handle,
    /// It is being handled already.
    InHand,
    /// It was handled; the acknowledgement never arrived.
    Done,
}

/// Messages by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    connection: u64,
    /// With the connection that each came by last.
    open: BTreeMap<u16, u64>,
    /// Handled after the connection that they came by was lost.
    done: BTreeSet<u16>,
}

impl Ledger {
    /// Another connection begins, with the session as it was or with a new one.
    pub(crate) fn connected(&mut self, is_same_session: bool) {
        self.connection += 1;
        if !is_same_session {
            self.open.clear();
            self.done.clear();
        }
    }

    pub(crate) fn arrived(&mut self, message: &Publish) -> Arrival {
        if message.qos == QoS::AtMostOnce {
            return Arrival::Handle;
        }
        let was_done = self.done.remove(&message.pkid) && message.dup;
        let was_open = self.open.insert(message.pkid, self.connection).is_some() && message.dup;
        match (was_done, was_open) {
            (true, _) => Arrival::Done,
            (_, true) => Arrival::InHand,
            _ => Arrival::Handle,
        }
    }

    /// Notes that a message was handled. Returns whether it is to be acknowledged by this connection.
    pub(crate) fn handled(&mut self, message: &Publish) -> bool {
        if message.qos == QoS::AtMostOnce {
            return false;
        }
        match self.open.remove(&message.pkid) {
            Some(connection) if connection == self.connection => true,
            Some(_) => {
                self.done.insert(message.pkid);
                false
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(pkid: u16, dup: bool) -> Publish {
        Publish { pkid, dup, ..Publish::new("topic", QoS::AtLeastOnce, "data") }
    }

    #[test]
    fn what_comes_again() {
        let mut ledger = Ledger::default();
        ledger.connected(false);
        assert_eq!(ledger.arrived(&message(1, false)), Arrival::Handle);
        assert!(ledger.handled(&message(1, false)));
        assert_eq!([1, 2, 3].map(|number| ledger.arrived(&message(number, false))), [Arrival::Handle; 3]);
        ledger.connected(true);
        assert!(!ledger.handled(&message(1, false)), "this connection does not know it yet");
        assert_eq!(ledger.arrived(&message(1, true)), Arrival::Done);
        assert!(ledger.handled(&message(1, true)));
        assert_eq!(ledger.arrived(&message(2, true)), Arrival::InHand);
        assert!(ledger.handled(&message(2, false)), "it came again");
        ledger.connected(false);
        assert!(!ledger.handled(&message(3, false)), "the session is another one");
        assert_eq!(ledger.arrived(&message(3, false)), Arrival::Handle);
    }
}
