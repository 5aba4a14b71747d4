//! What goes between nodes: calls and their answers, what is fetched, and what a cheat makes of it.

use super::*;

impl World {
    /// Brings what an order has to the next party: one call at a time.
    pub(super) fn bring(&mut self, node: usize, order: Aggregate, pressing: bool) -> Result<(), Failure> {
        loop {
            if self.busy.contains(&(node, order)) || !self.nodes[node].up {
                return Ok(());
            }
            let Some((delivery, to, mut packet)) = self.nodes[node].pack(order, None) else {
                return Ok(());
            };
            if !self.urls.contains(&(node, to)) {
                let command = delivery.ended(Outcome::Unaddressed);
                if self.then(node, order, |node| node.settle(order, &command))?.is_err() {
                    return Ok(());
                }
                continue;
            }
            if !pressing {
                self.pause(node, order);
            }
            self.made += 1;
            let id = self.made;
            if node == MALLORY && !self.calm && self.chance.one_in(2) {
                cheat(&mut self.chance, &self.cast, node, &mut packet);
            }
            self.tell(Some(order), || {
                format!("call {id}: node {node} brings {:?} to node {to}", delivery.kind)
            });
            self.leaves(node, to, &packet)?;
            self.calls.insert(id, Call { node, order, delivery });
            self.busy.insert((node, order));
            self.after(CALL_TIMEOUT_MS, What::Timeout { id });
            for in_ms in self.ways() {
                self.after(in_ms, What::Call { id, from: node, to, packet: packet.clone() });
            }
            return Ok(());
        }
    }

    /// How long each copy of a message takes; none: it is lost.
    pub(super) fn ways(&mut self) -> Vec<u64> {
        let mut ways = Vec::new();
        let copies = 1 + u64::from(self.chance.one_in(self.weather.double_one_in));
        if copies > 1 {
            self.count("messages doubled");
        }
        for _ in 0..copies {
            if self.chance.one_in(self.weather.lose_one_in) {
                self.count("messages lost");
                continue;
            }
            let late = self.chance.one_in(self.weather.late_one_in);
            if late {
                self.count("messages late");
            }
            ways.push(1 + self.chance.below(if late { 60_000 } else { 1_000 }));
        }
        ways
    }

    /// Nothing leaves an honest node before it is in its log, and no secret but to its beneficiary.
    pub(super) fn leaves(&mut self, node: usize, to: usize, packet: &Packet) -> Result<(), Failure> {
        self.count("messages");
        if self.seen.len() < 256 {
            self.seen.push(packet.clone());
        } else {
            let at = self.chance.below(256) as usize;
            self.seen[at] = packet.clone();
        }
        if node == MALLORY {
            return Ok(());
        }
        let looked = self.audit.leaves(&self.nodes[node], to, packet);
        looked.map_err(|what| Failure { order: self.nodes[node].order_of(packet), what })
    }

    pub(super) fn serve(&mut self, id: u64, from: usize, to: usize, packet: Packet) -> Result<(), Failure> {
        let Some(order) = self.nodes[to].order_of(&packet) else {
            return self.answer(id, from, Err(None));
        };
        let done = self.then(to, order, |node| node.arrive(&packet))?;
        self.tell(Some(order), || {
            let kinds = |packet: &Packet| {
                packet.steps.iter().map(|step| step.statement.facts.kind()).collect::<Vec<_>>()
            };
            let done = done.as_ref().map(kinds);
            format!("call {id}: node {to} is brought {:?} by node {from}: {done:?}", kinds(&packet))
        });
        let result = match done {
            Err(Stop::Crashed) => return Ok(()),
            Ok(answer) if answer.steps.is_empty() => Err(None),
            Ok(mut answer) => {
                if to == MALLORY && !self.calm && self.chance.one_in(2) {
                    cheat(&mut self.chance, &self.cast, to, &mut answer);
                }
                self.leaves(to, from, &answer)?;
                Ok(answer)
            }
            Err(stop) => {
                if let Stop::Rejected(rejection) = &stop {
                    self.count(&format!("refused: {}", rejection.code()));
                }
                Err(stop.final_code())
            }
        };
        self.answer(id, from, result)?;
        self.bring(to, order, true)
    }

    pub(super) fn answer(
        &mut self,
        id: u64,
        caller: usize,
        result: Result<Packet, Option<String>>,
    ) -> Result<(), Failure> {
        for in_ms in self.ways() {
            self.after(in_ms, What::Answer { id, to: caller, result: result.clone() });
        }
        Ok(())
    }

    pub(super) fn answered(
        &mut self,
        call: Call,
        result: Result<Packet, Option<String>>,
    ) -> Result<(), Failure> {
        let Call { node, order, delivery } = call;
        match result {
            Ok(packet) => {
                let taken = self.then(node, order, |node| {
                    node.take(order, &packet)?;
                    node.answered(order, &delivery)
                })?;
                self.tell(Some(order), || format!("node {node} takes the answer: {taken:?}"));
                match taken {
                    Ok(true) => self.bring(node, order, true),
                    Err(Stop::Crashed) => Ok(()),
                    Ok(false) | Err(_) => self.not_now(node, order, &delivery),
                }
            }
            Err(None) => self.not_now(node, order, &delivery),
            Err(Some(code)) => {
                self.tell(Some(order), || format!("node {node} is refused: {code}"));
                self.count(&format!("delivery refused: {code}"));
                let command = delivery.refused(code);
                self.then(node, order, |node| node.settle(order, &command))?.ok();
                self.bring(node, order, true)
            }
        }
    }

    /// It is tried again, unless that has been done for long enough.
    pub(super) fn not_now(
        &mut self,
        node: usize,
        order: Aggregate,
        delivery: &Delivery,
    ) -> Result<(), Failure> {
        if delivery.is_given_up(self.nodes[node].hands.wall_ms, GIVE_UP_AFTER_MS) {
            let command = delivery.ended(Outcome::Stalled);
            self.then(node, order, |node| node.settle(order, &command))?.ok();
        }
        self.pause(node, order);
        Ok(())
    }

    /// A node fetches what the others have for it.
    pub(super) fn collect(&mut self, node: usize) -> Result<(), Failure> {
        let acknowledged = self.fetched.remove(&node).unwrap_or_default();
        for (from, order, delivery) in acknowledged {
            // A principal that fetches on has what it fetched. A release is answered by its beneficiary.
            if delivery.to == Party::Principal && self.nodes[from].up {
                let command = delivery.ended(Outcome::Delivered);
                self.then(from, order, |node| node.settle(order, &command))?.ok();
            }
        }
        for from in (0..self.nodes.len()).filter(|from| *from != node) {
            // Mostly from those that cannot call.
            if !self.nodes[from].up || self.urls.contains(&(from, node)) && !self.chance.one_in(8) {
                continue;
            }
            for order in self.nodes[from].orders() {
                let state = self.nodes[from].order(order);
                let outstanding = state.outbox().into_iter().chain(state.stalled().map(|(it, _)| it));
                let parties: Vec<Party> = outstanding.map(|delivery| delivery.to).collect();
                for party in parties {
                    let Some((delivery, home, packet)) = self.nodes[from].pack(order, Some(party)) else {
                        continue;
                    };
                    if home != node {
                        continue;
                    }
                    self.leaves(from, node, &packet)?;
                    for in_ms in self.ways() {
                        let (delivery, packet) = (delivery.clone(), packet.clone());
                        self.after(in_ms, What::Page { to: node, from, order, delivery, packet });
                    }
                }
            }
        }
        Ok(())
    }

    /// Mallory sends somebody something that she has seen, as it was or not.
    pub(super) fn cheat(&mut self) {
        if self.seen.is_empty() {
            return;
        }
        let mut packet = self.chance.pick(&self.seen);
        cheat(&mut self.chance, &self.cast, MALLORY, &mut packet);
        let to = self.chance.below(MALLORY as u64) as usize;
        if self.chance.one_in(3) {
            packet.to = self.cast.node(to);
        }
        if self.chance.one_in(3) {
            packet.introduces = vec![person("mallory"), person("moll"), person("carol"), person("nobody")];
        }
        self.count("cheats");
        for in_ms in self.ways() {
            self.after(in_ms, What::Call { id: 0, from: MALLORY, to, packet: packet.clone() });
        }
    }
}
