//! What clients want: which orders, of whom, when, and what they ask of them.

use super::*;

impl World {
    pub(super) fn plan(&mut self, orders: u64) {
        for _ in 0..orders {
            self.plan_order();
        }
        for node in 0..self.nodes.len() {
            let at_ms = self.chance.below(TICK_MS);
            self.at(at_ms, What::Tick(node));
            self.at(20_000, What::Collect(node));
            if self.weather.jump_every_ms < ROUGH_MS {
                let at_ms = self.chance.below(self.weather.jump_every_ms);
                self.at(at_ms, What::Jump(node));
            }
        }
        self.at(1, What::Cheat);
        self.at(ROUGH_MS, What::Calm);
    }

    /// One order, and all that its clients will ask of it.
    pub(super) fn plan_order(&mut self) {
        let chance = &mut self.chance;
        // Most of them of honest parties on three nodes; some all on one node, some with a cheat in some role.
        let principal = chance.pick(&["alice", "alice", "alice", "alice", "sol", "bob", "mallory"]);
        let fiduciary = match principal {
            "sol" => chance.pick(&["sol", "sol", "bob"]),
            "bob" => chance.pick(&["bob", "bob", "sol"]),
            _ => chance.pick(&["bob", "bob", "bob", "bob", "bob", "sol", "mallory"]),
        };
        let whom = ["carol", "carol", "carol", "carol", "ann", "ben", "sue", "moll", "alice", "bob"];
        let beneficiary = person(chance.pick(&whom));
        let early = chance.one_in(2).then_some(beneficiary);
        let begins_ms = chance.below(ROUGH_MS * 3 / 4);
        let wall_ms = EPOCH_MS + begins_ms;
        let not_before_ms = if chance.one_in(4) { wall_ms + chance.below(60_000) } else { 0 };
        let expires_at_ms = if chance.one_in(3) { wall_ms + 1 + chance.below(120_000) } else { 0 };
        let retention_ms = if chance.one_in(3) { 1 + chance.below(60_000) } else { 0 };
        let terms = Terms { not_before_ms, expires_at_ms, retention_ms };
        let reference = format!("order-{:016x}", chance.number());
        let parties =
            Parties { principal: person(principal), fiduciary: person(fiduciary), beneficiary: early };
        let node = self.cast.home(&parties.principal).expect("everybody lives somewhere");
        let order = dta_events::ids::order_aggregate(&parties.principal, &reference);
        let act = |at_ms: u64, node: usize, act: Act, world: &mut Self| {
            world.at(at_ms, What::Client { node, order, act });
        };
        act(begins_ms, node, Act::Place { reference, parties, terms }, self);
        let redeems = self.chance.below(4);
        for _ in 0..redeems {
            let at_ms = begins_ms + self.chance.below(90_000);
            let whom = if self.chance.one_in(12) { person(self.chance.pick(&whom)) } else { beneficiary };
            act(at_ms, node, Act::Redeem(whom), self);
        }
        if self.chance.one_in(4) {
            // Some before the fiduciary can have answered.
            let soon_ms = self.chance.pick(&[500, 60_000]);
            act(begins_ms + self.chance.below(soon_ms), node, Act::Cancel, self);
        }
        if self.chance.one_in(8) {
            let home = self.cast.home(&beneficiary).expect("everybody lives somewhere");
            act(begins_ms + self.chance.below(90_000), home, Act::Dispute, self);
        }
        if self.chance.one_in(4) {
            act(begins_ms + self.chance.below(ROUGH_MS), node, Act::Retry, self);
        }
    }

    pub(super) fn client(&mut self, node: usize, order: Aggregate, act: &Act) -> Result<(), Failure> {
        let before = self.nodes[node].order(order).clone();
        if before.placed().is_none() && !matches!(act, Act::Place { .. }) {
            return Ok(());
        }
        let command = match act {
            Act::Place { reference, parties, terms } => Command::Place {
                reference: reference.clone(),
                parties: parties.clone(),
                plugin: "milagro".to_owned(),
                coin: 0,
                terms: terms.clone(),
            },
            // Its beneficiary's node fetches; asking is the principal's.
            Act::Redeem(_) if !before.hosts(Party::Principal) => return Ok(()),
            Act::Redeem(beneficiary) => Command::RequestRedemption { beneficiary: *beneficiary },
            Act::Cancel => Command::RequestCancellation { detail: "changed my mind".to_owned() },
            Act::Dispute => {
                let held = before.secret.is_some_and(|secret| !secret.ended);
                let waits = held && before.stage == Stage::Released && before.hosts(Party::Beneficiary);
                let look = |node: &mut Node| node.ask(order, |here, order| here.verdict(order));
                match waits.then(|| look(&mut self.nodes[node])) {
                    // There is nothing to dispute.
                    Some(Verdict::Genuine) => return Ok(()),
                    Some(verdict) => Command::Acknowledge(verdict),
                    None => Command::Acknowledge(Verdict::Disputed(DisputeCode::CannotOpen)),
                }
            }
            Act::Retry => Command::Resume,
        };
        let done = self.then(node, order, |node| {
            node.run(order, "local", &command, None, None).and_then(|()| node.follow(order))
        })?;
        self.tell(Some(order), || format!("a client of node {node} asks {}: {done:?}", command.name()));
        if let Err(Stop::Rejected(rejection)) = &done {
            self.count(&format!("client refused: {}", rejection.code()));
        }
        if let (Err(Stop::Crashed), Act::Place { .. }) = (&done, act) {
            // It asks again; the same key of the request would give the same order.
            self.after(31_000, What::Client { node, order, act: act.clone() });
        }
        self.bring(node, order, true)
    }
}
