//! Signatures of other nodes' envelopes. Those of one signer that arrive while the crypto pool is busy wait together and are
//! verified together, so that the busier the pool is, the less each of them costs it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dta_crypto::Entropy;
use dta_protocol::{Cid, Envelope, EnvelopeError, Verified};
use tokio::sync::oneshot;

use super::crypto_pool::{CryptoPool, PoolBusy, Priority};
use super::keyring::Known;

type Verdict = Result<Verified<Envelope>, EnvelopeError>;
type Together = Vec<(Envelope, oneshot::Sender<Verdict>)>;

/// What waits to be verified, by the identity that is to have signed it. Commands in flight bound it.
pub struct Verifier {
    waiting: Mutex<HashMap<Cid, Together>>,
    entropy: Mutex<Box<dyn Entropy + Send>>,
}

impl Verifier {
    /// The random factors of batches come from `entropy`: who foresees them can have what is forged believed.
    pub fn new(entropy: Box<dyn Entropy + Send>) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::default(), entropy: Mutex::new(entropy) })
    }

    /// Believes an envelope if `signer` is whom its statement names, and signed it. Each has its own verdict, whatever else it
    /// was verified with. Nobody's going away keeps others waiting.
    ///
    /// # Errors
    /// The pool takes no more jobs.
    pub async fn verify(
        self: &Arc<Self>,
        pool: &CryptoPool,
        envelope: Envelope,
        signer: Arc<Known>,
    ) -> Result<Verdict, PoolBusy> {
        let (reply, verdict) = oneshot::channel();
        let cid = signer.cid();
        let is_first = {
            let mut waiting = lock(&self.waiting);
            let together = waiting.entry(cid).or_default();
            together.push((envelope, reply));
            together.len() == 1
        };
        if is_first {
            let verifier = self.clone();
            let job = move || verifier.verify_waiting(&signer);
            if pool.run(Priority::Interactive, job).await.is_err() {
                // Nobody verifies those who joined meanwhile: their replies go away, which tells them.
                lock(&self.waiting).remove(&cid);
            }
        }
        verdict.await.map_err(|_| PoolBusy)
    }

    fn verify_waiting(&self, signer: &Known) {
        let together = lock(&self.waiting).remove(&signer.cid()).unwrap_or_default();
        let (envelopes, replies): (Vec<_>, Vec<_>) = together.into_iter().unzip();
        let verdicts = Envelope::verify_batch(envelopes, &signer.document, &mut Shared(&self.entropy));
        for (reply, verdict) in replies.into_iter().zip(verdicts) {
            // Who no longer waits does not hear it.
            let _ = reply.send(verdict);
        }
    }
}

/// The source of all, held only while it is drawn from: batches of different signers are verified side by side.
struct Shared<'a>(&'a Mutex<Box<dyn Entropy + Send>>);

impl Entropy for Shared<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        lock(self.0).fill(bytes);
    }
}

// A panic aborts the process (`crate::contain`), so a poisoned lock is never seen.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use dta_crypto::{IdentityKeys, Secret};
    use dta_protocol::{Body, Codec, Descriptor, Identity, Kind, Role, Statement};

    use super::*;
    use crate::ports::OsEntropy;

    fn known(fill: u8) -> (IdentityKeys, Arc<Known>) {
        let keys = IdentityKeys::from_seed(&Secret::from_bytes([fill; 32]));
        let document = Identity::create(&keys, "alice", None, None, 1).unwrap();
        (keys, Arc::new(Known { document, keys: None }))
    }

    /// An envelope that says it is of `signer`, by these keys.
    fn envelope(signer: &Known, keys: &IdentityKeys, n: u8) -> Envelope {
        let statement = Statement {
            kind: Kind::CancellationRequested,
            body: Body::Order { note: None },
            sealed: vec![Descriptor {
                cid: Cid::of(Codec::Raw, &[n]),
                commit: [0; 32],
                role: Role::Parties,
                suite: 1,
                to: vec![Box::new([0; 1_168])],
            }],
            signer: Some(signer.cid()),
            subject: format!("0192f5a0-5b1e-7c3a-8f00-0123456789{n:02x}"),
            previous: Some(signer.cid()),
            issued_at_ms: 1,
        };
        Envelope::sign(&statement, keys).unwrap().into_inner()
    }

    /// The pool's only thread is held until `all` wait, so that what is verified is verified together.
    async fn together(envelopes: Vec<(Envelope, Arc<Known>)>) -> Vec<Result<Verdict, PoolBusy>> {
        let pool = Arc::new(CryptoPool::start(1).unwrap());
        let verifier = Verifier::new(Box::new(OsEntropy));
        let (open, gate) = mpsc::channel::<()>();
        let held = {
            let pool = pool.clone();
            tokio::spawn(async move { pool.run(Priority::Interactive, move || gate.recv()).await })
        };
        let count = envelopes.len();
        let all: Vec<_> = envelopes
            .into_iter()
            .map(|(envelope, signer)| {
                let (pool, verifier) = (pool.clone(), verifier.clone());
                tokio::spawn(async move { verifier.verify(&pool, envelope, signer).await })
            })
            .collect();
        while lock(&verifier.waiting).values().map(Vec::len).sum::<usize>() < count {
            tokio::task::yield_now().await;
        }
        open.send(()).unwrap();
        let mut verdicts = Vec::new();
        for one in all {
            verdicts.push(one.await.unwrap());
        }
        let _ = held.await.unwrap();
        assert!(lock(&verifier.waiting).is_empty());
        verdicts
    }

    #[tokio::test]
    async fn each_has_its_own_verdict_whoever_it_waits_with() {
        let ((alice_keys, alice), (bob_keys, bob)) = (known(1), known(2));
        let (good, forged) = (|n| envelope(&alice, &alice_keys, n), envelope(&alice, &bob_keys, 9));
        let of_bob = envelope(&bob, &bob_keys, 9);
        let all = vec![
            (good(1), alice.clone()),
            (forged, alice.clone()),
            (good(2), alice.clone()),
            (of_bob.clone(), alice.clone()),
            (good(3), alice.clone()),
            (of_bob, bob),
        ];
        let cids: Vec<_> = all.iter().map(|(envelope, _)| envelope.cid()).collect();
        let verdicts: Vec<_> = together(all).await.into_iter().map(Result::unwrap).collect();
        for (n, (verdict, cid)) in verdicts.iter().zip(cids).enumerate() {
            match verdict {
                Ok(envelope) => assert!(envelope.cid() == cid && [0, 2, 4, 5].contains(&n), "{n}"),
                Err(EnvelopeError::Signature(_)) => assert_eq!(n, 1),
                Err(error) => assert!(*error == EnvelopeError::OtherSigner && n == 3, "{n}: {error}"),
            }
        }
    }

    #[tokio::test]
    async fn many_that_wait_together_are_all_believed() {
        let (keys, alice) = known(1);
        let all = (0..20).map(|n| (envelope(&alice, &keys, n), alice.clone())).collect();
        assert!(together(all).await.into_iter().all(|verdict| verdict.unwrap().is_ok()));
    }
}
