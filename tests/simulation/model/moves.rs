//! What can happen in a state, and what comes of it: each move asks the same pure functions as the actors.

use std::sync::Arc;

use dta_events::order::{Answered, Command, Order, Outcome, Parties};
use dta_protocol::Cid;

use super::table::{Asked, Kept, Step, What};
use super::{About, Action, Message, MessageId, Nodes, Says, State};
use crate::node::Stop;
use crate::paper::{Packet, person};
use crate::party::{Flaw, Here, Judged, PLUGIN};

impl Nodes {
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
            flaw: self.config.flaw,
        };
        what(&here)
    }

    pub fn moves(&self, state: &State, actions: &mut Vec<Action>) {
        let now_ms = self.now_ms(state);
        let mut signs = vec![false; self.cast.len()];
        for order in 0..self.config.orders {
            let asks = [
                (state.orders[0][order].order == Order::default(), Action::Place { order }),
                (state.redeems > 0, Action::Redeem { order }),
                (state.cancels > 0, Action::Cancel { order }),
            ];
            for (_, action) in asks.into_iter().filter(|(may, _)| *may) {
                signs[0] = true;
                actions.push(action);
            }
            for (node, signs) in signs.iter_mut().enumerate() {
                let kept = &state.orders[node][order].order;
                if kept.due(now_ms).is_some() {
                    *signs = true;
                    actions.push(Action::Due { node, order });
                    if self.config.flaw == Flaw::SendsUnsynced && state.crashes > 0 {
                        actions.push(Action::CrashUnsynced { node, order });
                    }
                }
                if self.config.each_message && !kept.outbox().is_empty() {
                    actions.push(Action::Send { node, order });
                }
            }
        }
        actions.extend(state.messages.iter().map(Action::Arrive));
        if state.crashes > 0 {
            // Where nothing is signed, or nothing is there to be forgotten, a crash changes nothing.
            let forgets = self.config.flaw == Flaw::LosesAcknowledged;
            let dies = (0..3).filter(|node| signs[*node] || forgets);
            actions.extend(dies.map(|node| Action::Crash { node }));
        }
        if state.minute < self.config.minutes {
            actions.push(Action::Minute);
        }
    }

    /// The state after an action, with all that can then be said; none if nothing comes of it.
    pub fn moved(&self, state: &State, action: &Action) -> Option<State> {
        if let Action::Arrive(id) = action {
            return self.heard(state, *id);
        }
        let mut next = state.clone();
        match action {
            Action::Arrive(_) => return None,
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
                self.command(&mut next, *order, &command)?;
            }
            Action::Redeem { order } => {
                let command = Command::RequestRedemption { beneficiary: Self::carol() };
                self.command(&mut next, *order, &command)?;
                next.redeems -= 1;
            }
            Action::Cancel { order } => {
                let command = Command::RequestCancellation { detail: "changed my mind".to_owned() };
                self.command(&mut next, *order, &command)?;
                next.cancels -= 1;
            }
            Action::Due { node, order } => {
                let step = self.due(state, *node, *order)?;
                self.put(&mut next, *node, *order, step.order);
            }
            Action::Send { node, order } => {
                next.messages.insert(self.send(state, *node, *order)?).then_some(())?
            }
            Action::CrashUnsynced { node, order } => {
                // The step is made and answered with, and then lost with the node's memory.
                let step = self.due(state, *node, *order)?;
                let mut reckless = state.clone();
                reckless.orders[*node][*order] = step.order;
                for id in state.messages.iter() {
                    let message = self.table.message(id);
                    if (message.to, message.order) == (*node, *order)
                        && let Some(Step { sends: Some(sends), .. }) = self.arrive(&reckless, id)
                    {
                        next.messages.insert(sends);
                    }
                }
                next.salts[*node] += 1;
                next.crashes -= 1;
            }
            Action::Crash { node } => {
                next.crashes -= 1;
                next.salts[*node] += 1;
                for order in 0..self.config.orders {
                    if let Some(before) = state.before[*node][order].clone() {
                        next.orders[*node][order] = before;
                    }
                }
            }
            Action::Minute => next.minute += 1,
        }
        self.say(&mut next, state);
        Some(next)
    }

    /// The state after a message has arrived.
    fn heard(&self, state: &State, id: MessageId) -> Option<State> {
        let message = self.table.message(id);
        let step = self.arrive(state, id)?;
        let says = step.sends.is_some_and(|sends| !state.messages.contains(sends));
        if step.order == state.orders[message.to][message.order] && !(says && self.config.each_message) {
            return None;
        }
        let mut next = state.clone();
        next.messages.extend(step.sends);
        self.put(&mut next, message.to, message.order, step.order);
        self.say(&mut next, state);
        Some(next)
    }

    /// Sends all that can be sent without an order changing: deliveries, the answers to calls that teach nothing new, and
    /// whatever the cheat makes of it. A message does nothing by being on its way, for it may never arrive; so whatever can
    /// happen with fewer of them can happen with more, and what holds with more holds with fewer. `before`: the state
    /// that this one came from, in which all was said.
    fn say(&self, state: &mut State, before: &State) {
        if self.config.each_message {
            return;
        }
        let is_new = |state: &State, node: usize, order: usize| {
            state.orders[node][order] != before.orders[node][order]
                || state.salts[node] != before.salts[node]
                || state.minute != before.minute
        };
        for node in 0..self.cast.len() {
            for order in
                (0..self.config.orders).filter(|order| is_new(state, node, *order)).collect::<Vec<_>>()
            {
                let sends = self.send(state, node, order);
                state.messages.extend(sends);
            }
        }
        let unheard = |id: &MessageId| {
            let message = self.table.message(*id);
            !before.messages.contains(*id) || is_new(state, message.to, message.order)
        };
        let mut unheard: Vec<MessageId> = state.messages.iter().filter(unheard).collect();
        while let Some(id) = unheard.pop() {
            let message = self.table.message(id);
            let answer = self
                .arrive(state, id)
                .filter(|step| step.order == state.orders[message.to][message.order])
                .and_then(|step| step.sends);
            let forged = self.forged(id, &message);
            for said in answer.into_iter().chain(forged.iter().copied()) {
                if state.messages.insert(said) {
                    unheard.push(said);
                }
            }
        }
    }

    fn put(&self, next: &mut State, node: usize, order: usize, kept: Arc<Kept>) {
        let slot = &mut next.orders[node][order];
        if *slot != kept {
            if self.config.flaw == Flaw::LosesAcknowledged {
                next.before[node][order] = Some(slot.clone());
            }
            *slot = kept;
        }
    }

    /// One command on a node, by its rules.
    fn run(
        &self,
        kept: &Kept,
        (node, now_ms, salt): (usize, u64, u64),
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
        Some(self.table.order(decided.events.iter().fold(order.clone(), Order::apply)))
    }

    /// Something that alice's client asks.
    fn command(&self, next: &mut State, order: usize, command: &Command) -> Option<()> {
        let at = (0, self.now_ms(next), u64::from(next.salts[0]));
        let kept = next.orders[0][order].clone();
        let becomes = self.run(&kept, at, command, None, None)?;
        self.put(next, 0, order, becomes);
        Some(())
    }

    fn asked(&self, state: &State, what: What, node: usize, kept: &Kept) -> Asked {
        Asked { what, order: kept.number, node, minute: state.minute, salt: state.salts[node] }
    }

    pub fn due(&self, state: &State, node: usize, order: usize) -> Option<Step> {
        let (now_ms, salt) = (self.now_ms(state), u64::from(state.salts[node]));
        let kept = &state.orders[node][order];
        self.table.step(self.asked(state, What::Due, node, kept), || {
            let command = self.ask(node, now_ms, salt, |here| here.due(&kept.order))?;
            let order = self.run(kept, (node, now_ms, salt), &command, None, None)?;
            Some(Step { order, sends: None })
        })
    }

    pub fn send(&self, state: &State, node: usize, order: usize) -> Option<MessageId> {
        let kept = &state.orders[node][order];
        let step = self.table.step(self.asked(state, What::Send { order }, node, kept), || {
            let delivery = kept.order.next_delivery(None)?;
            let to = kept.order.party(delivery.to)?;
            let home = self.cast.home(&to)?;
            let packet = self.ask(node, self.now_ms(state), 0, |here| {
                let steps = kept.order.carried(delivery.to);
                here.packet(&kept.order, &steps, to, &to, kept.order.introduced(delivery.to))
            });
            let about = Some(About::of(&delivery));
            let message = Message { order, from: node, to: home, about, says: Says::Call(packet) };
            Some(Step { order: kept.clone(), sends: Some(self.table.keep_message(message)) })
        });
        step?.sends
    }

    /// What a message does where it arrives.
    pub fn arrive(&self, state: &State, id: MessageId) -> Option<Step> {
        let message = self.table.message(id);
        let (node, order) = (message.to, message.order);
        let at = (node, self.now_ms(state), u64::from(state.salts[node]));
        let kept = &state.orders[node][order];
        let step = |order, sends| Some(Step { order, sends });
        self.table.step(self.asked(state, What::Arrive(id), node, kept), || match &message.says {
            Says::Call(packet) => {
                let (order, answer) = self.arrived(kept, at, packet);
                let says = match answer {
                    Ok(packet) => Says::Answer(packet),
                    Err(Some(code)) => Says::Refusal(code),
                    // It is called again.
                    Err(None) => return step(order, None),
                };
                let about = message.about.clone();
                let answer = Message { order: message.order, from: node, to: message.from, about, says };
                step(order, Some(self.table.keep_message(answer)))
            }
            Says::Answer(packet) => {
                let delivery = message.about.as_ref()?.delivery()?;
                // What is not believed changes nothing.
                let mut order = self.judged(kept, at, packet).ok()?;
                if order.order.answered(&delivery) == Answered::Delivered {
                    let command = delivery.ended(Outcome::Delivered);
                    order = self.run(&order, at, &command, None, None).unwrap_or(order);
                }
                step(order, None)
            }
            Says::Refusal(code) => {
                let command = message.about.as_ref()?.delivery()?.refused(code.clone());
                step(self.run(kept, at, &command, None, None)?, None)
            }
        })
    }

    /// Steps that come to a node, and what it answers at once: what follows of itself may come later.
    fn arrived(
        &self,
        kept: &Arc<Kept>,
        at: (usize, u64, u64),
        packet: &Packet,
    ) -> (Arc<Kept>, Result<Packet, Option<String>>) {
        let Some(root) = packet.steps.last().map(|step| step.root()) else {
            return (kept.clone(), Err(None));
        };
        let order = match self.judged(kept, at, packet) {
            Ok(order) => order,
            Err(Stop::Rejected(rejection)) if kept.order.overtook(root.previous.as_ref(), &rejection) => {
                kept.clone()
            }
            Err(stop) => return (kept.clone(), Err(stop.final_code())),
        };
        let (node, now_ms, salt) = at;
        match self.ask(node, now_ms, salt, |here| here.answer(&order.order, &root, packet.from)) {
            Ok(answer) if answer.steps.is_empty() => (order, Err(None)),
            Ok(answer) => (order, Ok(answer)),
            Err(rejection) => (order, Err(Stop::Rejected(rejection).final_code())),
        }
    }

    fn judged(&self, kept: &Arc<Kept>, at: (usize, u64, u64), packet: &Packet) -> Result<Arc<Kept>, Stop> {
        let (node, now_ms, salt) = at;
        match self.ask(node, now_ms, salt, |here| here.judge(&kept.order, packet)) {
            Judged::Outsider => Err(Stop::Outsider),
            Judged::Known => Ok(kept.clone()),
            Judged::Refused(_, rejection) => Err(Stop::Rejected(rejection)),
            Judged::Take { command, named, .. } => {
                let run = self.run(kept, at, &command, named, Some(packet));
                Ok(run.unwrap_or_else(|| kept.clone()))
            }
        }
    }
}

/// The secret of an order: custody makes one and keeps it.
pub fn custody(placed: &Cid) -> [u8; 32] {
    let mut secret = *placed.digest();
    secret[0] &= 0x7f;
    secret
}
