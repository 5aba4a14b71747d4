//! What can happen in a state, and what comes of it: each move asks the same pure functions as the actors.

use std::sync::Arc;

use dta_events::order::{Command, Order, Outcome, Parties, StepFacts};
use dta_protocol::Cid;
use dta_protocol::body::sign_commitment_proof;

use super::table::{Step, key};
use super::{About, Action, EPOCH_MS, Flaw, Kept, MINUTE_MS, Message, MessageId, Nodes, Says, State};
use crate::node::Stop;
use crate::paper::{Packet, order_key, person};
use crate::party::{Here, Judged, PLUGIN};

/// The ways to cheat with a message.
const CHEATS: usize = 6;

impl Nodes {
    pub fn now_ms(&self, state: &State) -> u64 {
        EPOCH_MS + u64::from(state.minute) * MINUTE_MS
    }

    /// Asks a node about an order that it has.
    pub fn ask<T>(&self, node: usize, now_ms: u64, salt: u64, what: impl FnOnce(&Here) -> T) -> T {
        let here = Here {
            cast: &self.cast,
            node,
            now_ms,
            clock_trusted: true,
            give_up_after_ms: u64::MAX,
            knows: &self.knows,
            trusts: &self.knows,
            envelope: &|cid| self.table.envelope(cid),
            secret: &|cid| self.table.secret(cid),
            custody: &custody,
            salt,
            credulous: self.config.flaw == Flaw::Credulous,
        };
        what(&here)
    }

    pub fn moves(&self, state: &State, actions: &mut Vec<Action>) {
        let now_ms = self.now_ms(state);
        for order in 0..self.config.orders {
            if state.orders[0][order].is_new() {
                actions.push(Action::Place { order });
            } else {
                if state.redeems > 0 {
                    actions.push(Action::Redeem { order, for_whom: Self::carol() });
                }
                if state.cancels > 0 {
                    actions.push(Action::Cancel { order });
                }
            }
            for node in 0..self.cast.len() {
                let kept = &state.orders[node][order].order;
                if kept.due(now_ms).is_some() {
                    actions.push(Action::Due { node, order });
                    if self.config.flaw == Flaw::SendsUnsynced && state.crashes > 0 {
                        actions.push(Action::SendUnsynced { node, order });
                    }
                }
                if !kept.outbox().is_empty() {
                    actions.push(Action::Send { node, order });
                }
            }
        }
        actions.extend(state.messages.iter().copied().map(Action::Arrive));
        if state.crashes > 0 {
            actions.extend((0..3).map(|node| Action::Crash { node }));
        }
        if state.cheats > 0 {
            for message in &state.messages {
                for how in 0..CHEATS {
                    let honest = (0..3).filter(|to| self.honest(*to));
                    actions.extend(honest.map(|to| Action::Cheat { message: *message, how, to }));
                }
            }
        }
        if state.minute < self.config.minutes {
            actions.push(Action::Minute);
        }
    }

    pub fn moved(&self, state: &State, action: &Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Place { order } => {
                let beneficiary = self.config.early.then(Self::carol);
                let parties = Parties { principal: person("alice"), fiduciary: person("bob"), beneficiary };
                let command = Command::Place {
                    reference: Self::reference(*order),
                    parties,
                    plugin: PLUGIN.to_owned(),
                    coin: 0,
                    terms: self.config.terms.clone(),
                };
                self.command(&mut next, 0, *order, &command)?;
            }
            Action::Redeem { order, for_whom } => {
                self.command(&mut next, 0, *order, &Command::RequestRedemption { beneficiary: *for_whom })?;
                next.redeems -= 1;
            }
            Action::Cancel { order } => {
                let command = Command::RequestCancellation { detail: "changed my mind".to_owned() };
                self.command(&mut next, 0, *order, &command)?;
                next.cancels -= 1;
            }
            Action::Due { node, order } => {
                let step = self.due(state, *node, *order)?;
                self.put(&mut next, *node, *order, step.order);
            }
            Action::Send { node, order } => {
                next.messages.insert(self.send(state, *node, *order)?).then_some(())?
            }
            Action::SendUnsynced { node, order } => {
                // The step is made and answered with, and then lost with the node's memory.
                let step = self.due(state, *node, *order)?;
                let mut reckless = state.clone();
                reckless.orders[*node][*order] = step.order;
                let here = |id: &&MessageId| {
                    let message = self.table.message(id);
                    (message.to, message.order) == (*node, *order)
                };
                let answers = state.messages.iter().filter(here).filter_map(|id| self.arrive(&reckless, id));
                next.messages.extend(answers.filter_map(|step| step.sends));
                next.salts[*node] += 1;
                next.crashes -= 1;
            }
            Action::Arrive(id) => {
                let message = self.table.message(id);
                let step = self.arrive(state, id)?;
                self.put(&mut next, message.to, message.order, step.order);
                next.messages.extend(step.sends);
            }
            Action::Crash { node } => {
                next.crashes -= 1;
                next.salts[*node] += 1;
                if self.config.flaw == Flaw::Forgets {
                    for order in 0..self.config.orders {
                        if let Some(before) = state.before[*node][order].clone() {
                            next.orders[*node][order] = before;
                        }
                    }
                }
            }
            Action::Cheat { message, how, to } => {
                next.cheats -= 1;
                next.messages.insert(self.cheat(message, *how, *to)?).then_some(())?;
            }
            Action::Minute => next.minute += 1,
        }
        Some(next)
    }

    fn put(&self, next: &mut State, node: usize, order: usize, kept: Arc<Kept>) {
        let slot = &mut next.orders[node][order];
        if *slot != kept {
            if self.config.flaw == Flaw::Forgets {
                next.before[node][order] = Some(slot.clone());
            }
            *slot = kept;
        }
    }

    /// One command on a node, by its rules.
    fn run(
        &self,
        kept: &Kept,
        node: usize,
        now_ms: u64,
        salt: u64,
        command: &Command,
        named: Option<Cid>,
        came: Option<&Packet>,
    ) -> Option<Arc<Kept>> {
        let order = &kept.order;
        let from = came.map(|packet| packet.from);
        let steps = came.map(|packet| packet.steps.as_slice()).unwrap_or_default();
        let decided = self.ask(node, now_ms, salt, |here| {
            let facts = here.gather(order, command, named, from);
            here.decide(order, command, &facts, steps)
        });
        let decided = decided.ok().filter(|decided| !decided.events.is_empty())?;
        self.table.keep(&decided.envelopes, &decided.secrets);
        Some(Kept::new(decided.events.iter().fold(order.clone(), Order::apply)))
    }

    fn command(&self, next: &mut State, node: usize, order: usize, command: &Command) -> Option<()> {
        let (now_ms, salt) = (self.now_ms(next), u64::from(next.salts[node]));
        let kept = next.orders[node][order].clone();
        let becomes = self.run(&kept, node, now_ms, salt, command, None, None)?;
        self.put(next, node, order, becomes);
        Some(())
    }

    pub fn due(&self, state: &State, node: usize, order: usize) -> Option<Step> {
        let (now_ms, salt) = (self.now_ms(state), u64::from(state.salts[node]));
        let kept = &state.orders[node][order];
        let place = [node as u8, state.minute, state.salts[node]];
        self.table.step(key(&[b"due", kept.hash(), &place]), || {
            let command = match kept.order.due(now_ms)?.command() {
                Some(command) => command,
                None => {
                    let verdict = self.ask(node, now_ms, salt, |here| here.verdict(&kept.order));
                    Command::Acknowledge(verdict)
                }
            };
            let order = self.run(kept, node, now_ms, salt, &command, None, None)?;
            Some(Step { order, sends: None })
        })
    }

    pub fn send(&self, state: &State, node: usize, order: usize) -> Option<MessageId> {
        let kept = &state.orders[node][order];
        let step = self.table.step(key(&[b"send", kept.hash(), &[node as u8, order as u8]]), || {
            let now_ms = self.now_ms(state);
            let delivery = kept.order.next_delivery(None)?;
            let to = kept.order.party(delivery.to)?;
            let home = self.cast.home(&to)?;
            let packet = self.ask(node, now_ms, 0, |here| {
                let steps = kept.order.carried(delivery.to);
                here.packet(&kept.order, &steps, to, &to, kept.order.introduced(delivery.to))
            });
            let says = Says::Call { about: About::of(&delivery), packet };
            let id = self.table.keep_message(Message { order, from: node, to: home, says });
            Some(Step { order: kept.clone(), sends: Some(id) })
        });
        step?.sends
    }

    /// What a message does where it arrives.
    pub fn arrive(&self, state: &State, id: &MessageId) -> Option<Step> {
        let message = self.table.message(id);
        let (node, order) = (message.to, message.order);
        let (now_ms, salt) = (self.now_ms(state), u64::from(state.salts[node]));
        let kept = &state.orders[node][order];
        let place = [node as u8, state.minute, state.salts[node]];
        self.table.step(key(&[b"arrive", kept.hash(), id, &place]), || match &message.says {
            Says::Call { about, packet } => {
                let (order, answer) = self.arrived(kept, node, now_ms, salt, packet);
                let says = match answer {
                    Ok(packet) => Says::Answer { about: about.clone(), packet },
                    Err(Some(code)) => Says::Refusal { about: about.clone(), code },
                    // It is called again.
                    Err(None) => return Some(Step { order, sends: None }),
                };
                let answer = Message { order: message.order, from: node, to: message.from, says };
                Some(Step { order, sends: Some(self.table.keep_message(answer)) })
            }
            Says::Answer { about, packet } => {
                let mut order = match self.judged(kept, node, now_ms, salt, packet) {
                    Ok(order) => order,
                    // What it says is not believed.
                    Err(_) => return None,
                };
                let delivery = about.delivery()?;
                if order.order.answered(&delivery) == dta_events::order::Answered::Delivered {
                    let command = delivery.ended(Outcome::Delivered);
                    order = self.run(&order, node, now_ms, salt, &command, None, None).unwrap_or(order);
                }
                Some(Step { order, sends: None })
            }
            Says::Refusal { about, code } => {
                let command = about.delivery()?.refused(code.clone());
                let order = self.run(kept, node, now_ms, salt, &command, None, None)?;
                Some(Step { order, sends: None })
            }
        })
    }

    /// Steps that come to a node, and what it answers at once: what follows of itself may come later.
    pub fn arrived(
        &self,
        kept: &Arc<Kept>,
        node: usize,
        now_ms: u64,
        salt: u64,
        packet: &Packet,
    ) -> (Arc<Kept>, Result<Packet, Option<String>>) {
        let Some(root) = packet.steps.last().map(|step| step.root()) else {
            return (kept.clone(), Err(None));
        };
        let order = match self.judged(kept, node, now_ms, salt, packet) {
            Ok(order) => order,
            Err(Stop::Rejected(rejection)) if kept.order.overtook(root.previous.as_ref(), &rejection) => {
                kept.clone()
            }
            Err(stop) => return (kept.clone(), Err(stop.final_code())),
        };
        let steps = order.order.answer_to(&root).to_vec();
        if steps.is_empty() {
            return (order, Err(None));
        }
        let answer = self.ask(node, now_ms, salt, |here| {
            here.packet(&order.order, &steps, packet.from, &packet.from, Vec::new())
        });
        (order, Ok(answer))
    }

    fn judged(
        &self,
        kept: &Arc<Kept>,
        node: usize,
        now_ms: u64,
        salt: u64,
        packet: &Packet,
    ) -> Result<Arc<Kept>, Stop> {
        match self.ask(node, now_ms, salt, |here| here.judge(&kept.order, packet)) {
            Judged::Outsider => Err(Stop::Outsider),
            Judged::Known => Ok(kept.clone()),
            Judged::Refused(_, rejection) => Err(Stop::Rejected(rejection)),
            Judged::Take { command, named, .. } => {
                let run = self.run(kept, node, now_ms, salt, &command, named, Some(packet));
                Ok(run.unwrap_or_else(|| kept.clone()))
            }
        }
    }

    /// Something else than a message says, by the cheat, to somebody.
    fn cheat(&self, id: &MessageId, how: usize, to: usize) -> Option<MessageId> {
        let cheat = self.config.cheat?;
        let message = self.table.message(id);
        let (Says::Call { about, packet } | Says::Answer { about, packet }) = &message.says else {
            return None;
        };
        let own = self.cast.node(cheat);
        let mut packet = Packet { from: own, to: self.cast.node(to), ..packet.clone() };
        let last = packet.steps.last_mut()?;
        let is_own = last.statement.signer == own;
        match how {
            // In her own name.
            0 => {}
            // As if the step were hers.
            1 => (last.statement.signer, last.signed_by) = (own, own),
            // A proof that does not hold.
            2 => {
                last.statement.proof.as_mut()?[0] ^= 1;
                last.signed_by = own;
            }
            // The same once more, in another envelope.
            3 if is_own => last.salt += 100,
            // Another key for the same order.
            4 => {
                let StepFacts::Committed { commitment } = &mut last.statement.facts else { return None };
                let placed = last.statement.previous?;
                let key = order_key(&custody(&person("another order")))?;
                *commitment = key.commitment();
                let proof = sign_commitment_proof(&key, &placed, &last.statement.signer);
                last.statement.proof = Some(proof.to_vec());
                last.signed_by = own;
            }
            // To her, instead.
            5 => {
                match &mut last.statement.facts {
                    StepFacts::RedemptionRequested { beneficiary }
                    | StepFacts::Released { beneficiary, .. } => {
                        *beneficiary = own;
                    }
                    StepFacts::Placed { parties, .. } => parties.beneficiary = Some(own),
                    _ => return None,
                }
                if let Some(reader) = last.statement.readers.get_mut(2) {
                    *reader = own;
                }
                last.signed_by = own;
            }
            _ => return None,
        }
        let says = Says::Call { about: about.clone(), packet };
        Some(self.table.keep_message(Message { order: message.order, from: cheat, to, says }))
    }
}

/// The secret of an order: custody makes one and keeps it.
fn custody(placed: &Cid) -> [u8; 32] {
    let mut secret = *placed.digest();
    secret[0] &= 0x7f;
    secret
}
