//! Makes a checkpoint: the root of the tree, the note, the sealed records, the envelope. Arithmetic and reads of the log: it
//! belongs on the crypto pool.

use dta_crypto::ContentKey;
use dta_events::log::{Draft, Made};
use dta_proof::{Note, Origin, tree};
use dta_protocol::checkpoint::{LogPart, MAX_RECORDS};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Body, CheckpointBody, Cid, Envelope, Kind, Plaintext as _, Role, Statement};

use super::inconsistent;
use crate::actors::keyring::Known;
use crate::actors::log::{Block, BlockClass, LogReader, ReadError, Tree};
use crate::actors::unavailable::Unavailable;

/// Bytes of records in one body: what is left of 256 KiB is more than the digests can take.
const RECORDS_BYTES: usize = 240 << 10;
/// Bytes in which a record's length is written, at most.
const LENGTH_BYTES: usize = 5;
/// Records read at once.
const CHUNK: usize = 256;

/// A checkpoint, made and not yet in the log.
pub(super) struct Forged {
    pub(super) made: Made,
    pub(super) note: Note,
    /// The envelope and its sealed body.
    pub(super) blocks: Vec<Block>,
}

/// Makes what was drafted. Nothing leaves this node and nothing is stored by it.
pub(super) fn forge(
    log: &dyn LogReader,
    draft: &Draft,
    node: &Known,
    key: ContentKey,
    epoch: u64,
) -> Result<Forged, Unavailable> {
    let keys = node.keys.as_ref().ok_or_else(|| inconsistent("the node's keys are not here"))?;
    let signer = node.cid();
    let root = tree::root(&Tree(log), draft.size).map_err(inconsistent)?;
    let origin = Origin { identity: signer, epoch };
    let note = Note::sign(origin, draft.size, root, keys).map_err(inconsistent)?;
    let (records, sealed) = records(log, draft.from, draft.size)?;
    let part = LogPart { records, digests: draft.digests.clone() };
    let plaintext = part.encode().map_err(inconsistent)?;
    let request = SealRequest {
        kind: Kind::Checkpoint,
        role: Role::Log,
        signer,
        subject: "",
        previous: draft.previous,
        issued_at_ms: draft.issued_at_ms,
    };
    let to = [(signer, node.document.verifying())];
    let body = sealed::seal(&request, plaintext.expose(), key, &to).map_err(inconsistent)?;
    let statement = Statement {
        kind: Kind::Checkpoint,
        body: Body::Checkpoint(CheckpointBody {
            number: draft.number,
            note: note.text().to_owned(),
            skip: draft.skip.clone(),
        }),
        sealed: vec![body.descriptor.clone()],
        signer: Some(signer),
        subject: String::new(),
        previous: draft.previous,
        issued_at_ms: draft.issued_at_ms,
    };
    let envelope = Envelope::sign(&statement, keys).map_err(inconsistent)?;
    let made = Made { cid: envelope.cid(), note: note.text().to_owned(), epoch, root, sealed };
    let blocks =
        vec![block(envelope.cid(), envelope.block().to_vec()), block(body.descriptor.cid, body.block)];
    Ok(Forged { made, note, blocks })
}

/// The records from one on, up to another, as many as fit; and the first that did not.
fn records(log: &dyn LogReader, from: u64, to: u64) -> Result<(Vec<Vec<u8>>, u64), ReadError> {
    let (mut records, mut bytes, mut next) = (Vec::new(), 0, from);
    loop {
        let chunk = log.read(next, CHUNK)?;
        if chunk.is_empty() {
            return Ok((records, next));
        }
        for (sequence, record) in chunk {
            bytes += record.len() + LENGTH_BYTES;
            if sequence >= to || bytes > RECORDS_BYTES || records.len() == MAX_RECORDS {
                return Ok((records, next));
            }
            records.push(record);
            next = sequence.saturating_add(1);
        }
    }
}

fn block(cid: Cid, bytes: Vec<u8>) -> Block {
    Block { cid: cid.to_bytes(), class: BlockClass::Published, bytes }
}
