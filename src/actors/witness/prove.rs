//! Asks the owners of logs to prove that their trees go together: `GET /v1/log/proof/consistency` where they serve.

use std::sync::Arc;
use std::time::Duration;

use dta_events::log::{Answer, Question};
use dta_proof::{Hash, tree};
use dta_protocol::Cid;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::owner::{ANSWER_BYTES_MAX, Pauses, hash_of, newest_note, url_of};
use super::tip_of;
use crate::actors::peers::{PeerClient, PeerUrl};
use crate::actors::services::Services;

/// How often it is looked whether a pause is over.
const TICK: Duration = Duration::from_millis(500);
/// How often it is looked when nothing is to be proved: a new pin may tell where an owner serves.
const IDLE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Proof {
    path: Vec<String>,
}

/// Runs until `stopping` says so. Pauses are kept on the monotonic clock.
pub async fn run(services: Arc<Services>, client: PeerClient, mut stopping: watch::Receiver<bool>) {
    let mut pauses = Pauses::default();
    loop {
        let pass = async {
            let left = ask_all(&services, &client, &mut pauses).await;
            let more = services.witness.more.notified();
            // Whether it was time or more to ask: the next look shows.
            let _ = timeout(if left { TICK } else { IDLE }, more).await;
        };
        tokio::select! {
            biased;
            // Nobody waits for the owner of another log.
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = pass => {}
        }
    }
}

/// Asks every owner that has something to prove and is not paused; whether there is any that has, and can be asked.
async fn ask_all(services: &Services, client: &PeerClient, pauses: &mut Pauses) -> bool {
    let mut left = false;
    for (owner, watched) in services.witness.all() {
        let Some(question) = watched.question() else { continue };
        let Some(url) = url_of(services, &owner).await else { continue };
        left = true;
        let now_ms = services.clock.monotonic_ms();
        if !pauses.is_over(&owner, now_ms) {
            continue;
        }
        match ask(services, client, &owner, &url, &question).await {
            Some(answer) => {
                pauses.end(&owner);
                let now_ms = services.clock.wall_ms();
                let look = services.watch(owner, |watched| watched.answer(&question, answer, now_ms));
                if let Err(error) = look.await {
                    tracing::warn!(%error, %owner, "what a log proved is not recorded; it is asked again");
                }
            }
            None => pauses.begin(owner, now_ms),
        }
    }
    left
}

/// None if the owner did not answer.
async fn ask(
    services: &Services,
    client: &PeerClient,
    owner: &Cid,
    url: &PeerUrl,
    question: &Question,
) -> Option<Answer> {
    let Question { older, newer } = question;
    let target = format!("/v1/log/proof/consistency?from={}&to={}", older.size, newer.size);
    let (status, body) = client.fetch(url, &target, ANSWER_BYTES_MAX).await.ok()?;
    if status == 200 {
        let proof: Proof = serde_json::from_slice(&body).ok()?;
        let path: Option<Vec<Hash>> = proof.path.iter().map(|hash| hash_of(hash)).collect();
        let holds = path.is_some_and(|path| {
            tree::check_consistency(&path, newer.size, newer.root, older.size, older.root).is_ok()
        });
        return Some(if holds { Answer::Consistent } else { Answer::Inconsistent });
    }
    // An answer that is not a proof counts only with a note of the owner's that says how long its log is: anybody on the way
    // can say no.
    let note = newest_note(services, client, owner, url).await?;
    match note.origin().epoch == newer.epoch {
        true if note.size() < newer.size => Some(Answer::Shorter(tip_of(&note, services.clock.wall_ms()))),
        // It is long enough, and there is no proof yet: asked again.
        true => None,
        // A new epoch, which is seen as such.
        false => {
            services.see_note(note.text()).await.ok()?.ok()?;
            None
        }
    }
}
