//! The rules by which the log's indexes follow from its records, so that they can be checked and built again.

use crate::record::{Aggregate, Record};

/// What the log looks up without understanding it. Pure: the same records give the same answers, for ever; a rule that
/// changes makes the indexes of older logs wrong until `dta log reindex`.
pub trait Indexing: Send + Sync {
    /// The keys that this record takes, each of which can be taken once in the life of the log: a hash of each public
    /// key it introduces, and of caller and idempotency key. The log refuses an append that claims a taken one.
    fn claims(&self, record: &Record) -> Vec<[u8; 32]>;

    /// The binary CIDs of the envelopes that this record brings into its aggregate. An envelope that two records bring
    /// is found under the later one.
    fn envelopes(&self, record: &Record) -> Vec<[u8; 36]>;

    /// Whether these rules understand all of the record. Indexes made by rules that do not would lack what it calls for.
    ///
    /// # Errors
    /// A text that names what is not understood.
    fn understands(&self, record: &Record) -> Result<(), String>;

    /// When the aggregate with this whole history next has something to do by itself (a delivery, an expiry), in
    /// milliseconds since 1970; none if never. `records` are in version order, without gaps.
    fn due(&self, aggregate: &Aggregate, records: &[Record]) -> Option<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{AggregateKind, Effect, NO_PREVIOUS, Request, Stored};

    /// Claims the idempotency key, brings what the command's bytes name, and is due a second after its last record.
    struct Rules;

    impl Indexing for Rules {
        fn claims(&self, record: &Record) -> Vec<[u8; 32]> {
            record.request.iter().map(|request| request.idempotency_key).collect()
        }

        fn envelopes(&self, record: &Record) -> Vec<[u8; 36]> {
            record.command.bytes.as_chunks().0.to_vec()
        }

        fn understands(&self, _: &Record) -> Result<(), String> {
            Ok(())
        }

        fn due(&self, _: &Aggregate, records: &[Record]) -> Option<u64> {
            records.last().map(|record| record.time_ms + 1_000)
        }
    }

    #[test]
    fn rules_are_an_object_and_read_only_the_records() {
        let aggregate = Aggregate { kind: AggregateKind::Seed, id: [1; 32] };
        let record = Record {
            sequence: 0,
            time_ms: 5,
            aggregate,
            version: 1,
            by: "local".into(),
            request: Some(Request { idempotency_key: [2; 32], body: [3; 32] }),
            trace_id: [0; 16],
            command: Stored { name: "keep".into(), schema: 1, bytes: vec![4; 73] },
            effect: Effect::Events(vec![]),
            previous: NO_PREVIOUS,
            nonce: [5; 32],
            blind: [6; 32],
        };
        let rules: &dyn Indexing = &Rules;
        assert_eq!(rules.claims(&record), [[2; 32]]);
        assert_eq!(rules.envelopes(&record), [[4; 36], [4; 36]]);
        assert_eq!(rules.due(&aggregate, &[record]), Some(1_005));
        assert_eq!(rules.due(&aggregate, &[]), None);
    }
}
