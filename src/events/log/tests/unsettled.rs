//! Given a log that is read on and on, when statements are settled, then each is asked for until it is, and none is read in vain.

use super::*;

/// All are due.
const LATE: Patience = Patience { now_ms: u64::MAX, missing_after_ms: 1, is_clock_trusted: true };

fn taken(sequence: u64) -> Taken {
    Taken { sequence, cid: cid(sequence as u8), at_ms: sequence }
}

/// This node's log: at each of these sequences a statement that this owner's log is to hold.
struct Log(Vec<(u64, u8)>);

impl Log {
    /// Reads on by 100 records at a time; answers how many were read.
    fn read(&self, unsettled: &mut Unsettled, head: u64) -> u64 {
        let mut read = 0;
        while unsettled.from() < head {
            let from = unsettled.from();
            let to = (from + 100).min(head);
            let chunk = self.0.iter().filter(|(sequence, _)| (from..to).contains(sequence));
            unsettled.take(chunk.map(|(sequence, owner)| (cid(*owner), taken(*sequence))), to);
            read += to - from;
        }
        read
    }
}

fn due_of(unsettled: &Unsettled, owner: u8) -> Vec<u64> {
    unsettled.due_of(&cid(owner), &LATE).iter().map(|taken| taken.sequence).collect()
}

#[test]
fn each_log_has_its_own_and_is_settled_by_itself() {
    let log = Log(vec![(3, 1), (4, 2), (5, 1), (950, 2)]);
    let mut unsettled = Unsettled::default();
    assert_eq!(log.read(&mut unsettled, 1_000), 1_000);
    assert_eq!(log.read(&mut unsettled, 1_000), 0, "read once");
    assert_eq!(unsettled.due(&LATE), [cid(1), cid(2)]);
    assert_eq!((due_of(&unsettled, 1), due_of(&unsettled, 2)), (vec![3, 5], vec![4, 950]));
    assert_eq!(unsettled.all_settled(&cid(1), 4), 4, "the other log's");
    assert_eq!(unsettled.all_settled(&cid(2), 951), 3);
    unsettled.settle(&cid(1), 6);
    assert_eq!((due_of(&unsettled, 1), unsettled.due(&LATE)), (vec![], vec![cid(2)]));
    assert_eq!(unsettled.all_settled(&cid(2), 5), 950);
    assert_eq!(unsettled.all_settled(&cid(2), 951), 1_000, "as far as it was read");
    unsettled.settle(&cid(2), 951);
    assert_eq!(unsettled.due(&LATE), []);
    unsettled.settle(&cid(3), 7);
}

#[test]
fn only_what_is_old_enough_is_due() {
    let mut unsettled = Unsettled::default();
    Log(vec![(3, 1), (40, 1), (45, 2)]).read(&mut unsettled, 100);
    let patience = Patience { now_ms: 50, missing_after_ms: 400, is_clock_trusted: false };
    assert_eq!(unsettled.due(&patience), [cid(1)]);
    assert_eq!(unsettled.due_of(&cid(1), &patience), [taken(3)]);
}

#[test]
fn what_does_not_fit_is_read_again_when_there_is_room() {
    let most = WAITING_MAX as u64;
    let mut all: Vec<_> = (0..3 * most).map(|sequence| (sequence, 1)).collect();
    all.push((3 * most, 2));
    let (log, head) = (Log(all), 10_000);
    let mut unsettled = Unsettled::default();
    log.read(&mut unsettled, head);
    assert_eq!(due_of(&unsettled, 1), (0..most).collect::<Vec<_>>());
    assert_eq!(due_of(&unsettled, 2), [3 * most], "it does not wait for the other");
    assert_eq!(log.read(&mut unsettled, head), 0, "nobody answers, nothing is read");
    assert_eq!(unsettled.all_settled(&cid(1), most), most, "the first that was left out");
    unsettled.settle(&cid(1), 10);
    let read = log.read(&mut unsettled, head);
    assert!(read > 0 && read < most, "until there is no room: {read}");
    assert_eq!(due_of(&unsettled, 1), (10..most + 10).collect::<Vec<_>>());
    let mut settled = Vec::new();
    while let [first, .., last] = due_of(&unsettled, 1)[..] {
        settled.extend(first..=last);
        unsettled.settle(&cid(1), last + 1);
        log.read(&mut unsettled, head);
    }
    assert_eq!(settled, (10..3 * most).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(due_of(&unsettled, 2), [3 * most], "once");
    assert_eq!(unsettled.all_settled(&cid(2), 3 * most + 1), head);
}

#[test]
fn those_of_one_record_wait_together() {
    let most = WAITING_MAX as u64;
    let mut all: Vec<_> = (0..most - 1).map(|sequence| (sequence, 1)).collect();
    all.extend([(most, 1); 3]);
    all.push((most + 1, 1));
    let log = Log(all);
    let mut unsettled = Unsettled::default();
    log.read(&mut unsettled, 1_000);
    assert_eq!(due_of(&unsettled, 1)[WAITING_MAX - 1..], [most; 3]);
    unsettled.settle(&cid(1), most);
    log.read(&mut unsettled, 1_000);
    assert_eq!(due_of(&unsettled, 1), [most, most, most, most + 1]);
}

#[test]
fn a_start_goes_on_where_everybodys_were_settled() {
    let statements = |settled, all_settled| Statements { settled, all_settled, ..Statements::default() };
    let (one, two, three) = (statements(700, 120), statements(90, 80), statements(0, 0));
    let mut unsettled = Unsettled::after([(cid(1), &one), (cid(2), &two), (cid(3), &three)]);
    assert_eq!(unsettled.from(), 120);
    let log = Log(vec![(3, 4), (95, 2), (130, 1), (140, 2), (150, 4), (690, 1), (700, 1), (800, 3)]);
    assert_eq!(log.read(&mut unsettled, 1_000), 880);
    assert_eq!(due_of(&unsettled, 1), [700], "those before were settled");
    assert_eq!(
        (due_of(&unsettled, 2), due_of(&unsettled, 3), due_of(&unsettled, 4)),
        (vec![140], vec![800], vec![150])
    );
    assert_eq!(unsettled.all_settled(&cid(2), 141), 150);
    assert_eq!(Unsettled::after([]).from(), 0);
}
