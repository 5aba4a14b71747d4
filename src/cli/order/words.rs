//! What a node answers about orders, in lines for people. Whatever is absent is left out: nodes of other versions may say
//! more or less.

use serde_json::Value;

use crate::cli::plain;

/// A text in an answer, safe to show; numbers and truths as they are.
fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(plain(text)),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A line for each of these keys that is there: its name, then its value.
fn named(value: &Value, names: &[(&str, &str)]) -> Vec<String> {
    names.iter().filter_map(|(key, name)| Some(format!("{name} {}", text(value, key)?))).collect()
}

/// To a request to place.
pub(super) fn placed(answer: &Value) -> Vec<String> {
    let mut lines =
        named(answer, &[("orderReference", "order"), ("commitment", "commitment"), ("state", "state")]);
    lines.extend(waiting(answer));
    lines
}

/// To a command on an order.
pub(super) fn state(answer: &Value) -> Vec<String> {
    let mut lines = named(answer, &[("orderReference", "order"), ("orderCID", "placed"), ("state", "state")]);
    lines.extend(waiting(answer));
    lines
}

/// What an order waits for, one line each.
fn waiting(answer: &Value) -> Vec<String> {
    let line = |one: &Value| {
        let mut line = "waiting:".to_owned();
        for (key, word) in [("for", ""), ("to", " to"), ("since", " since")] {
            if let Some(value) = text(one, key) {
                line += &format!("{word} {value}");
            }
        }
        if let Some(attempts) = text(one, "attempts") {
            line += &format!(", attempts {attempts}");
        }
        if one.get("stalled") == Some(&Value::Bool(true)) {
            line += ", stalled";
        }
        match text(one, "error") {
            Some(error) => line + ": " + &error,
            None => line,
        }
    };
    items(answer, "waiting").iter().map(line).collect()
}

/// A page of orders.
pub(super) fn list(answer: &Value) -> Vec<String> {
    items(answer, "orderReference").iter().filter_map(Value::as_str).map(plain).collect()
}

/// One order. Most of it is a JSON document of its own, as a text.
pub(super) fn order(answer: &Value) -> Vec<String> {
    let inner = answer.get("order").and_then(Value::as_str).unwrap_or_default();
    let document: Value = serde_json::from_str(inner).unwrap_or_default();
    let mut lines = named(&document, &[("Reference", "order")]);
    lines.extend(named(answer, &[("orderCID", "placed")]));
    let state = text(answer, "state").or_else(|| text(&document, "State"));
    lines.extend(state.map(|state| format!("state {state}")));
    lines.extend(named(
        &document,
        &[("PrincipalCID", "principal"), ("FiduciaryCID", "fiduciary"), ("BeneficiaryCID", "beneficiary")],
    ));
    if let Some(committed) = document.get("OrderPart2") {
        lines.extend(named(committed, &[("CommitmentPublicKey", "commitment")]));
    }
    lines.extend(waiting(answer));
    lines
}

/// A page of a history: time, actor, what happened.
pub(super) fn history(answer: &Value) -> Vec<String> {
    let line = |one: &Value| {
        let refused = one.get("refused").and_then(|refused| {
            Some(format!("refused {}: {}", text(refused, "code")?, text(refused, "details")?))
        });
        let equivocation = one.get("equivocation").and_then(|pair| {
            Some(format!("equivocation {} and {}", text(pair, "first")?, text(pair, "second")?))
        });
        let step = text(one, "step").map(|step| match text(one, "cid") {
            Some(cid) => format!("{step} {cid}"),
            None => step,
        });
        let ended = text(one, "retentionEnded").map(|secret| format!("retention ended of {secret}"));
        let delivery = one.get("delivery").and_then(|delivery| {
            let code = text(delivery, "code").map(|code| format!(": {code}")).unwrap_or_default();
            let (step, to) = (text(delivery, "step")?, text(delivery, "to")?);
            Some(format!("{} to the {to}{code} {step}", text(delivery, "outcome")?))
        });
        let resumed = one.get("deliveriesResumed").map(|_| "deliveries resumed".to_owned());
        let lost = one.get("custodyLost").map(|_| "custody lost".to_owned());
        let found = one.get("custodyFound").map(|_| "custody found".to_owned());
        let held = one.get("held").map(|_| "held until it is told to go on".to_owned());
        let what = step.or(refused).or(equivocation).or(ended).or(delivery).or(resumed);
        let ordered = text(one, "shredOrdered").map(|due| format!("seed to be destroyed from {due} on"));
        let shredded = one.get("shredded").map(|_| "seed destroyed".to_owned());
        let what = what.or(lost).or(found).or(held).or(ordered).or(shredded);
        let what = what.unwrap_or_else(|| "something else".to_owned());
        let known = [text(one, "time"), text(one, "actor"), Some(what)];
        known.into_iter().flatten().collect::<Vec<_>>().join("  ")
    };
    items(answer, "history").iter().map(line).collect()
}

/// What was collected, one line an order.
pub(super) fn collected(answer: &Value) -> Vec<String> {
    let line = |one: &Value| {
        let known = ["orderReference", "orderCID", "state"].into_iter().filter_map(|key| text(one, key));
        known.collect::<Vec<_>>().join("  ")
    };
    let lines: Vec<String> = items(answer, "collected").iter().map(line).collect();
    if lines.is_empty() { vec!["nothing new".to_owned()] } else { lines }
}

/// Who could not be asked, and why.
pub(super) fn failed(answer: &Value) -> Vec<String> {
    let line = |one: &Value| {
        let known = ["peer", "error"].into_iter().filter_map(|key| text(one, key));
        known.collect::<Vec<_>>().join(": ")
    };
    items(answer, "failed").iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_is_told_with_its_trouble() {
        let waiting = json!([
            { "for": "order/committed", "to": "bafybob", "since": "2026-01-01T00:00:00Z", "attempts": 3,
              "stalled": true, "error": "no answer\u{1b}[2J" },
            { "for": "order/received", "stalled": false, "error": null },
            {},
        ]);
        let answer =
            json!({ "orderReference": "r", "orderCID": "bafyplaced", "state": "Placed", "waiting": waiting });
        assert_eq!(
            state(&answer),
            [
                "order r",
                "placed bafyplaced",
                "state Placed",
                "waiting: order/committed to bafybob since 2026-01-01T00:00:00Z, attempts 3, stalled: \
                 no answer\\u{1b}[2J",
                "waiting: order/received",
                "waiting:",
            ]
        );
        assert_eq!(placed(&json!({ "orderReference": "r", "state": "Placed" })), ["order r", "state Placed"]);
    }

    #[test]
    fn what_was_collected_and_what_was_not() {
        let answer = json!({
            "collected": [{ "orderReference": "r", "orderCID": "bafyplaced", "state": "Received" }],
            "failed": [{ "peer": "bafybob", "error": "no answer" }],
        });
        assert_eq!(collected(&answer), ["r  bafyplaced  Received"]);
        assert_eq!(failed(&answer), ["bafybob: no answer"]);
        assert_eq!(collected(&json!({ "collected": [] })), ["nothing new"]);
        assert!(failed(&json!({})).is_empty());
    }

    #[test]
    fn an_answer_of_any_shape_is_told_without_a_fault() {
        for answer in
            [json!(null), json!([]), json!({}), json!({ "order": 7, "history": [7, null, {}], "waiting": 7 })]
        {
            for words in [placed, state, list, order, history, collected, failed] {
                assert!(words(&answer).len() <= 3, "{answer}");
            }
        }
    }

    #[test]
    fn every_entry_of_a_history_has_its_line() {
        let answer = json!({ "history": [
            { "time": "T", "actor": "local", "step": "order/placed", "cid": "bafyplaced" },
            { "time": "T", "actor": "timer", "refused": { "code": "not-before", "details": "too soon" } },
            { "time": "T", "actor": "peer:x", "equivocation": { "first": "a", "second": "b" } },
            { "time": "T", "actor": "timer", "retentionEnded": "bafysecret" },
            { "time": "T", "actor": "peer:x", "delivery": { "to": "principal", "step": "a", "outcome": "delivered" } },
            { "time": "T", "actor": "peer:x",
              "delivery": { "to": "beneficiary", "step": "a", "outcome": "refused", "code": "not-hosted" } },
            { "time": "T", "actor": "local", "deliveriesResumed": true },
            { "time": "T", "actor": "local", "shredOrdered": "U" },
            { "time": "T", "actor": "timer", "shredded": true },
            { "time": "T", "actor": "local", "news": 1 },
        ] });
        assert_eq!(
            history(&answer),
            [
                "T  local  order/placed bafyplaced",
                "T  timer  refused not-before: too soon",
                "T  peer:x  equivocation a and b",
                "T  timer  retention ended of bafysecret",
                "T  peer:x  delivered to the principal a",
                "T  peer:x  refused to the beneficiary: not-hosted a",
                "T  local  deliveries resumed",
                "T  local  seed to be destroyed from U on",
                "T  timer  seed destroyed",
                "T  local  something else",
            ]
        );
    }
}
