//! The released secret: to whom it is sealed, whether it is the one committed to, and who is right if that is disputed.

use dta_crypto::{ContentKey, OrderKey};
use dta_events::order::{Order, Party, Rejection, StepFacts};
use dta_protocol::body::{self, DisputeCode, Plaintext, verify_received_proof};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Descriptor, Envelope, Kind};

use crate::chain::Chain;
use crate::custody::{exactly, known};
use crate::disclosure::Disclosure;
use crate::name::Name;
use crate::opened::{BEFORE_UNKNOWN, Detail, NO_KEY, Opened, OpenedStep};
use crate::public::{People, step};
use crate::report::{Failure, Outcome, Report};

/// What is said of a secret to which there is no key: that is as it should be, unless it is disputed.
const SECRET_KEPT: &str = "the key of the sealed secret is not disclosed";

/// What the key of a sealed secret shows.
struct Shown {
    recipients: Outcome,
    secret: Outcome,
    /// The key that the dispute gives is not that of the sealed secret.
    other_key: bool,
}

/// A key, and whether it is the dispute that gives it.
struct Given<'a> {
    key: &'a ContentKey,
    by_dispute: bool,
}

/// Makes these checks for a chain that has a release.
pub(crate) fn check(
    chain: &Chain,
    opened: &Opened<'_>,
    disclosure: Option<&Disclosure>,
    people: &People,
    report: &mut Report,
) {
    let found = |kind| {
        let mut steps = chain.steps.iter().zip(&opened.steps);
        steps.find(|(envelope, _)| envelope.statement().kind == kind)
    };
    let Some((released, release)) = found(Kind::Released) else { return };
    let dispute = found(Kind::Disputed);
    let claimed = dispute.and_then(|(_, found)| match &found.detail {
        Detail::Dispute(code, key) => Some((*code, key.as_ref())),
        _ => None,
    });
    let shown = shown(released, release, claimed.and_then(|(_, key)| key), disclosure, people);
    report.add(Name::SecretRecipients, step(released), shown.recipients.clone());
    report.add(Name::Secret, step(released), shown.secret.clone());
    if let Some((received, found)) = found(Kind::Received) {
        report.add(Name::Receipt, step(received), receipt(received, found));
    }
    if let Some((disputed, _)) = dispute {
        let outcome = claimed.map_or(Outcome::NotDisclosed(NO_KEY), |(code, _)| judge(code, &shown));
        report.add(Name::Dispute, step(disputed), outcome);
    }
}

fn shown(
    released: &Envelope,
    release: &OpenedStep,
    disputed: Option<&ContentKey>,
    disclosure: Option<&Disclosure>,
    people: &People,
) -> Shown {
    let nothing = |why| Shown {
        recipients: Outcome::NotDisclosed(why),
        secret: Outcome::NotDisclosed(why),
        other_key: false,
    };
    let (order, said) = match known(release) {
        Ok(known) => known,
        Err(why) => return nothing(why),
    };
    let (Detail::Release(descriptor), StepFacts::Released { beneficiary, .. }) =
        (&release.detail, &said.facts)
    else {
        return nothing(NO_KEY);
    };
    let disclosed = disclosure.and_then(|disclosure| disclosure.key(&descriptor.cid));
    let given = match (disclosed, disputed) {
        (Some(key), _) => Given { key, by_dispute: false },
        (None, Some(key)) => Given { key, by_dispute: true },
        (None, None) => return nothing(SECRET_KEPT),
    };
    // To whom the order says that it is released, whoever the release itself names.
    let beneficiary = order.party(Party::Beneficiary).unwrap_or(*beneficiary);
    let recipients = exactly(given.key, released, &[beneficiary], descriptor, people);
    let committed = given.key.is_committed(&descriptor.commit);
    let block = disclosure.and_then(|disclosure| disclosure.block(&descriptor.cid));
    match (committed, recipients) {
        // A key that fits nothing shows nothing about the secret; only whoever gave it is wrong.
        (false, Outcome::Fails(_)) if given.by_dispute => {
            Shown { other_key: true, ..nothing("the key in the dispute is not that of the sealed secret") }
        }
        (false, Outcome::Fails(_)) => {
            let failure = Failure::new("key-other", "the key disclosed is not that of the sealed secret");
            let secret = Outcome::NotDisclosed(SECRET_KEPT);
            Shown { recipients: Outcome::Fails(failure), secret, other_key: false }
        }
        // Whose it is cannot be said without the beneficiary's document.
        (false, Outcome::NotDisclosed(why)) => nothing(why),
        // The beneficiary was given this key, and the secret is sealed under another.
        (false, recipients) => Shown {
            recipients,
            secret: Outcome::Fails(cannot_open("its entry holds another key than the one committed to")),
            other_key: false,
        },
        (true, recipients) => {
            let secret = match block {
                None => Outcome::NotDisclosed("the sealed secret itself is not disclosed"),
                Some(block) => secret(order, released, descriptor, given.key, block),
            };
            Shown { recipients, secret, other_key: false }
        }
    }
}

/// Whether the sealed secret opens to that of the commitment.
fn secret(
    order: &Order,
    released: &Envelope,
    descriptor: &Descriptor,
    key: &ContentKey,
    block: &[u8],
) -> Outcome {
    let opened = SealRequest::of(released.statement(), descriptor.role)
        .and_then(|request| sealed::open_with_key(key, &request, descriptor, block));
    let Ok(plaintext) = opened else { return Outcome::Fails(cannot_open("does not open")) };
    let Ok(body) = body::SecretBody::decode(plaintext.expose()) else {
        return Outcome::Fails(cannot_open("opens to what is no secret"));
    };
    let commitment = order.commitment();
    let genuine = Some(body.placed) == order.placed()
        && OrderKey::from_secret(body.secret).is_ok_and(|key| Some(key.commitment()) == commitment);
    let wrong = || Failure::new("wrong-secret", "what was released is not the secret of the commitment");
    Outcome::of(genuine.then_some(()).ok_or_else(wrong))
}

fn cannot_open(why: &str) -> Failure {
    Failure::new("cannot-open", format!("the sealed secret {why}"))
}

/// That the secret has signed for the beneficiary: whoever released it released the right one.
fn receipt(received: &Envelope, found: &OpenedStep) -> Outcome {
    let (order, said) = match (&found.before, &found.said) {
        (None, _) => return Outcome::NotDisclosed(BEFORE_UNKNOWN),
        (_, None) => return Outcome::NotDisclosed(NO_KEY),
        (Some(order), Some(said)) => (order, said),
    };
    let proof = said.proof.as_deref().and_then(|proof| <&[u8; 64]>::try_from(proof).ok());
    let holds = received.statement().previous.is_some_and(|released| {
        order.party(Party::Beneficiary).zip(order.commitment()).zip(proof).is_some_and(
            |((beneficiary, commitment), proof)| {
                verify_received_proof(&released, &beneficiary, &commitment, proof).is_ok()
            },
        )
    });
    Outcome::of(holds.then_some(()).ok_or(Rejection::ProofInvalid))
}

/// Whether the beneficiary is right. Of the fiduciary's fault each has a check of its own, which fails then.
fn judge(code: DisputeCode, shown: &Shown) -> Outcome {
    match (&shown.recipients, &shown.secret) {
        (Outcome::Fails(failure), _) if failure.code == "key-other" => Outcome::NotDisclosed(SECRET_KEPT),
        (Outcome::Fails(_), _) | (_, Outcome::Fails(_)) => Outcome::Holds,
        (_, Outcome::Holds) => Outcome::Fails(Rejection::NothingToDispute.into()),
        // Whoever says that it opens to something else must have opened it.
        _ if shown.other_key && code == DisputeCode::WrongSecret => {
            Outcome::Fails(Failure::new("keys-invalid", "its key does not open the sealed secret"))
        }
        (_, Outcome::NotDisclosed(why)) => Outcome::NotDisclosed(why),
    }
}
