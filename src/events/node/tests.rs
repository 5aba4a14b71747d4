//! Record 0 is frozen, too.

use crate::node::*;
use crate::stored::golden::{check, cid, link, number};

#[test]
fn the_first_event_of_a_log_is_frozen() {
    let event = Initialised { home: [0x40; 16], epoch: 258, identity: cid(0xa1) };
    let golden = [hex::encode([0x40; 16]), number(258), link(0xa1)];
    check(&event, event.to_stored().unwrap(), "node/initialised", &golden, Initialised::from_stored);
}
