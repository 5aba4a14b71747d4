//! Proofs are the order key's own: garbage, other people's and other orders' are refused.

use dta_crypto::{OrderKey, Secret};
use dta_protocol::body::{sign_commitment_proof, sign_received_proof};

use super::kit::*;
use crate::order::*;

/// The order of secp256k1's field (SEC 2), so no coordinate.
const FIELD: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";

fn accept(step: &Step, proof: Option<Vec<u8>>) -> Command {
    Command::Accept(vec![ReceivedStep { proof, ..sent(step) }])
}

fn mallorys_key() -> OrderKey {
    OrderKey::from_secret(Secret::from_bytes([9; 32])).unwrap()
}

fn committing_to(commitment: [u8; 65]) -> Step {
    Step { facts: StepFacts::Committed { commitment }, ..committed() }
}

fn good() -> [u8; 64] {
    sign_commitment_proof(key(), &placed().cid, &bob())
}

#[track_caller]
fn refused(step: &Step, proof: Option<Vec<u8>>) {
    given(ALICE, &[placed()]).when(&accept(step, proof.clone())).then_rejected("proof-invalid");
    given(CAROL, &[placed()]).when(&accept(step, proof)).then_rejected("proof-invalid");
}

#[test]
fn the_genuine_proof_is_accepted() {
    for node in [ALICE, CAROL] {
        let after = given(node, &[placed()]).when(&accept(&committed(), Some(good().to_vec()))).order();
        assert_eq!(after.commitment(), Some(key().commitment()));
    }
}

#[test]
fn a_proof_by_the_wrong_key_or_about_something_else_is_refused() {
    let proofs = [
        sign_commitment_proof(&mallorys_key(), &placed().cid, &bob()),
        sign_commitment_proof(key(), &mallory(), &bob()),
        sign_commitment_proof(key(), &placed().cid, &mallory()),
        sign_commitment_proof(key(), &bob(), &placed().cid),
        // What would prove receipt does not prove a commitment.
        sign_received_proof(key(), &placed().cid, &bob()),
    ];
    for proof in proofs {
        refused(&committed(), Some(proof.to_vec()));
    }
    // Mallory claims bob's key as his own: the proof is over the commitment, too.
    refused(&committing_to(mallorys_key().commitment()), Some(good().to_vec()));
    let own = sign_commitment_proof(&mallorys_key(), &placed().cid, &bob());
    refused(&committing_to(key().commitment()), Some(own.to_vec()));
}

#[test]
fn a_changed_missing_or_misshapen_proof_is_refused() {
    for at in 0..64 {
        let mut proof = good();
        proof[at] ^= 1;
        refused(&committed(), Some(proof.to_vec()));
    }
    let good = good();
    let longer = [good.as_slice(), &[0]].concat();
    let shapes = [vec![], good[..63].to_vec(), longer, vec![0; 64], vec![0xff; 64], vec![1; 64]];
    for proof in shapes {
        refused(&committed(), Some(proof));
    }
    refused(&committed(), None);
}

#[test]
fn what_is_no_point_or_another_point_is_no_commitment() {
    let point = key().commitment();
    let edited = |edit: &dyn Fn(&mut [u8; 65])| {
        let mut bytes = point;
        edit(&mut bytes);
        bytes
    };
    let field: [u8; 32] = hex::decode(FIELD).unwrap().try_into().unwrap();
    let negated = edited(&|bytes| {
        // p - y: the other point with this x, which a signature by x alone would not tell apart.
        let mut borrow = 0i16;
        for at in (0..32).rev() {
            let digit = i16::from(field[at]) - i16::from(bytes[33 + at]) - borrow;
            borrow = i16::from(digit < 0);
            bytes[33 + at] = (digit & 0xff) as u8;
        }
    });
    let compressed = edited(&|bytes| {
        bytes[0] = 2 | (bytes[64] & 1);
        bytes[33..].fill(0);
    });
    let no_points = [
        [0; 65],
        [0xff; 65],
        edited(&|bytes| bytes[1..].fill(0)),
        edited(&|bytes| bytes[1..33].copy_from_slice(&field)),
        edited(&|bytes| bytes[33..].copy_from_slice(&field)),
        edited(&|bytes| bytes[64] ^= 1),
        edited(&|bytes| bytes[1] ^= 1),
        edited(&|bytes| bytes[0] = 0),
        edited(&|bytes| bytes[0] = 2),
        edited(&|bytes| bytes[0] = 5),
        // The hybrid form of SEC1.
        edited(&|bytes| bytes[0] = 6 | (bytes[64] & 1)),
        compressed,
        negated,
    ];
    for commitment in no_points {
        assert_ne!(commitment, point);
        for proof in [good(), [0; 64], [1; 64]] {
            refused(&committing_to(commitment), Some(proof.to_vec()));
        }
    }
}

#[test]
fn a_receipt_needs_the_released_secret() {
    let proofs = [
        Some(sign_received_proof(&mallorys_key(), &released().cid, &carol()).to_vec()),
        Some(sign_received_proof(key(), &redemption().cid, &carol()).to_vec()),
        Some(sign_received_proof(key(), &released().cid, &mallory()).to_vec()),
        Some(sign_commitment_proof(key(), &released().cid, &carol()).to_vec()),
        Some(good().to_vec()),
        Some(vec![0; 64]),
        Some(vec![]),
        None,
    ];
    for node in [ALICE, BOB] {
        let stood = given(node, &whole_order()[..4]);
        for proof in &proofs {
            stood.when(&accept(&received(), proof.clone())).then_rejected("proof-invalid");
        }
        stood.when(&receive(&received())).order();
    }
}

#[test]
fn a_proof_where_none_belongs_changes_nothing() {
    let stood = given(BOB, &whole_order()[..2]);
    let with = stood.when(&accept(&redemption(), Some(vec![0; 64]))).order();
    assert_eq!(with, stood.when(&accept(&redemption(), None)).order());
}
