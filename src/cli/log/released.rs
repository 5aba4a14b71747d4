//! Judges a released secret, and a dispute about it, by what was committed to.

use anyhow::Context as _;
use dta_crypto::{ContentKey, OrderKey};
use dta_events::order::{DisputeCode, Order, Party, Step};
use dta_protocol::body::{self, Plaintext};
use dta_protocol::{Descriptor, Envelope, Kind, Role, Statement};

use super::books::Books;
use crate::actors::log::StoredBlock;

/// A sealed secret, or the dispute about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// Its block or the keys to it are not here.
    NotHere,
    /// The secret of the commitment.
    Genuine,
    /// It does not open, or opens to nonsense.
    CannotOpen,
    /// It opens to another secret.
    Wrong,
}

/// The sealed secret, if its block is here and it opens with the beneficiary's keys or with one that was disclosed.
pub(super) fn judge_secret(
    books: &mut Books,
    statement: &Statement,
    order: &Order,
    descriptor: &Descriptor,
    disclosed: Option<&ContentKey>,
) -> anyhow::Result<Judged> {
    let beneficiary = order.party(Party::Beneficiary).context("no beneficiary is named")?;
    let Some(StoredBlock::Held(block)) = books.block(&descriptor.cid)? else { return Ok(Judged::NotHere) };
    let opened = match disclosed {
        Some(key) => books.open_with(key, statement, descriptor, block.bytes(), &[beneficiary]).map(Some),
        None => books
            .open(statement, descriptor, block.bytes(), &[beneficiary])
            .map(|opened| opened.map(|(_, plaintext)| plaintext)),
    };
    let plaintext = match opened {
        Ok(Some(plaintext)) => plaintext,
        Ok(None) => return Ok(Judged::NotHere),
        Err(_) => return Ok(Judged::CannotOpen),
    };
    let Ok(body) = body::SecretBody::decode(plaintext.expose()) else { return Ok(Judged::CannotOpen) };
    let commitment = order.commitment();
    let genuine = Some(body.placed) == order.placed()
        && Some(body.commitment) == commitment
        && OrderKey::from_secret(body.secret).is_ok_and(|key| Some(key.commitment()) == commitment);
    Ok(if genuine { Judged::Genuine } else { Judged::Wrong })
}

/// Judges as anyone can who has the block and the key, or is the beneficiary.
pub(super) fn judge_dispute(
    books: &mut Books,
    order: &Order,
    code: DisputeCode,
    key: Option<ContentKey>,
) -> anyhow::Result<Judged> {
    let step = &order.step(Kind::Released).context("nothing was released")?.step;
    let (statement, descriptor) = parties_body(books, step)?;
    let block = books.published(&descriptor.cid)?;
    let readers = order.readers(Kind::Released, None);
    let Some((_, plaintext)) = books.open(&statement, &descriptor, &block, &readers)? else {
        return Ok(Judged::NotHere);
    };
    let secret = body::Released::decode(plaintext.expose())?.secret;
    let judged = judge_secret(books, &statement, order, &secret, key.as_ref())?;
    Ok(match (code, judged) {
        // A key that does not open proves nothing about the secret.
        (DisputeCode::WrongSecret, Judged::CannotOpen) => Judged::NotHere,
        (_, judged) => judged,
    })
}

/// An accepted step's statement and the descriptor of its `parties` body. Its signature was verified before.
pub(super) fn parties_body(books: &Books, step: &Step) -> anyhow::Result<(Statement, Descriptor)> {
    let envelope = Envelope::decode(&books.published(&step.cid)?)?;
    let statement = envelope.statement();
    let descriptor = statement.sealed_for(Role::Parties).context("it has no parties body")?;
    Ok((statement.clone(), descriptor.clone()))
}
