//! Alice, bob and carol on three nodes, with answers lost, requests repeated and everybody acting at once: honest nodes
//! never refuse each other's steps for good, and end with one chain.

use proptest::prelude::*;

use super::kit::*;
use crate::order::*;
use dta_protocol::Cid;

struct World {
    alice: Given,
    bob: Given,
    carol: Given,
    /// How many of bob's accepted steps alice and carol have been sent and have answered.
    alice_has: usize,
    carol_has: usize,
    /// Carol's answer has been answered by bob.
    carol_done: bool,
    made: usize,
}

impl World {
    fn new(terms: Terms) -> Self {
        let mut world = Self {
            alice: given(ALICE, &[]),
            bob: given(BOB, &[]),
            carol: given(CAROL, &[]),
            alice_has: 0,
            carol_has: 0,
            carol_done: false,
            made: 0,
        };
        world.act(|world| &mut world.alice, &place_for(None, terms)).unwrap();
        world
    }

    /// A command on a node; what the rules refuse changes nothing.
    fn act(&mut self, node: fn(&mut Self) -> &mut Given, command: &Command) -> Result<(), Rejection> {
        self.made += 1;
        let name = format!("envelope {}", self.made);
        let made = Made { cid: envelope(&name), statement: *envelope(&name).digest(), ..made() };
        let given = node(self);
        let events = given.order.decide(command, &given.facts, Some(&made))?;
        given.order = events.iter().fold(given.order.clone(), Order::apply);
        Ok(())
    }

    fn sent(step: &Step, placed: Option<Cid>, named: Option<Cid>) -> Command {
        let mut received = sent(step);
        match (&step.facts, step.previous, placed, named) {
            (StepFacts::Committed { .. }, _, Some(placed), _) => {
                received.proof =
                    Some(dta_protocol::body::sign_commitment_proof(key(), &placed, &bob()).to_vec());
            }
            (StepFacts::Received, Some(released), _, Some(named)) => {
                received.proof =
                    Some(dta_protocol::body::sign_received_proof(key(), &released, &named).to_vec());
            }
            _ => {}
        }
        Command::Accept(vec![received])
    }

    /// Alice's waiting steps reach bob; his answer reaches her, or is lost and she will ask again.
    fn alice_asks(&mut self, lost: bool) {
        if let Some(due) = self.alice.order.due(self.alice.facts.now_ms) {
            self.act(|world| &mut world.alice, &due.command().unwrap()).unwrap();
        }
        let waiting: Vec<Step> = self.alice.order.unsettled().map(|ours| ours.step.clone()).collect();
        let Some(newest) = waiting.last() else { return };
        let new = waiting
            .iter()
            .filter(|step| self.bob.order.steps.iter().all(|accepted| accepted.step.cid != step.cid));
        let command = Command::Accept(new.map(Self::received).collect());
        if let Err(rejection) = self.act(|world| &mut world.bob, &command)
            && !lost
        {
            // What stands in its place is answered instead of a refusal: `bob_tells_alice`.
            let moved_on = self.bob.order.steps.iter().rev().skip(1);
            if moved_on.into_iter().any(|accepted| Some(accepted.step.cid) == newest.previous) {
                return;
            }
            let code = rejection.code().to_owned();
            let refuse = Command::Refuse { cid: newest.cid, code };
            self.act(|world| &mut world.alice, &refuse).unwrap();
        }
    }

    fn received(step: &Step) -> ReceivedStep {
        sent(step)
    }

    fn bob_works(&mut self) {
        if let Some(due) = self.bob.order.due(self.bob.facts.now_ms) {
            self.act(|world| &mut world.bob, &due.command().unwrap()).unwrap();
        }
    }

    /// The next step that bob has accepted reaches alice, who never refuses what she has not caused.
    fn bob_tells_alice(&mut self, lost: bool) {
        let Some(accepted) = self.bob.order.steps.get(self.alice_has).cloned() else { return };
        if accepted.step.signer != alice() {
            let (placed, named) = (self.bob.order.placed(), self.bob.order.party(Party::Beneficiary));
            let command = Self::sent(&accepted.step, placed, named);
            self.act(|world| &mut world.alice, &command).unwrap();
        }
        self.alice_has += usize::from(!lost);
    }

    /// Once released, the chain reaches carol step by step.
    fn bob_tells_carol(&mut self, lost: bool) {
        if self.bob.order.secret.is_none() {
            return;
        }
        let Some(accepted) = self.bob.order.steps.get(self.carol_has).cloned() else { return };
        let command = Self::sent(&accepted.step, self.bob.order.placed(), None);
        self.act(|world| &mut world.carol, &command).unwrap();
        self.carol_has += usize::from(!lost);
    }

    fn carol_answers(&mut self, verdict: Verdict, lost: bool) {
        if self.carol.order.due(self.carol.facts.now_ms) == Some(Due::Acknowledge) {
            self.act(|world| &mut world.carol, &Command::Acknowledge(verdict)).unwrap();
        }
        let Some(answer) = self.carol.order.head().cloned().filter(|step| step.signer == carol()) else {
            return;
        };
        if !self.carol_done {
            let command = Self::sent(&answer, None, Some(carol()));
            self.act(|world| &mut world.bob, &command).unwrap();
            self.carol_done = !lost;
        }
    }

    fn later(&mut self, by_ms: u64) {
        for node in [&mut self.alice, &mut self.bob, &mut self.carol] {
            node.facts.now_ms += by_ms;
        }
    }

    fn prefix_holds(&self) {
        let cids = |order: &Order| order.steps.iter().map(|accepted| accepted.step.cid).collect::<Vec<_>>();
        let chain = cids(&self.bob.order);
        if self.alice.order.stage != Stage::Refused {
            assert!(chain.starts_with(&cids(&self.alice.order)), "alice's chain is not bob's");
        }
        let carols = cids(&self.carol.order);
        assert!(chain.starts_with(&carols) || carols.starts_with(&chain), "carol's chain is not bob's");
        for node in [&self.alice, &self.bob, &self.carol] {
            assert!(node.order.equivocations.is_empty(), "honest nodes do not equivocate");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_lost_or_repeated_there_is_one_chain(
        terms in (0u64..3, 0u64..3),
        taken_back in any::<bool>(),
        moves in prop::collection::vec((0u8..12, any::<bool>()), 0..60),
    ) {
        let terms = Terms {
            not_before_ms: [0, NOW_MS + 15, NOW_MS + 40][terms.0 as usize],
            expires_at_ms: [0, NOW_MS + 50, NOW_MS + 120][terms.1 as usize],
            retention_ms: 0,
        };
        let mut world = World::new(terms);
        if taken_back {
            world.act(|world| &mut world.alice, &cancel()).unwrap();
        }
        for (act, lost) in moves {
            match act {
                0 | 1 => world.alice_asks(lost),
                2 | 3 => world.bob_works(),
                4 | 5 => world.bob_tells_alice(lost),
                6 => world.bob_tells_carol(lost),
                7 => {
                    let verdict = if lost { Verdict::Disputed(DisputeCode::CannotOpen) } else { Verdict::Genuine };
                    world.carol_answers(verdict, lost);
                }
                8 | 9 => drop(world.act(|world| &mut world.alice, &redeem(carol()))),
                10 => drop(world.act(|world| &mut world.alice, &cancel())),
                _ => world.later(7),
            }
            world.prefix_holds();
        }
        // Once nothing is lost any more, all of them know the same.
        for _ in 0..20 {
            world.alice_asks(false);
            world.bob_works();
            world.bob_tells_alice(false);
            world.bob_tells_carol(false);
            world.carol_answers(Verdict::Genuine, false);
            world.prefix_holds();
        }
        let (alice, bob, carol) = (&world.alice.order, &world.bob.order, &world.carol.order);
        prop_assert!(alice.unsettled().next().is_none());
        if taken_back {
            prop_assert!(bob.secret.is_none() && alice.stage != Stage::Withdrawn);
        }
        if alice.stage != Stage::Refused {
            prop_assert_eq!(alice.stage, bob.stage);
            prop_assert_eq!(alice.steps.len(), bob.steps.len());
        }
        if bob.secret.is_some() {
            prop_assert!(bob.stage.is_final());
            prop_assert_eq!(carol.stage, bob.stage);
        }
    }
}
