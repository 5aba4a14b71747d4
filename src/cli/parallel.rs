//! Work on all cores: of many items, and of the signatures of many signers.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use dta_protocol::{Envelope, EnvelopeError, Identity, Verified};

use crate::ports::OsEntropy;

/// Envelopes that one core verifies together: more make each no cheaper to speak of, and would leave other cores idle.
const BATCH: usize = 256;

/// Envelopes that say they are of this signer, each with its place among all.
pub(super) type Batch<'a> = (&'a Identity, Vec<(usize, Envelope)>);

/// Applies `f` to each item; the answers are in their order.
pub(super) fn map<T: Sync, U: Send>(items: &[T], f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let (n, Some(item)) = take(&next, items) {
            done.push((n, f(item)));
        }
        done
    };
    let mut done: Vec<(usize, U)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        // A panic there is one here.
        let done =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done.flatten().collect()
    });
    done.sort_unstable_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, answer)| answer).collect()
}

/// Verifies each signer's envelopes together; the answers by place.
pub(super) fn verify(batches: Vec<Batch<'_>>) -> BTreeMap<usize, Result<Verified<Envelope>, EnvelopeError>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts = Vec::new();
    for (signer, envelopes) in &batches {
        let each = envelopes.len().div_ceil(cores).clamp(1, BATCH);
        parts.extend(envelopes.chunks(each).map(|part| (*signer, part)));
    }
    let answers = map(&parts, |(signer, part)| {
        let envelopes = part.iter().map(|(_, envelope)| envelope.clone()).collect();
        Envelope::verify_batch(envelopes, signer, &mut OsEntropy)
    });
    let places = parts.iter().flat_map(|(_, part)| part.iter().map(|(place, _)| *place));
    places.zip(answers.into_iter().flatten()).collect()
}

fn take<'a, T>(next: &AtomicUsize, items: &'a [T]) -> (usize, Option<&'a T>) {
    let n = next.fetch_add(1, Relaxed);
    (n, items.get(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_has_its_answer() {
        let items: Vec<u64> = (0..1_000).collect();
        let squares: Vec<u64> = items.iter().map(|n| n * n).collect();
        assert_eq!(map(&items, |n| n * n), squares);
        assert_eq!(map(&[], |n: &u64| *n), Vec::<u64>::new());
        assert_eq!(map(&[7], |n: &u64| *n), [7]);
    }
}
